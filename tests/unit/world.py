"""A made-up cluster that can be probed: an executor and an API server that answer as the real ones would.

What there is stands in ``atlas``, who answers by which way in ``ways``, what nodes print in ``nodes``.
"""

from __future__ import annotations

import itertools
import json
import re
import shlex
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from labs import model
from scripts.errors import PodpathError
from scripts.probing import background, sections
from scripts.probing.curl import HEADERS
from scripts.probing.executor import CompletedExec, Place, PodExecError
from scripts.probing.scenarios.hang import SIGNAL
from scripts.probing.scenarios.labels import ASK, WATCH
from tests.unit import nodes
from tests.unit.atlas import (
    CLUSTER_IP,
    CONTAINERS,
    CREATED,
    NEW,
    OLD,
    PODS,
    SERVICE_NS,
    SERVICES,
    pod_json,
    service_json,
    service_of_ip,
    slice_json,
)
from tests.unit.lies import Lies
from tests.unit.ways import Key, Served, Ways
from tests.unit.wires import GATE, Leg, Wire, told

TRANSPORT = "error dialing backend: EOF"
REFUSED = {"exitcode": 7, "errormsg": "Couldn't connect to server"}
TIMED_OUT = {"exitcode": 28, "errormsg": "Operation timed out after 1000 milliseconds"}


@dataclass
class Program:
    """What runs in the background: ``since`` is where its capture begins, ``lines`` what it has printed."""

    kind: str
    place: Place
    argv: Sequence[str]
    since: int
    lines: list[str] = field(default_factory=list)


class World:
    """The executor and the API server. ``happens`` is told before each exec and each request to the API,
    and after what changes something."""

    def __init__(self, lies: Lies | None = None, happens: Callable[[World, str], None] | None = None) -> None:
        self.lies = lies or Lies()
        self.happens = happens or (lambda world, what: None)
        self.execs: list[str] = []
        self.deleted: list[str] = []
        self.patched: list[tuple[str, dict[str, Any]]] = []
        self.signals: list[str] = []
        self.running: dict[str, Program] = {}
        self.wire = Wire()
        self.tracked: dict[str, list[str]] = defaultdict(list)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.masqueraded: Counter[str] = Counter()
        self.apps = {name: told[1] for name, told in PODS.items() if name != NEW}
        self.selectors = {key: told[2] for key, told in SERVICES.items()}
        self.stopped: set[str] = set()
        self._once: set[str] = set()
        self._ports = itertools.count(40000)
        self._turns: Counter[tuple[str, Key]] = Counter()
        self._ways = Ways(self.lies, self._pick, lambda: next(self._ports))
        self._lock = threading.RLock()

    # --- who is behind a Service ------------------------------------------------------------------

    def members(self, key: Key, ready: bool = True) -> list[str]:
        """The Pods behind a Service as the API has them now; a hanging one with readiness is not ready."""
        selected = [
            name for name, app in self.apps.items() if (PODS[name][0], app) == (key[0], self.selectors[key])
        ]
        return [name for name in selected if not (ready and name == "spare-ready" and name in self.stopped)]

    def _pick(self, start: str, key: Key) -> str:
        """Each source gets the Pods in turn."""
        if self.lies.only and key == (SERVICE_NS, "frontend"):
            return self.lies.only
        behind = self.members(key)
        if self.lies.without == 200 and not behind:
            behind = [name for name in PODS if (PODS[name][0], PODS[name][1]) == (key[0], SERVICES[key][2])]
        if key == (SERVICE_NS, "frontend"):
            more = self._once if self.lies.sticky else set()
            more = more | ({"spare", "spare-ready"} if self.lies.early else set())
            behind += sorted(more - {*behind})
        if not behind or (self.lies.broken_after and self.selectors_changed(key)):
            return ""
        self._turns[start, key] += 1
        return behind[self._turns[start, key] % len(behind)]

    def selectors_changed(self, key: Key) -> bool:
        """Whether anything was patched of this Service."""
        return any(path.endswith(f"/services/{key[1]}") for path, _ in self.patched)

    # --- the executor -----------------------------------------------------------------------------

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        with self._lock:
            self.execs.append(f"{place} {argv[0]}")
            if place.container in self.lies.lost or (
                self.lies.agents_down and place.container == "node-agent"
            ):
                raise PodExecError(TRANSPORT)
            out, err, code = self._ran(place, argv, stdin)
            return CompletedExec(tuple(argv), out, err, code, 0.1)

    def _ran(self, place: Place, argv: Sequence[str], stdin: bytes) -> tuple[bytes, bytes, int]:
        if argv[0] == "curl":
            self.happens(self, f"{place} curl")
            groups = [_options(group) for group in stdin.decode().split("next\n")]
            return "".join(self._answer(place, group) for group in groups).encode(), b"", 0
        if argv[0] == "cat":
            self.happens(self, f"{place} peek")
            return self._printed(argv[1])[0], b"", 0
        script = argv[2]
        if script == background._START:
            return self._start(place, argv[4], argv[6:])
        if script == background._STOP:
            self.happens(self, f"{place} stop")
            out, err = self._printed(argv[4])
            del self.running[argv[4]]
            return out, err, 0
        if script == SIGNAL:
            (self.stopped.add if argv[4] == "STOP" else self.stopped.discard)(place.pod)
            self.signals.append(f"{place.pod} {argv[4]}")
            self.happens(self, f"{place} SIG{argv[4]}")
            return f"{argv[4]}\n".encode(), b"", 0
        if place.container == "node-agent" and place.node in self.lies.blind:
            raise PodExecError(TRANSPORT)
        found = re.findall(r"begin %s\\n' (\S+); error=\$\((.+?) 2>&1 >&3\)", script, re.DOTALL)
        parts = [self._section(place, key.strip("'"), shlex.split(command)) for key, command in found]
        return "".join(parts).encode(), b"", 0

    def _answer(self, place: Place, group: dict[str, list[str]]) -> str:
        url, host = urlsplit(group["url"][0]), ""
        nonce = group["write-out"][0].split("\\t")[0]
        for header in group["header"]:
            host = header.removeprefix("Host: ") if header.startswith("Host: ") else host
        dropped = self.lies.dropped and nonce.startswith(self.lies.dropped)
        if dropped or int(nonce.rpartition(".")[2]) % self.lies.lossy:
            return ""
        name, port = url.hostname or "", url.port or 80
        ip = CLUSTER_IP if name.startswith("frontend.") else name
        if not re.fullmatch(r"[\d.]+", ip):
            return _line(nonce, {"exitcode": 6, "errormsg": f"Could not resolve host: {ip}"}, {})
        served = self._ways.served(place, ip, port, host, url.path)
        self._carry(served.legs, ip, url.path, nonce)
        if not served.status:
            outside = place.pod == ""
            return _line(nonce, TIMED_OUT if outside and ip not in self.lies.silent else REFUSED, {})
        client = {"num_connects": 1, "local_ip": served.local[0], "local_port": served.local[1]}
        client |= {"remote_ip": ip, "remote_port": port}
        if self._hangs(served.who):
            return _line(nonce, REFUSED if self.lies.hang == "refuses" else {**client, **TIMED_OUT}, {})
        server = self._headers(nonce, served, port, url.path) if served.who else {}
        return _line(nonce, {**client, "http_code": served.status}, server)

    def _hangs(self, pod: str) -> bool:
        spreads = self.lies.hang == "spreads" and self.stopped
        return self.lies.hang != "answers" and (pod in self.stopped or bool(spreads and pod in self.apps))

    def _headers(self, nonce: str, served: Served, port: int, path: str) -> dict[str, str]:
        pod = served.who in PODS
        container = CONTAINERS.get(port, "nginx")
        proxied = {model.HEADER_UPSTREAM_PEER: "127.0.0.1:33333"} if port == 80 and path != "/whoami" else {}
        forwarded = {model.HEADER_FORWARDED_FOR: served.forwarded} if served.forwarded else {}
        return {
            model.HEADER_POD: served.who,
            model.HEADER_NODE: PODS[served.who][3] if pod else "",
            model.HEADER_CONTAINER: container,
            model.HEADER_PEER: "{}:{}".format(*served.peer),
            model.HEADER_NONCE: nonce,
            **proxied,
            **forwarded,
            **self.lies.headers,
        }

    def _carry(self, legs: Sequence[Leg], asked: str, path: str, nonce: str) -> None:
        """Puts packets on the wire, entries into conntrack, and counts what rules count."""
        head = f"GET {path} HTTP/1.1\r\nX-Podpath-Nonce: {nonce}\r\n\r\n"
        self.wire.exchange(
            legs, head.encode(), f"HTTP/1.1 200 OK\r\nX-Podpath-Nonce: {nonce}\r\n\r\n".encode()
        )
        for leg in legs:
            for node, line in leg.tracked():
                if self.lies.untranslated and service_of_ip(asked)[1]:
                    line = re.sub(r"src=\S+ (dst=\S+ sport=\S+ dport=\S+ \[)", rf"src={asked} \1", line)
                if not self.lies.untracked and leg.answered:
                    self.tracked[node].append(line)
                hops = [hop for hop in leg.hops if hop.port[0] == node]
                self.asked[node, asked] += 1
                self.masqueraded[node] += hops[0].src != hops[-1].src and not self.lies.uncounted

    # --- commands ---------------------------------------------------------------------------------

    def _section(self, place: Place, key: str, argv: Sequence[str]) -> str:
        text, code = ("not permitted\n", 1) if key in self.lies.mute else self._command(place, key, argv)
        return f"{sections.MARK}begin {key}\n{text}{sections.MARK}end {key} {code}\n"

    def _command(self, place: Place, key: str, argv: Sequence[str]) -> tuple[str, int]:
        node, lies = place.node or place.container, self.lies
        match argv[0]:
            case "conntrack":
                mine = [line for line in self.tracked[node] if f" src={argv[-1]} " in line.split("dst=")[0]]
                return "".join(f"{line}\n" for line in mine), 0
            case "ss":
                return f"LISTEN 0 4096 {lies.listener or '127.0.0.1:10248'} 0.0.0.0:*\n", 0
            case "cat":
                return "1\n", 0
            case "nft":
                return "Error: No such file or directory\n", 1
            case "iptables-save":
                return self._rules(node), 0
            case "bridge":
                return nodes.fdb(node, lies.bridge), 0
            case "ip" if "eth0" in argv:
                return nodes.own_link(place.pod, lies.crossed.get(place.pod, "")), 0
            case "ip" if "addr" in argv:
                return nodes.addresses(node, lies.bridge), 0
            case "ip" if "route" in argv:
                return nodes.routes(node, lies.bridge, lies.unrouted), 0
            case "ip":
                return nodes.links(node, lies.bridge), 0
            case "curl" if key == "mode":
                return lies.mode, 0 if lies.mode else 7
            case "curl":
                return self._chained(argv)
            case "perl":
                return (lies.plain if key.endswith("/plain") else lies.bind), 0
            case "getent":
                return self._resolve(argv[-1])
            case "env":
                return self._environment(place.pod), 0
            case "/usr/local/bin/kube-proxy":
                mode = argv[1].removeprefix("--proxy-mode=")
                said = f'Error: "invalid configuration" err="unsupported proxy mode: {mode}"\n'
                return ("", 0) if mode in lies.modes else (said, 1)
        inode = lies.inode.get(f"{place.pod}/{place.container}", sum(map(ord, place.pod)) + 4026531840)
        return (
            f"net:[{inode}]\n1: lo    inet 127.0.0.1/8 scope host lo\n"
            f"3: eth0    inet {place.ip}/24 scope global\n"
            "1: lo: <LOOPBACK,UP> mtu 65536\n3: eth0@if7: <BROADCAST,UP> mtu 1500\n"
        ), 0

    def _rules(self, node: str) -> str:
        frontend = (SERVICE_NS, "frontend")
        behind = {key: self.members(key) for key in SERVICES}
        behind[frontend] = [*self.lies.table.get(node, behind[frontend])]
        asked = {ip: count for (at, ip), count in self.asked.items() if at == node}
        return nodes.iptables(behind, asked, self.masqueraded[node])

    def _resolve(self, name: str) -> tuple[str, int]:
        first, service = name.split(".")[:2]
        if name in self.lies.names:
            ips = self.lies.names[name].split()
        elif service == "peer":
            ips = [PODS[first][2]]
        else:
            ips = (
                [CLUSTER_IP]
                if first == "frontend"
                else [PODS[p][2] for p in self.members((SERVICE_NS, first))]
            )
        return "".join(f"{ip}     STREAM {name}\n{ip}     DGRAM\n" for ip in ips), 0 if ips else 2

    def _environment(self, pod: str) -> str:
        young = CREATED.get(pod) != OLD and pod != self.lies.env
        told = f"FRONTEND_SERVICE_HOST={CLUSTER_IP}\nFRONTEND_SERVICE_PORT=80\n" if young else ""
        return f"GET_HOSTS_FROM=env\n{told}"

    def _chained(self, argv: Sequence[str]) -> tuple[str, int]:
        nonce = next(arg for arg in argv if arg.startswith(model.HEADER_NONCE)).partition(": ")[2]
        if urlsplit(argv[-1]).hostname in self.lies.silent:
            said = "curl: (7) Couldn't connect to server\n"
            return said + "\n" + json.dumps({**REFUSED, "http_code": 0}), 7
        rest = Place("rest", pod="rest-1", ip=PODS["rest-1"][2], node=PODS["rest-1"][3])
        served = self._ways.served(rest, PODS["database-0"][2], 5432, "", "/")
        self._carry(served.legs, PODS["database-0"][2], "/", nonce)
        answer = nodes.chain(nonce, served.local[1], self.lies.chain)
        report = {"exitcode": 0, "errormsg": None, "http_code": 502 if "error" in answer else 200}
        return (self.lies.chain_text or json.dumps(answer)) + "\n\n" + json.dumps(report), 0

    # --- programs in the background ---------------------------------------------------------------

    def _start(self, place: Place, file: str, argv: Sequence[str]) -> tuple[bytes, bytes, int]:
        kind = "tcpdump" if argv[0] == "tcpdump" else {WATCH: "watch", ASK: "ask"}[argv[2]]
        self.happens(self, f"{place} {kind}")
        if kind == "tcpdump" and (place.node or "gateway") in self.lies.uncaptured:
            return b"", b"tcpdump: any: You don't have permission to capture\n", 1
        self.running[file] = Program(kind, place, argv, len(self.wire.records))
        if kind == "watch":
            self.running[file].lines.append(f"{time.time_ns()} 0\n")
        return b"", b"", 0

    def _printed(self, file: str) -> tuple[bytes, bytes]:
        program = self.running[file]
        if program.kind == "tcpdump":
            out, err = self.wire.pcap(program.place.node or GATE, program.since)
            return b"not a capture, but long enough for one" if self.lies.damaged else out, (
                told(7, self.lies.overrun) if self.lies.overrun else err
            )
        if program.kind == "ask":
            for _ in self.apps:  # so many that each Pod's turn comes
                pod = self._pick(program.place.pod, (SERVICE_NS, "frontend"))
                program.lines.append(f"{time.time_ns()} {time.time_ns()} {pod or '-'}\n")
        return "".join(program.lines).encode(), b""

    def _notice(self) -> None:
        """Each node's rules follow the API at once, and who watches them sees it."""
        behind = {PODS[name][2] for name in self.members((SERVICE_NS, "frontend"))}
        self._once |= {name for name in ("spare", "spare-ready") if PODS[name][2] in behind}
        for program in self.running.values():
            if program.kind == "watch" and program.place.node not in self.lies.deaf:
                state = int(program.argv[4] in behind)
                if not program.lines[-1].endswith(f" {state}\n"):
                    program.lines.append(f"{time.time_ns()} {state}\n")

    # --- the API server, as far as it is asked ----------------------------------------------------

    def get(self, path: str, **query: str) -> dict[str, Any]:
        with self._lock:
            self.happens(self, f"GET {path}")
            *_, namespace, kind = ["", *path.split("/")]
            if kind == "endpointslices":
                return {"items": [self._slice(key) for key in SERVICES if namespace in ("v1", key[0])]}
            if kind == "pods":
                wanted = [n for n in self.apps if namespace in ("v1", PODS[n][0]) and n not in self.lies.gone]
                return {"items": [pod_json(name, self.apps[name]) for name in wanted]}
            key = (path.split("/")[4], kind)
            after = self.lies.clusterip_after if key == (SERVICE_NS, "frontend") and self.deleted else ""
            return service_json(key, after, self.selectors[key])

    def _slice(self, key: Key) -> dict[str, Any]:
        if self.lies.deaf_api:
            names = [name for name in PODS if (PODS[name][0], PODS[name][1]) == (key[0], SERVICES[key][2])]
            return slice_json(key, [name for name in names if name != NEW])
        every = self.members(key, ready=False)
        return slice_json(key, every, {*every} - {*self.members(key)})

    def delete(self, path: str, **query: str) -> dict[str, Any]:
        with self._lock:
            self.happens(self, f"DELETE {path}")
            self.deleted.append(path)
            self.apps.pop(path.rpartition("/")[2])
            if not self.lies.never_replaced:
                self.apps[NEW] = PODS[NEW][1]
            return {}

    def patch(self, path: str, change: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            self.happens(self, f"PATCH {path}")
            self.patched.append((path, dict(change)))
            *_, namespace, kind, name = path.split("/")
            if kind == "pods":
                self.apps[name] = change["metadata"]["labels"]["app"]
            elif kind == "services":
                self.selectors[namespace, name] = change["spec"]["selector"]["app"]
            else:
                raise PodpathError(f"the API server answered PATCH {path} with 404")
            self._notice()
            self.happens(self, f"PATCHED {name}")
            return {}


def _line(nonce: str, client: Mapping[str, Any], server: Mapping[str, str]) -> str:
    full: dict[str, Any] = {"exitcode": 0, "errormsg": None, "http_code": 0, "num_connects": 0}
    full |= {"local_ip": "", "local_port": 0, "remote_ip": "", "remote_port": 0, "time_namelookup": 0}
    full |= {"time_connect": 0.001, "time_starttransfer": 0.002, "time_total": 0.002, **client}
    return "\t".join([nonce, json.dumps(full), *(server.get(header, "") for header in HEADERS)]) + "\n"


def _options(group: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in group.splitlines():
        name, _, value = line.partition("=")
        found.setdefault(name, []).append(value.strip('"'))
    return found
