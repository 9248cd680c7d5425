"""One instance: the daemon, its processors, and everything that keeps them going."""
