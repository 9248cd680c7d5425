"""The HTTP server of an instance: metrics, health checks and a landing page."""
