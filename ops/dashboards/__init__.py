"""Dashboards for Grafana: tables of panels, and the JSON that is made from them."""
