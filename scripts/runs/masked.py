"""Texts without what differs between any two runs: addresses, numbers, and the ends of names."""

from __future__ import annotations

import re

from scripts.runs.document import Run

_POD = re.compile(r"-(?:[bcdf-hj-np-tv-xz2456789]{8,10}-)?[bcdf-hj-np-tv-xz2456789]{5}\b")
"""What Kubernetes appends to the name of a Deployment's or DaemonSet's Pod."""
_VETH = re.compile(r"\bveth[0-9a-f]+")
_NUMBER = re.compile(r"[-+]?\d[\d.:/]*")


def without_ends(name: str) -> str:
    """A text in which each Pod has the name of its Deployment or DaemonSet."""
    return _POD.sub("", name)


def masked(text: str, run: Run) -> str:
    """What one of a run's texts says, whatever the addresses, the numbers and the names of nodes and Pods."""
    for node in sorted((node.name for node in run.cluster.nodes), key=len, reverse=True):
        text = text.replace(node, "a node")
    return _NUMBER.sub("#", _VETH.sub("veth", without_ends(text)))
