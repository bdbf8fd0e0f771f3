"""A Pod that has ended and a Service over UDP: nothing is wrong."""

from scripts.fault._acts import make
from scripts.fault._base import Act, Fault, Site

PORT = {"port": 53, "protocol": "UDP"}


def _harmless(site: Site) -> list[Act]:
    (client, *_) = site.view.clients()
    spec = site.api.get(f"/api/v1/namespaces/{client.namespace}/pods/{client.name}")["spec"]
    box = spec["containers"][0]
    kept = {key: box[key] for key in ("image", "imagePullPolicy", "securityContext") if key in box}
    namespace = site.view.namespace("pod-to-service")
    below = f"/api/v1/namespaces/{namespace}"
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "done", "namespace": namespace},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": spec.get("securityContext", {}),
            "containers": [{"name": "done", "command": ["true"], **kept}],
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "udp", "namespace": namespace},
        "spec": {"selector": {"app": "nobody"}, "ports": [PORT]},
    }
    return [make(site, f"{below}/pods", pod), make(site, f"{below}/services", service)]


FAULT = Fault(
    what="the lab has a Pod that has ended and a Service over UDP, and nothing is wrong",
    acts=_harmless,
    must={},
    cause="",
    beside=("S2-*", "S4", "S6-*", "S8-service"),
    claims=("S4",),
    changes_rules=True,
)
