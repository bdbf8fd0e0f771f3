"""A node's bridge sends nothing back to the port it came from."""

from scripts.fault._acts import commands
from scripts.fault._base import Act, Argv, Fault, Site, worker


def _acts(site: Site) -> list[Act]:
    node = site.worker(1)
    ports = site.ports(node)

    def turned(to: str) -> tuple[Argv, ...]:
        return tuple(("bridge", "link", "set", "dev", port, "hairpin", to) for port in ports)

    there = ("sh", "-c", "bridge -d link show | grep -q 'hairpin off'")
    return [commands(node, turned("off"), turned("on"), there, f"hairpin of {node}")]


FAULT = Fault(
    what="the ports of worker 1's bridge send nothing back to where it came from",
    acts=_acts,
    must={"K3-1": "timed-out"},
    may=("S3", "S5", "S7-*"),
    cause="hairpin_off",
    on=worker(1),
    claims=("K3",),
    symptom="A Pod cannot always use its own Service.",
    hints=(
        "Claim K3 is red on one node: what is special about a Pod that asks itself through a Service?",
        "Trace it: the packet comes out of the Pod and has to go back into the same port.",
        "bridge -d link show: what does it say of hairpin, on each node?",
    ),
)
