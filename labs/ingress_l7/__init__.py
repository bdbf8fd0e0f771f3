"""Ingress, layer 7: HTTP requests find their Service by host and path."""
