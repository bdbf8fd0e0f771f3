"""The cluster's DNS: no Pod that runs, one that is silent, refuses, or gives other addresses than the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scripts.causes.scene import Cause, Red, Scene
from scripts.causes.told import looks_up
from scripts.checks.verdict import Failure
from scripts.ends import ip_of, parted
from scripts.evidence.dnsask import SERVICE
from scripts.evidence.snapshot import PodInfo

LOOK = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide"


def find(scene: Scene) -> Iterator[Cause]:
    """What is wrong with the servers, by asking each of them from a Pod of each node."""
    reds = scene.ids(red for red in scene.reds if _named(red) or _chained(red, scene))
    if not reds:
        return
    pods = scene.view.snapshot.dns_pods
    ready = [pod for pod in pods if pod.ready]
    if not ready:
        states = ", ".join(f"{pod.name} {pod.phase}" for pod in pods) or "there is none"
        yield Cause(
            "dns_down",
            "no Pod of the cluster's DNS is ready",
            (f"Pods with k8s-app=kube-dns: {states}",),
            reds,
            look=LOOK,
            mend=_again(scene, pods),
        )
        return
    yield from _silent(scene, ready, reds)
    yield from _wrong(scene, pods, reds)


def _named(red: Red) -> bool:
    """Whether its failure is one of a lookup."""
    return looks_up(red) and red.failure in (
        Failure.NO_DNS,
        Failure.NAME_UNKNOWN,
        Failure.WRONG_ADDRESS,
        Failure.TIMED_OUT,
        Failure.NO_ANSWER,
        Failure.UNEXPECTED_ANSWER,
        Failure.REFUSED,
    )


def _chained(red: Red, scene: Scene) -> bool:
    """Whether a Pod that asks on its behalf asked the cluster's DNS in the replay."""
    return any(
        passage.destination.endswith(":53") and ip_of(passage.source) in red.askers
        for passage in scene.passages
    )


def _silent(scene: Scene, ready: list[PodInfo], reds: frozenset[str]) -> Iterator[Cause]:
    """Servers that say nothing: to every node, or to one."""
    nodes = sorted({node for node, _ in scene.lookups})
    named = {pod.ip: f"{pod.name} on {pod.node}" for pod in ready}
    mute = {
        ip
        for ip in named
        if nodes and all(scene.lookups.get((n, ip)) and scene.lookups[n, ip].silent for n in nodes)
    }
    mute -= _cut_off(scene)
    if mute:
        pods = [named[ip] for ip in sorted(mute)]
        one = len(pods) == 1
        yield Cause(
            "dns_silent",
            f"the DNS Pod{'' if one else 's'} {' and '.join(pods)} answer{'s' if one else ''} nobody, "
            f"although {'it is' if one else 'they are'} ready",
            (
                f"asked at {', '.join(sorted(mute))} from Pods of {', '.join(nodes)}: no reply",
                f"{len(mute)} of {len(named)} DNS Pods are silent",
            ),
            reds,
            node=pods[0].rpartition(" ")[2] if len(pods) == 1 else "",
            look=LOOK,
            mend=f"kubectl -n kube-system delete pod {' '.join(pod.partition(' ')[0] for pod in pods)} --now",
        )
    for node in nodes:
        heard = {ip: reply for (at, ip), reply in scene.lookups.items() if at == node}
        deaf = heard and all(reply.silent for reply in heard.values())
        if (
            deaf
            and set(named) - mute
            and any(not reply.silent for (at, _), reply in scene.lookups.items() if at != node)
        ):
            yield Cause(
                "dns_unreachable",
                f"Pods of {node} get no answer from DNS, those of other nodes do",
                (f"asked from a Pod of {node}: {', '.join(sorted(heard))} all silent",),
                scene.ids(red for red in scene.reds if red.id in reds and red.node == node),
                node=node,
                look=LOOK,
            )


def _cut_off(scene: Scene) -> set[str]:
    """Servers of which some question or answer ended at a rule: whether they are silent, nobody can tell."""
    return {
        ip
        for passage in scene.passages
        if passage.end
        for ip, port in (parted(passage.source), parted(passage.destination))
        if port == "53"
    }


def _wrong(scene: Scene, pods: list[PodInfo], reds: frozenset[str]) -> Iterator[Cause]:
    """Servers that answer with an error, or with other addresses than the API has."""
    codes: dict[str, list[tuple[str, str]]] = {}
    for (node, server), reply in sorted(scene.lookups.items()):
        if reply.code not in ("NOERROR", "silent"):
            codes.setdefault(reply.code, []).append((node, server))
    for code, where in codes.items():
        kind = "dns_refuses" if code in ("REFUSED", "SERVFAIL", "no listener", "NOTIMP") else "dns_unknown"
        what = (
            "no program listens at port 53" if code == "no listener" else f"the cluster's DNS answers {code}"
        )
        nodes, servers = {node for node, _ in where}, {server for _, server in where}
        fine = {
            at
            for (at, server), reply in scene.lookups.items()
            if server in servers and reply.code == "NOERROR"
        }
        one = nodes.pop() if len(nodes) == 1 and fine - nodes else ""
        yield Cause(
            kind,
            f"{what} for names of Services{f', asked from {one}' if one else ''}",
            tuple(f"{server} asked from {node}: {code}" for node, server in where),
            scene.ids(red for red in scene.reds if red.id in reds and one in ("", red.node)),
            node=one,
            look=f"kubectl -n kube-system get {_asked_for(scene, where)} -o yaml",
        )
    stale = scene.ids(red for red in scene.reds if red.id in reds and red.failure is Failure.WRONG_ADDRESS)
    if stale and not codes:
        why = next(red.why for red in scene.reds if red.id in stale)
        yield Cause(
            "dns_stale",
            "the cluster's DNS gives other addresses than the API has",
            (why,),
            stale,
            look=LOOK,
            mend=_again(scene, pods),
        )


def _asked_for(scene: Scene, where: Sequence[tuple[str, str]]) -> str:
    """What decides how they answer: the Service where its address alone is answered so, else the settings."""
    service = scene.view.snapshot.services.get(SERVICE)
    only = service is not None and {server for _, server in where} == {service.cluster_ip}
    return "service kube-dns" if only else "configmap coredns"


def _again(scene: Scene, pods: Sequence[PodInfo]) -> str:
    """Starts the servers again: new Pods of their Deployment, or two where it has none."""
    names = {pod.name for pod in pods}
    owners = [
        str(owner["name"]).rpartition("-")[0]
        for pod in scene.pods
        if pod["metadata"]["name"] in names
        for owner in pod["metadata"].get("ownerReferences") or ()
        if owner.get("kind") == "ReplicaSet"
    ]
    deployment = next(iter(owners), "coredns")
    if not pods:
        return f"kubectl -n kube-system scale deployment {deployment} --replicas=2"
    return f"kubectl -n kube-system rollout restart deployment {deployment}"
