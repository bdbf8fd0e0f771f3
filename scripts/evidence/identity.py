"""The headers by which a workload says who it is, and whom it saw."""

from __future__ import annotations

HEADER_POD = "X-Podpath-Pod"
HEADER_NODE = "X-Podpath-Node"
HEADER_CONTAINER = "X-Podpath-Container"
HEADER_PEER = "X-Podpath-Peer"
HEADER_NONCE = "X-Podpath-Nonce"
HEADER_UPSTREAM_PEER = "X-Podpath-Upstream-Peer"
HEADER_FORWARDED_FOR = "X-Podpath-Forwarded-For"
