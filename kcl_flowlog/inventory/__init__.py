"""The subnets, network interfaces and flow logs of EC2, and clients for AWS."""
