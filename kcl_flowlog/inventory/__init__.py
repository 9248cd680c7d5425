"""Subnets, network interfaces and flow logs, read from EC2."""
