"""A Pod's veth is no port of the bridge any more."""

from scripts.fault._acts import commands
from scripts.fault._base import Act, Fault, Site, node_of


def _acts(site: Site) -> list[Act]:
    pod = site.pod("pod-to-pod", "rest")
    veth = site.veth(pod)
    on = ("bridge", "link", "set", "dev", veth, "hairpin", "on")
    return [
        commands(
            pod.node,
            (("ip", "link", "set", "dev", veth, "nomaster"),),
            (("ip", "link", "set", "dev", veth, "master", "cbr0"), on),
            ("sh", "-c", f"ip -o link show dev {veth} | grep -qv 'master cbr0'"),
            f"bridge port {veth} on {pod.node}",
        )
    ]


FAULT = Fault(
    what="the veth of Pod rest is no port of its node's bridge",
    acts=_acts,
    must={"P3-rest": "no-bridge", "P4-frontend-rest": "", "P5-database-rest": "", "P1-frontend-rest": ""},
    may=("P1-*-rest", "P1-rest-*", "P6", "P2-rest"),
    cause="veth_off_bridge",
    on=node_of("pod-to-pod", "rest"),
    claims=("P1", "P3", "P4", "P5", "P6"),
    symptom="One Pod is silent; its node and its neighbours are fine.",
    hints=(
        "Claim P3 names the Pod: what joins it to the others?",
        "Trace a request to it: it comes to cbr0 of its node, and then?",
        "ip -d link show master cbr0 on that node: whose veth is missing?",
    ),
)
