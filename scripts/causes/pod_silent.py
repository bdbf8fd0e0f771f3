"""A Pod gets requests and sends nothing back: its program hangs, or packets are lost inside the Pod."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.causes.commands import remade
from scripts.causes.scene import Cause, Scene, Try
from scripts.causes.told import flooded
from scripts.ends import ip_of


def find(scene: Scene) -> Iterator[Cause]:
    """Each Pod into which the replay's packets went and out of which no answer came.

    It may wait for another Pod in its turn, so that it is told only where nothing else explains a red.
    """
    seen: dict[tuple[str, str], set[str]] = {}
    for red in scene.reds:
        for one in red.failing:
            if (ip := _entered(one)) and not any(one.ends):
                said = _said(one)
                seen.setdefault((ip, said), set()).add(red.id)
    for (ip, said), ids in seen.items():
        pod = next((pod for pod in scene.view.snapshot.pods if pod.ip == ip), None)
        if pod is None:
            continue
        yield Cause(
            "pod_silent",
            f"Pod {pod.name} does not answer requests that reach it: {said}",
            (f"the replay's packets entered the Pod by its interface on {pod.node}; {said}",),
            frozenset(ids),
            node=pod.node,
            look=f"kubectl -n {pod.namespace} logs {pod.name} --all-containers --tail 20",
            mend=f"kubectl -n {pod.namespace} delete pod {pod.name}; {remade(scene)}",
            weak=True,
        )


def _entered(one: Try) -> str:
    """The IP of the Pod in which the request's way ended without an answer; empty if it ended elsewhere.

    Of a connection that its Pod accepted, but that the client never got, the acceptance was lost on the way.
    """
    trace = one.trace
    requests = [hop for hop in trace.hops if hop.way == "request"]
    replies = [hop for hop in trace.hops if hop.way == "reply"]
    last = requests[-1] if requests else None
    if last is None or last.interface.kind != "pod" or last.direction != "out":
        return ""
    ip = ip_of(last.dst)
    if any(ip_of(hop.src) == ip for hop in replies) and trace.answer != "SYN ACK":
        return ""
    if trace.answer == "" and any(flooded(trace)):
        return ""  # whether it entered this Pod too, nobody can tell
    return ip if trace.answer == "" or (trace.answer == "SYN ACK" and one.connected) else ""


def _said(one: Try) -> str:
    """What came out of it: who asked a proxy knows nothing of the connection that the proxy opened."""
    direct = all(hop.leg == 1 for hop in one.trace.hops)
    if one.trace.answer == "SYN ACK" or (direct and one.connected):
        return "its kernel accepted the connection, and its program sent no answer"
    return "not even the connection was accepted or refused" if direct else "nothing came out of it"
