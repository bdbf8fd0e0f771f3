"""The features of a cluster that probes need: each is detected, with the reason for the answer."""

from __future__ import annotations

from scripts.clusters.feature import Feature
from scripts.evidence.policyengine import engine, without_engine
from scripts.evidence.view import View


def features_of(view: View) -> list[Feature]:
    """The features of a cluster as its API shows them."""
    nodes, agents = view.snapshot.nodes, view.agents()
    blind = [node.name for node in nodes if node.name not in agents]
    proxies = {
        pod.node for pod in view.snapshot.pods if pod.labels.get("k8s-app") == "kube-proxy" and pod.ready
    }
    bare = [node.name for node in nodes if node.name not in proxies]
    balanced = [service.name for service in view.snapshot.services.values() if service.balancer_ips]
    workers = [node.name for node in view.snapshot.workers]
    kept_out = [f"{node.name} has the taint {node.kept_out}" for node in nodes if node.kept_out]
    systems = sorted({node.system for node in nodes})
    families = sorted({family for node in nodes for family in node.families})
    named = [service.name for service in view.snapshot.services.values() if service.balancer_names]
    unenforced = without_engine(view)
    unready = [node.name for node in nodes if not node.ready]
    return [
        Feature("nodes ready", not unready, f"not ready: {', '.join(unready)}" if unready else "all are"),
        Feature(
            "two workers",
            len(workers) > 1,
            "; ".join([", ".join(workers) or "no worker node", *kept_out]),
        ),
        Feature("Linux on every node", systems in ([], ["linux"]), ", ".join(systems) or "no node"),
        Feature("one clock", not view.clocks, view.clocks or "this machine and the nodes run on one kernel"),
        Feature("IPv4", "IPv6" not in families or "IPv4" in families, ", ".join(families) or "not told"),
        Feature(
            "node agents",
            not blind,
            f"none on {', '.join(blind)}" if blind else f"one on each of {len(nodes)} nodes",
        ),
        Feature(
            "kube-proxy", not bare, f"none on {', '.join(bare)}" if bare else "a ready Pod on every node"
        ),
        Feature("load balancers", bool(balanced), _balancers(balanced, named)),
        Feature(
            "Ingress",
            any(view.snapshot.ingresses.values()),
            "by the addresses that Ingresses advertise",
        ),
        Feature(
            "Gateway API",
            any(view.snapshot.gateways.values()),
            "by the addresses that Gateways advertise",
        ),
        Feature("NetworkPolicy engine", bool(engine(view)) and not unenforced, _engine(view, unenforced)),
        Feature(
            "world outside",
            view.outside is not None,
            "as scripts/up made it" if view.outside else "this stack has none",
        ),
    ]


def _engine(view: View, unenforced: list[str]) -> str:
    """Which engine enforces NetworkPolicies, and where it does not."""
    if not (who := engine(view)):
        return "no Pod of one that is known runs here: policies are accepted, and enforced by nobody"
    return f"{who}, none ready on {', '.join(unenforced)}" if unenforced else f"{who}, on every node"


def _balancers(balanced: list[str], named: list[str]) -> str:
    """Which Services advertise an IP, and which a name, which no probe asks yet."""
    told = ", ".join(sorted({*balanced})) or "no Service advertises an IP"
    return f"{told}; {', '.join(sorted({*named}))} advertise a name only" if named else told
