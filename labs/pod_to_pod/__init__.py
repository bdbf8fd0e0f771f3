"""Pod to Pod: an application chain that stays on a node, then crosses to another, without NAT."""
