"""kube-proxy's chains are missing from a node's nat table, or no packet is sent to them."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import rewritten
from scripts.causes.scene import Cause, Scene, agent
from scripts.causes.told import translated
from scripts.evidence.nodestate import NodeState

SERVICES = "KUBE-SERVICES"
HOOKS = ("PREROUTING", "OUTPUT")
_FOLLOW = frozenset({"no_masquerade", "proxy_behind"})


def find(scene: Scene) -> Iterator[Cause]:
    """Each node that lacks what the others have."""
    states = {node: state for node, _, state in scene.nodes()}
    if not any(_jumps(state) for state in states.values()):
        return  # another mode, or no node to compare with
    for node, state in states.items():
        wrong = _wrong(state)
        if wrong:
            yield Cause(
                kind="nat_flushed",
                what=f"the nat table of {node} does not translate Services: {wrong}",
                node=node,
                evidence=(
                    f"{wrong}; {_rules(state)} rules in nat on {node}, "
                    + ", ".join(
                        f"{_rules(other)} on {name}" for name, other in states.items() if name != node
                    ),
                ),
                explains=scene.ids(red for red in scene.reds if translated(red, node, scene)),
                look=agent(scene, node, scene.iptables, "-t", "nat", "-nvL", "PREROUTING"),
                mend=rewritten(scene, node),
                hides=_FOLLOW,
            )


def _jumps(state: NodeState) -> list[str]:
    """The hooks from which packets are sent to the Services' chain."""
    return [
        hook for hook in HOOKS if any(rule.target == SERVICES for rule in state.ruleset.chain("nat", hook))
    ]


def _wrong(state: NodeState) -> str:
    if not state.ruleset.chain("nat", SERVICES):
        return f"chain {SERVICES} has no rule"
    missing = [hook for hook in HOOKS if hook not in _jumps(state)]
    return f"nat/{missing[0]} does not jump to {SERVICES}" if missing else ""


def _rules(state: NodeState) -> int:
    return sum(rule.table == "nat" for rule in state.ruleset.rules)
