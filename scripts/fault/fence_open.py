"""A node's half of the fence is taken out of the way."""

from scripts.fault._acts import commands
from scripts.fault._base import Act, Argv, Fault, Site, worker

JUMP: Argv = ("FORWARD", "-o", "eth0", "-j", "PODPATH-FENCE")


def _acts(site: Site) -> list[Act]:
    """The host's half still stands: nothing leaves the machine."""
    tool = ("iptables", "-w", "-t", "filter")
    chain, *rest = JUMP
    return [
        commands(
            site.worker(1),
            ((*tool, "-D", *JUMP),),
            ((*tool, "-I", chain, "1", *rest),),
            ("sh", "-c", f"! iptables -w -C {' '.join(JUMP)}"),
            f"fence of {site.worker(1)}",
        )
    ]


FAULT = Fault(
    what="worker 1 forwards past its half of the fence",
    acts=_acts,
    must={"F1-fence": "not-fenced"},
    may=("F1-1",),
    cause="fence_open",
    on=worker(1),
    claims=("F1",),
    symptom="All is green but the suite's own promise.",
    hints=(
        "Claim F1 names a node: which rules does it lack?",
        "Compare iptables -S FORWARD of the two workers.",
        "scripts/up puts the fence back.",
    ),
)
