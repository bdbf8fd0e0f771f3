"""A made-up cluster that can be probed: an executor and an API server that answer as the real ones would.

What there is stands in ``atlas``, its API server in ``api``, who answers by which way in ``ways``, what
nodes print in ``nodes``, what runs in ``execs``.
"""

from __future__ import annotations

import itertools
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from scripts.checks.converge import ASK, WATCH
from scripts.checks.hang import SIGNAL
from scripts.evidence.identity import (
    HEADER_CONTAINER,
    HEADER_FORWARDED_FOR,
    HEADER_NODE,
    HEADER_NONCE,
    HEADER_PEER,
    HEADER_POD,
    HEADER_UPSTREAM_PEER,
)
from scripts.suite.packetfile import BOOT
from scripts.transport import background
from scripts.transport.executor import CompletedExec, Place, PodExecError
from tests.unit import curls, fences, nodes
from tests.unit.api import MadeUpApi
from tests.unit.atlas import (
    BRIEF,
    CLUSTER_IP,
    CONTAINERS,
    CREATED,
    LOCAL,
    OLD,
    OUTSIDE,
    PODS,
    SERVICE_NS,
    SERVICES,
    STICKY,
    service_of_ip,
)
from tests.unit.curls import REFUSED, TIMED_OUT
from tests.unit.execs import Program, scripted, untimed
from tests.unit.lies import Lies
from tests.unit.udp import PROGRAMS, Udp
from tests.unit.ways import Key, Served, Ways
from tests.unit.wires import GATE, Leg, Wire, told

TRANSPORT = "error dialing backend: EOF"


class World(MadeUpApi):
    """The executor and the API server. ``happens`` is told before each exec and each request to the API,
    and after what changes something."""

    def __init__(self, lies: Lies | None = None, happens: Callable[[World, str], None] | None = None) -> None:
        super().__init__(lies)
        self.happens = happens or (lambda world, what: None)
        self.execs: list[str] = []
        self.signals: list[str] = []
        self.running: dict[str, Program] = {}
        self.wire = Wire()
        self.tracked: dict[str, list[str]] = defaultdict(list)
        self.asked: Counter[tuple[str, str]] = Counter()
        self.masqueraded: Counter[str] = Counter()
        self._once: set[str] = set()
        self._ports = itertools.count(40000)
        self._turns: Counter[tuple[str, Key]] = Counter()
        self._kept: dict[tuple[str, Key], str] = {}
        self.opened: Counter[str] = Counter()
        self.syns_again: Counter[str] = Counter()
        self._ways = Ways(self.lies, self._pick, lambda: next(self._ports))
        self._udp = Udp(self.lies, self._pick, lambda: [*self.apps], lambda: next(self._ports))

    def happened(self, what: str) -> None:
        self.happens(self, what)

    # --- who answers ------------------------------------------------------------------------------

    def _pick(self, start: str, key: Key) -> str:
        """Each source gets the Pods in turn, or the one that it is kept at."""
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
        if key in LOCAL and key[1] not in self.lies.unlocal:
            behind = self._near(start, behind)
        if not behind:
            return ""
        self._turns[start, key] += 1
        pod = behind[self._turns[start, key] % len(behind)]
        if key in STICKY and not self.lies.unkept:
            kept = self._kept.setdefault((start, key), pod)
            pod = self._kept[start, key] = kept if kept in behind else pod
        return pod

    @staticmethod
    def _near(start: str, pods: Sequence[str]) -> list[str]:
        """Those on the node from which something comes."""
        node = PODS[start][3] if start in PODS else start
        return [pod for pod in pods if PODS[pod][3] == node]

    def selectors_changed(self, key: Key) -> bool:
        """Whether anything was patched of this Service."""
        return any(path.endswith(f"/services/{key[1]}") for path, _ in self.patched)

    # --- the executor -----------------------------------------------------------------------------

    def __call__(
        self, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
    ) -> CompletedExec:
        argv = untimed(argv)
        with self.lock:
            self.execs.append(f"{place} {argv[0]}")
            if place.container in self.lies.lost or (
                self.lies.agents_down and place.container == "node-agent"
            ):
                raise PodExecError(TRANSPORT)
            out, err, code = self._ran(place, argv, stdin)
            return CompletedExec(tuple(argv), out, err, code, 0.1)

    def _ran(self, place: Place, argv: Sequence[str], stdin: bytes) -> tuple[bytes, bytes, int]:
        if argv[0] == "curl":
            self.happened(f"{place} curl")
            if not self.lies.for_ever:  # so much time passes between two execs
                self._kept = {kept: pod for kept, pod in self._kept.items() if kept[1] != BRIEF}
            groups = [curls.options(group) for group in stdin.decode().split("next\n")]
            return "".join(self._answer(place, group) for group in groups).encode(), b"", 0
        if argv[:1] == ["cat"] and argv[1].startswith("/proc/net/"):
            again = self.syns_again[place.pod]
            return b"" if self.lies.uncounting else nodes.counters(again, again + 3).encode(), b"", 0
        if argv == ["cat", BOOT]:
            return f"{self.lies.boots.get(place.node, 'one kernel')}\n".encode(), b"", 0
        if argv[0] == "cat":
            self.happened(f"{place} peek")
            return self._printed(argv[1])[0], b"", 0
        if self._udp.knows(argv):
            return self._udp.ran(place, argv), b"", 0
        script = argv[2]
        if script == background._START:
            return self._start(place, argv[4], argv[6:])
        if script == background._STOP:
            self.happened(f"{place} stop")
            out, err = self._printed(argv[4])
            del self.running[argv[4]]
            return out, err, 0
        if script == SIGNAL:
            (self.stopped.add if argv[4] == "STOP" else self.stopped.discard)(place.pod)
            self.signals.append(f"{place.pod} {argv[4]}")
            self.happened(f"{place} SIG{argv[4]}")
            return f"{argv[4]}\n".encode(), b"", 0
        if place.container == "node-agent" and place.node in self.lies.blind:
            raise PodExecError(TRANSPORT)
        if argv[0] == "perl":
            raise PodExecError("perl is not known here")  # no DNS server can be asked by its address
        boundary, found = scripted(script)
        parts = [self._framed(place, boundary, key, argv) for key, argv in found.items()]
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
            return curls.report(nonce, {"exitcode": 6, "errormsg": f"Could not resolve host: {ip}"}, {})
        served = self._ways.served(place, ip, port, host, url.path)
        self._carry(served.legs, ip, url.path, nonce)
        if not served.status:
            outside = place.pod == ""
            self.syns_again[place.pod] += 1
            return curls.report(nonce, TIMED_OUT if outside and ip not in self.lies.silent else REFUSED, {})
        client = {"num_connects": 1, "local_ip": served.local[0], "local_port": served.local[1]}
        client |= {"remote_ip": ip, "remote_port": port, "time_connect": self._connected(place)}
        if self._hangs(served.who):
            return curls.report(
                nonce, REFUSED if self.lies.hang == "refuses" else {**client, **TIMED_OUT}, {}
            )
        server = self._headers(nonce, served, port, url.path) if served.who else {}
        size = curls.asked_for(group)
        if size and curls.heaviest(400, size) > self.lies.answers_up_to and served.crosses:
            return curls.report(nonce, {**client, **TIMED_OUT}, {})
        status = 206 if size and served.status == 200 else served.status
        return curls.report(nonce, {**client, "http_code": status, "size_download": size}, server)

    def _connected(self, place: Place) -> float:
        """The seconds that a connection takes to come about."""
        self.opened[place.pod] += 1
        repeats, slow = (n and not self.opened[place.pod] % n for n in (self.lies.repeats, self.lies.slow))
        self.syns_again[place.pod] += bool(repeats)
        return 1.004 if repeats or slow else 0.001

    def _posted(self, place: Place, size: int, argv: Sequence[str]) -> tuple[str, int]:
        """What a curl that sends a body prints."""
        url, nonce = urlsplit(argv[-1]), curls.value_of(argv, f"{HEADER_NONCE}: ")
        ip, port = url.hostname or "", url.port or 80
        served = self._ways.served(place, ip, port, curls.value_of(argv, "Host: "), url.path)
        self._carry(served.legs, ip, url.path, nonce)
        if not served.status:
            return f"{json.dumps(curls.client(REFUSED))}\t\n", 7
        seen = {"local_port": served.local[1], "time_connect": self._connected(place)}
        if curls.heaviest(200, size) > self.lies.requests_up_to and served.crosses:
            return f"{json.dumps(curls.client({**seen, **TIMED_OUT}))}\t\n", 28
        told = curls.client({**seen, "http_code": served.status, "size_upload": size})
        server = self._headers(nonce, served, port, url.path)
        return f"{json.dumps(told)}\t{server[HEADER_NONCE]}\n", 0

    def _hangs(self, pod: str) -> bool:
        spreads = self.lies.hang == "spreads" and self.stopped
        return self.lies.hang != "answers" and (pod in self.stopped or bool(spreads and pod in self.apps))

    def _headers(self, nonce: str, served: Served, port: int, path: str) -> dict[str, str]:
        pod = served.who in PODS
        container = CONTAINERS.get(port, "nginx")
        proxied = {HEADER_UPSTREAM_PEER: "127.0.0.1:33333"} if port == 80 and path != "/whoami" else {}
        forwarded = {HEADER_FORWARDED_FOR: served.forwarded} if served.forwarded else {}
        return {
            HEADER_POD: served.who,
            HEADER_NODE: PODS[served.who][3] if pod else "",
            HEADER_CONTAINER: container,
            HEADER_PEER: "{}:{}".format(*served.peer),
            HEADER_NONCE: nonce,
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

    def _framed(self, place: Place, boundary: str, key: str, argv: Sequence[str]) -> str:
        text, code = ("not permitted\n", 1) if key in self.lies.mute else self._command(place, key, argv)
        return f"{boundary} begin {key}\n{text}{boundary} end {key} {code}\n"

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
            case "nft" if node == OUTSIDE.host:
                return fences.host_table(argv, lies)
            case "nft":
                return "Error: No such file or directory\n", 1
            case "iptables":
                return fences.node_table(node, lies), 0
            case "iptables-save":
                return self._rules(node), 0
            case "bridge" if "fdb" in argv:
                return nodes.fdb(node, lies.bridge), 0
            case "ip" if "eth0" in argv:
                return nodes.own_link(place.pod, lies.crossed.get(place.pod, "")), 0
            case "ip" if "addr" in argv:
                return nodes.addresses(node, lies.bridge), 0
            case "ip" if "route" in argv:
                return nodes.routes(node, lies.bridge, lies.unrouted), 0
            case "ip":
                return nodes.links(node, lies.bridge), 0
            case "curl" if argv[-1].endswith("/proxyMode"):
                return lies.mode, 0 if lies.mode else 7
            case "curl":
                return self._chained(argv)
            case "sh" if argv[-1].endswith("/sink"):
                return self._posted(place, int(argv[4]), argv[5:])
            case "perl" if node == OUTSIDE.near:
                return fences.connect(argv[3], argv[4], lies)
            case "perl" if key.endswith("/largest"):
                return self._udp.sized(place, argv), 0
            case "perl":
                return (lies.plain if key.endswith("/plain") else lies.bind), 0
            case "getent":
                return self._resolve(argv[-1])
            case "env" if len(argv) > 1:
                return self._command(place, key, argv[2:])
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
        behind |= {key: self._near(node, behind[key]) for key in LOCAL}
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
            ip = SERVICES[service, first][0]
            ips = [ip] if ip != "None" else [PODS[p][2] for p in self.members((service, first))]
        return "".join(f"{ip}     STREAM {name}\n{ip}     DGRAM\n" for ip in ips), 0 if ips else 2

    def _environment(self, pod: str) -> str:
        young = CREATED.get(pod) != OLD and pod != self.lies.env
        told = f"FRONTEND_SERVICE_HOST={CLUSTER_IP}\nFRONTEND_SERVICE_PORT=80\n" if young else ""
        return f"GET_HOSTS_FROM=env\n{told}"

    def _chained(self, argv: Sequence[str]) -> tuple[str, int]:
        nonce = next(arg for arg in argv if arg.startswith(HEADER_NONCE)).partition(": ")[2]
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
        known = {WATCH: "watch", ASK: "ask", **PROGRAMS}
        kind = "tcpdump" if argv[0] == "tcpdump" else known.get(argv[2], "")
        if not kind:
            raise PodExecError(f"{argv[0]} is not known here")  # no netfilter, so nothing to monitor
        self.happened(f"{place} {kind}")
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
        self._udp.goes_on(program)
        return "".join(program.lines).encode(), b""

    def followed(self) -> None:
        """Each node's rules follow the API at once, and who watches them sees it."""
        behind = {PODS[name][2] for name in self.members((SERVICE_NS, "frontend"))}
        self._once |= {name for name in ("spare", "spare-ready") if PODS[name][2] in behind}
        for program in self.running.values():
            self._udp.goes_on(program)
            if program.kind == "watch" and program.place.node not in self.lies.deaf:
                state = int(program.argv[4] in behind)
                if not program.lines[-1].endswith(f" {state}\n"):
                    program.lines.append(f"{time.time_ns()} {state}\n")
