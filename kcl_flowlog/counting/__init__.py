"""Counting flow logs: from a payload to a delta, without any I/O."""
