"""Ingress at layer 4: load balancer, node ports, and both traffic policies."""
