"""How the suite grows with the nodes: python -m tests.unit.growth 100 1000, on generated clusters.

Each node has a client and a node agent; all clients ask each other (P1-nodes), every node shows a table of
connections and the rules of many Services, and everything is parsed and judged as on a real cluster. The
network takes no time here: what is measured is podpath's own work.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from scripts.evidence.identity import HEADER_CONTAINER, HEADER_NODE, HEADER_NONCE, HEADER_PEER, HEADER_POD
from scripts.evidence.snapshot import PodInfo
from scripts.evidence.view import View
from scripts.suite.run import run
from scripts.transport.executor import CompletedExec, Place
from tests.unit import atlas, curls
from tests.unit.execs import untimed
from tests.unit.runs import pair_of

SERVICES = 200
"""Services with three endpoints each, whose rules every node has."""
SIZES = (3, 100, 1000)
FRAMES = re.compile(r"printf '(\w+) begin %s\\n' '?([^';]+)'?;")
"""Boundary and key of each command of a script: see ``scripts.transport.frames``."""
ENTRY = "tcp 6 110 TIME_WAIT src={0} dst={1} sport={2} dport=80 src={1} dst={0} sport=80 dport={2} [ASSURED]"


def grown(workers: int) -> View:
    """The made-up cluster with so many workers, a client and a node agent on each."""
    view = atlas.view()
    node = view.snapshot.workers[0]
    names = [f"worker-{n:04}" for n in range(workers)]
    by_name = {pod.name: pod for pod in view.snapshot.pods}
    agent = view.agents()[node.name]

    def on(like: PodInfo, n: int, ip: str) -> PodInfo:
        return replace(like, name=f"{like.containers[0]}-{n}", uid=f"{like.name}-{n}", ip=ip, node=names[n])

    nodes = tuple(
        replace(node, name=name, ip=f"172.20.{n // 200}.{n % 200 + 2}") for n, name in enumerate(names)
    )
    clients = (on(by_name["client-a"], n, f"10.{n // 200 + 1}.{n % 200}.2") for n in range(workers))
    agents = (on(agent, n, nodes[n].ip) for n in range(workers))
    return replace(view, snapshot=replace(view.snapshot, nodes=nodes, pods=(*clients, *agents)))


class Large:
    """The executor and the API server of such a cluster, where every client answers."""

    def __init__(self, view: View) -> None:
        self.pods = {pod.ip: pod for pod in view.clients()}
        self.every = [{"metadata": {"uid": pod.uid}} for pod in view.snapshot.pods]
        self.tracked: dict[str, list[str]] = defaultdict(list)
        self.rules = "\n".join(["*nat", *map(_service, range(SERVICES)), "COMMIT"])
        self.execs = self.requests = 0

    def get(self, path: str, **more: str) -> Any:
        """A list of the API, in one page."""
        return {"items": self.every if path == "/api/v1/pods" else [], "metadata": {}}

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        """What curl or a node agent prints."""
        self.execs += 1
        argv = untimed(argv)
        if argv[0] == "curl":
            groups = [curls.options(group) for group in stdin.decode().split("next\n")]
            told = "".join(self._answer(place, n, group) for n, group in enumerate(groups))
        else:
            told = "".join(self._framed(place.node, *found) for found in FRAMES.findall(argv[2]))
        return CompletedExec((argv[0],), told.encode(), b"", 0, 0.1)

    def _answer(self, place: Place, n: int, group: Mapping[str, list[str]]) -> str:
        self.requests += 1
        nonce, ip, port = (
            group["write-out"][0].split("\\t")[0],
            urlsplit(group["url"][0]).hostname or "",
            40000 + n,
        )
        pod, entry = self.pods[ip], ENTRY.format(place.ip, ip, port)
        for node in (place.node, pod.node):
            self.tracked[node].append(entry)
        seen = {
            "num_connects": 1,
            "local_ip": place.ip,
            "local_port": port,
            "remote_ip": ip,
            "remote_port": 80,
        }
        server = {HEADER_POD: pod.name, HEADER_NODE: pod.node, HEADER_NONCE: nonce}
        server |= {HEADER_CONTAINER: "nginx", HEADER_PEER: f"{place.ip}:{port}"}
        return curls.report(nonce, {**seen, "http_code": 200}, server)

    def _framed(self, node: str, boundary: str, key: str) -> str:
        text = {"iptables": self.rules, "bridge": "1", "mode": "iptables"}.get(key, "")
        if key.startswith("conntrack/"):
            text = "\n".join(self.tracked[node])
        if key in ("links", "addresses", "routes", "fdb"):
            text = json.dumps([])
        return f"{boundary} begin {key}\n{text}\n{boundary} end {key} 0\n"


def _service(n: int) -> str:
    name, ip = f"n/s{n}", f"10.96.{n // 200}.{n % 200 + 1}"
    lines = [
        f'[1:60] -A KUBE-SERVICES -d {ip}/32 -p tcp -m comment --comment "{name} cluster IP" --dport 80 '
        f"-j KUBE-SVC-{n}"
    ]
    for end in range(3):
        odds = f"-m statistic --mode random --probability {1 / (3 - end):.11f} " if end < 2 else ""
        lines.append(f'[1:60] -A KUBE-SVC-{n} -m comment --comment "{name}" {odds}-j KUBE-SEP-{n}-{end}')
        lines.append(
            f"[1:60] -A KUBE-SEP-{n}-{end} -p tcp -j DNAT --to-destination 10.244.{n % 250}.{end}:80"
        )
    return "\n".join(lines)


def main(sizes: Sequence[int]) -> None:
    """Prints a line for each number of nodes."""
    for workers in sizes:
        view = grown(workers)
        made, begun = Large(view), time.monotonic()
        (record,) = run([pair_of("P1-nodes")], view, made, made)  # type: ignore[arg-type]
        took, most = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(
            f"{workers:5} nodes: {record.verdict.value}, {record.why}; {made.execs} execs, "
            f"{made.requests} requests, {took:.1f} s, {most} MiB at most"
        )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or SIZES)
