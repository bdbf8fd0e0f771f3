"""The nat table of one node is flushed, as a firewall's reload does; those who wrote it write it again."""

from scripts.fault._base import Act, Fault, Site, worker


def _flush(site: Site) -> list[Act]:
    """Undone by those whose rules they are: kube-proxy and flannel write theirs when they start.

    Docker's rules for the node's DNS, which nobody would write again, are put back one by one.
    """
    node = site.worker(1)
    tool = ("iptables", "-w", "-t", "nat")
    saved = site.look(node, "iptables-save", "-t", "nat").splitlines()
    dockers = [line for line in saved if line.startswith("-A ") and "DOCKER_" in line]
    missing = ("sh", "-c", "! iptables -w -t nat -S KUBE-SERVICES 2>/dev/null | grep -q KUBE-SVC")
    again = [(*tool, *line.split()) for line in dockers]
    start = (("pkill", "-x", "kube-proxy"), ("pkill", "-x", "flanneld"))
    written = (
        "sh",
        "-c",
        "for n in 1 2 3 4 5 6 7 8; do iptables -w -t nat -S KUBE-SERVICES | "
        "grep -q KUBE-SVC && break; sleep 1; done",
    )
    return [
        Act(
            "container",
            node,
            do=((*tool, "-F"),),
            undo=(*again, *start, written),
            there=missing,
            what=f"table nat of {node}",
        )
    ]


FAULT = Fault(
    what="the nat table of worker 1 is empty",
    acts=_flush,
    must={"S6-1-80": "", "S2-1": "", "S8-service": ""},
    may=("S*", "F1-1", "P6", "K1-*-1-service", "K3-1", "K5-*", "K6-*", "E*", "I*", "P1-*", "C4-*", "P5-*"),
    cause="nat_flushed",
    on=worker(1),
    claims=("S6", "S2", "S8", "E1"),
    symptom="From one node no Service answers at all, and no name resolves.",
    hints=(
        "Claim S6 is red from one node: which table rewrites a clusterIP to a Pod's address?",
        "Compare the nat tables of the two workers: iptables -t nat -S KUBE-SERVICES.",
        "The chains are there and empty: who writes them, and when?",
    ),
)
