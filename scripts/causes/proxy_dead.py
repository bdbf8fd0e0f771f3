"""kube-proxy does not run on a node, or does not answer there: its rules no longer follow the Services."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scripts.causes.scene import Cause, Red, Scene, agent
from scripts.causes.told import proxy_pod, translated
from scripts.checks.verdict import Failure
from scripts.evidence.nodestate import REFUSED, TIMED_OUT, NodeState

STALE = (
    Failure.NOT_FOLLOWED,
    Failure.NOT_REPLACED,
    Failure.TABLES_DIFFER,
    Failure.WRONG_MODE,
    Failure.NO_ANSWER,
)


def find(scene: Scene) -> Iterator[Cause]:
    """Each node whose kube-proxy is silent (frozen) or refuses (dead), where others answer."""
    states = {node: state for node, _, state in scene.nodes()}
    if not any(state.proxy for state in states.values()):
        return  # kube-proxy tells its mode nowhere, or something else serves this cluster's Services
    for node, state in states.items():
        pod = proxy_pod(scene, node)
        name = pod.name if pod else "kube-proxy"
        if state.proxy_exit == TIMED_OUT:
            kind, what, said = (
                "proxy_frozen",
                f"kube-proxy on {node} does not answer",
                "accepts connections and is silent",
            )
        elif state.proxy_exit == REFUSED:
            kind, what, said = "proxy_dead", f"kube-proxy on {node} does not run", "refuses connections"
        else:
            continue
        ready = "" if pod is None else f"; Pod {name} is {'ready' if pod.ready else 'not ready'} by the API"
        yield Cause(
            kind=kind,
            what=f"{what}, so its rules do not follow Services and Pods",
            node=node,
            evidence=(
                f"http://127.0.0.1:10249/proxyMode {said} there, on others it says {_mode(states)}{ready}",
            ),
            explains=scene.ids(red for red in scene.reds if _needs(red, node, scene)),
            look=agent(scene, node, "curl", "-sm1", "http://127.0.0.1:10249/proxyMode"),
            mend=f"kubectl -n kube-system delete pod {name} --now"
            if pod
            else "kubectl -n kube-system rollout restart daemonset kube-proxy",
            hides=frozenset({"proxy_behind"}),
        )


def _needs(red: Red, node: str, scene: Scene) -> bool:
    """Whether it needs rules of the node that follow, or kube-proxy itself there."""
    named = node in red.why and "kube-proxy" in red.why
    stale = red.failure in STALE and (red.node == node or node in red.why)
    return translated(red, node, scene) or stale or (red.failure is Failure.MISSING_PEER and named)


def _mode(states: Mapping[str, NodeState]) -> str:
    return ", ".join(sorted({state.proxy for state in states.values()} - {""}))
