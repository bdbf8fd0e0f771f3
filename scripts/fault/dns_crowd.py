"""Most addresses behind the cluster's DNS belong to nobody: most lookups hang."""

from scripts.fault._acts import make
from scripts.fault._base import Act, Fault, Site
from scripts.fault._objects import unused


def _acts(site: Site) -> list[Act]:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
    ]
    labels = {"kubernetes.io/service-name": "kube-dns"}
    ready = {"ready": True}
    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "extra-dns", "namespace": "kube-system", "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [ip], "conditions": ready} for ip in unused(site, 1, 40)],
        "ports": ports,
    }
    return [make(site, "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices", slice_)]


FAULT = Fault(
    what="most of the addresses behind the cluster's DNS are no Pod's",
    acts=_acts,
    must={"S8-service": ""},
    may=("S8-*", "P6"),
    cause="dead_endpoint",
    claims=("S8",),
    changes_rules=True,
    symptom="Names resolve now and then.",
    hints=(
        "Claim S8 is red, sometimes: what happens with each single question?",
        "Which addresses are behind the Service kube-dns, and are they all Pods?",
        "Look at all EndpointSlices of kube-dns.",
    ),
)
