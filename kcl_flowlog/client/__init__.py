"""Asks an instance over HTTP: for the health check, and for other instances."""
