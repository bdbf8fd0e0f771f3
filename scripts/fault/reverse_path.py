"""A node drops packets that come in where their answers would not go out: strict reverse-path filtering."""

from scripts.fault._acts import route, switch
from scripts.fault._base import Act, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    node = site.worker(2)
    client = next(pod for pod in site.view.clients() if pod.node == site.worker(1))
    return [
        switch(site, node, "net.ipv4.conf.all.rp_filter", "1"),  # strict, as a kind node is by itself
        route(node, f"{client.ip}/32", "dev", "cbr0"),
    ]


FAULT = Fault(
    what="worker 2 expects client-1 on its own bridge, and drops what comes from it over the wire",
    acts=_acts,
    must={"P1-mesh-1-other": "timed-out"},
    may=(
        "P1-client-1-*",
        "P6",
        "S*",
        "K1-*-1-*",
        "K5-*",
        "K6-alive",
        "K6-nobody",
        "K8-*",
        "C2-pod",
        "C4-*",
        "E3-pod",
        "I*",
    ),
    cause="reverse_path",
    on=worker(2),
    claims=("P1", "K1"),
    symptom="One Pod reaches nobody on the other node; its neighbours do.",
    hints=(
        "Claim P1 is red for one client: its packets arrive at the other node. What becomes of them there?",
        "No rule counts them. Look at the kernel's own counters: nstat -az TcpExtIPReversePathFilter.",
        "Where would that node send the answer: ip route get the client's address.",
    ),
)
