"""Ingress at layer 7: HTTP requests find their Service by host and path."""
