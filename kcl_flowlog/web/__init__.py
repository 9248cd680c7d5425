"""The HTTP server of an instance: metrics, health and pages."""
