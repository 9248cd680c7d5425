"""The command `kcl-flowlog healthcheck`: asks an instance on this machine how it is, for probes that run a command."""
