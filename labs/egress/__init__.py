"""Egress: a Pod reaches the outside through two NATs."""
