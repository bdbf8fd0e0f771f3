"""A Service that serves only its clients' own nodes: probes are judged by that, and nothing is wrong."""

from scripts.fault._acts import patch
from scripts.fault._base import Fault

FAULT = Fault(
    what="the Service frontend has internalTrafficPolicy Local",
    acts=lambda site: [
        patch(site, site.service("pod-to-service", "frontend"), {"spec": {"internalTrafficPolicy": "Local"}})
    ],
    must={},
    beside=("S2-*", "S4", "S6-*", "I2-*"),
    cause="",
    claims=("S2",),
    changes_rules=True,
)
