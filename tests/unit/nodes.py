"""What the made-up nodes print: their interfaces and routes as iproute2 does, rules as iptables-save does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.unit.atlas import BRIDGES, CIDRS, LOCAL, NODES, OUTSIDE, PODS, SERVICES, STICKY, UDP, node_port
from tests.unit.wires import index_of

Key = tuple[str, str]


def mac(name: str) -> str:
    """The address of a Pod's eth0, or of another interface."""
    return "0a:00:00:00:{:02x}:{:02x}".format(*divmod(sum(map(ord, name)) * 7 + len(name), 256))


def own_pods(node: str) -> list[str]:
    """The Pods of a node that have a network of their own."""
    return [name for name, told in PODS.items() if told[3] == node and told[2] != NODES[node]]


def link(index: int, name: str, kind: str = "", **more: Any) -> dict[str, Any]:
    of = "loopback" if name == "lo" else "ether"
    info = {"linkinfo": {"info_kind": kind}} if kind else {}
    up = {"flags": ["UP", "LOWER_UP"], "mtu": 1500}
    return {"ifindex": index, "ifname": name, "link_type": of, "address": mac(name), **up, **info, **more}


def links(node: str, bridge: str) -> str:
    """``ip -j -d link show``; an empty ``bridge`` is a node without one."""
    found = [link(1, "lo"), link(2, "eth0", "veth", link_index=30, link_netnsid=0)]
    if node not in NODES:
        return json.dumps([*found, link(3, "eth1", "veth", link_index=31, link_netnsid=0)])
    found += [link(4, bridge, "bridge")] if bridge else []
    master = {"master": bridge} if bridge else {}
    for number, pod in enumerate(own_pods(node)):
        at = index_of(node, f"veth-{pod}")
        found.append(link(at, f"veth-{pod}", "veth", link_index=2, link_netnsid=number + 1, **master))
    return json.dumps(found)


def own_link(pod: str, veth: str = "") -> str:
    """A Pod's own look at its eth0; ``veth`` is another Pod's, which it wrongly names."""
    at = index_of(PODS[pod][3], f"veth-{veth or pod}")
    eth0 = link(2, "eth0", "veth", link_index=at, link_netnsid=0)
    return json.dumps([{**eth0, "address": mac(pod)}])


def addresses(node: str, bridge: str) -> str:
    """``ip -j -4 addr show``."""
    of = {"lo": "127.0.0.1/8"}
    if node in NODES:
        of |= {"eth0": f"{NODES[node]}/16"} | ({bridge: f"{BRIDGES[node]}/24"} if bridge else {})
    else:
        of |= {"eth0": f"{OUTSIDE.gateway_ip}/16", "eth1": f"{OUTSIDE.gateway_outside_ip}/24"}
    told = []
    for name, address in of.items():
        ip, _, prefix = address.partition("/")
        told.append(
            {"ifname": name, "addr_info": [{"family": "inet", "local": ip, "prefixlen": int(prefix)}]}
        )
    return json.dumps([{}, *told])


def routes(node: str, bridge: str, unrouted: bool = False) -> str:
    """``ip -j -4 route show``; ``unrouted``: other nodes' Pods by nothing but the default route."""
    found: list[dict[str, Any]] = [{"dst": "default", "gateway": "172.18.0.1", "dev": "eth0"}]
    if node in NODES:
        if not unrouted:
            found += [
                {"dst": CIDRS[other], "gateway": ip, "dev": "eth0"}
                for other, ip in NODES.items()
                if other != node
            ]
        if bridge:
            found.append({"dst": CIDRS[node], "dev": bridge, "scope": "link", "protocol": "kernel"})
        else:
            found += [{"dst": PODS[p][2], "dev": f"veth-{p}", "scope": "link"} for p in own_pods(node)]
    return json.dumps([*found, {"dst": "172.18.0.0/16", "dev": "eth0", "scope": "link"}])


def fdb(node: str, bridge: str) -> str:
    """``bridge -j fdb show``: each Pod's MAC behind its veth."""
    pods = own_pods(node) if node in NODES and bridge else []
    return json.dumps([{"mac": mac(pod), "ifname": f"veth-{pod}", "master": bridge} for pod in pods])


def iptables(members: Mapping[Key, Sequence[str]], asked: Mapping[str, int], masqueraded: int) -> str:
    """``iptables-save -c -t nat`` of kube-proxy and a CNI: ``members`` are the Pods behind each Service.

    ``asked`` counts the connections by clusterIP, ``masqueraded`` those that left with another address.
    """
    lines = ["*nat", ":KUBE-SERVICES - [0:0]"]
    for (namespace, name), (ip, balancer, _, ports) in SERVICES.items():
        pods = members.get((namespace, name), ())
        for port in ports if ip != "None" and pods else ():
            told, chain = f"{namespace}/{name}:p{port}", f"{namespace}-{name}-{port}".upper()
            entrance = f"KUBE-{'SVL' if (namespace, name) in LOCAL else 'SVC'}-{chain}"
            sticky = (namespace, name) in STICKY
            ends = _balanced(told, entrance, pods, port, asked.get(ip, 0), sticky)
            l4 = "udp" if (namespace, name) in UDP else "tcp"
            lines += [line.replace("tcp", l4) for line in ends]
            doors = {ip: f"{told} cluster IP"} | ({balancer: f"{told} loadbalancer IP"} if balancer else {})
            for address, comment in doors.items():
                count = asked.get(address, 0) if port == ports[0] else 0
                lines.append(
                    f'[{count}:60] -A KUBE-SERVICES -d {address}/32 -p {l4} -m comment --comment "{comment}" '
                    f"-m {l4} --dport {port} -j {entrance}"
                )
            if number := node_port((namespace, name), port):
                lines.append(
                    f'[0:0] -A KUBE-NODEPORTS -p {l4} -m comment --comment "{told}" -m {l4} '
                    f"--dport {number} -j {entrance}"
                )
    lines += [
        "[0:0] -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        '[0:0] -A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" '
        "-j MASQUERADE --random-fully",
        f"[{masqueraded}:60] -A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment "
        '--comment "flanneld masq" -j MASQUERADE --random-fully',
        "COMMIT",
    ]
    return "\n".join(lines) + "\n"


def _balanced(
    told: str, entrance: str, pods: Sequence[str], port: int, asked: int, sticky: bool
) -> list[str]:
    """The rules of a Service's choice and of each of its ends; ``sticky``: the clients it remembers first."""
    lines, kept = [], "--mask 255.255.255.255 --rsource"
    ends = [f"{entrance.replace('-SVC-', '-SEP-').replace('-SVL-', '-SEP-')}-{n}" for n in range(len(pods))]
    comments = [f'-m comment --comment "{told} -> {PODS[pod][2]}:{port}"' for pod in pods]
    for comment, end in zip(comments, ends, strict=True) if sticky else ():
        recent = f"-m recent --rcheck --seconds 10800 --reap --name {end} {kept}"
        lines.append(f"[0:0] -A {entrance} {comment} {recent} -j {end}")
    for number, (pod, comment, end) in enumerate(zip(pods, comments, ends, strict=True)):
        left = len(pods) - number
        chance = f" -m statistic --mode random --probability {1 / left:.11f}" if left > 1 else ""
        seen, recent = asked // len(pods), f" -m recent --set --name {end} {kept}" if sticky else ""
        lines.append(f"[{seen}:60] -A {entrance} {comment}{chance} -j {end}")
        lines.append(
            f'[{seen}:60] -A {end} -p tcp -m comment --comment "{told}"{recent} -m tcp '
            f"-j DNAT --to-destination {PODS[pod][2]}:{port}"
        )
    return lines


def counters(syns: int, segments: int) -> str:
    """``cat /proc/net/snmp /proc/net/netstat``, as far as it tells of what was sent again."""
    return (
        "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 4711\n"
        "Tcp: RtoAlgorithm RtoMin MaxConn ActiveOpens OutSegs RetransSegs InErrs\n"
        f"Tcp: 1 200 -1 300 5000 {segments} 0\n"
        "UdpLite: InDatagrams NoPorts\nUdpLite: 0 0\n"
        "TcpExt: SyncookiesSent TCPTimeouts TCPSynRetrans TCPOrigDataSent\n"
        f"TcpExt: 0 {segments} {syns} 900\n"
        "IpExt: InNoRoutes InOctets\nIpExt: 0 424242\n"
    )


def chain(nonce: str, port: int, lies: Mapping[str, object]) -> dict[str, Any]:
    """What the application chain answers: each service's own words, and what the database stored.

    ``lies`` are false values by their dotted place; None takes one away.
    """
    front, rest, database = (PODS[name][2] for name in ("front-1", "rest-1", "database-0"))
    stored = {"server": database, "client": rest, "clientPort": port, "nonce": nonce}
    told = {"pod": "rest-1", "peer": f"{front}:41000", "nonce": nonce, "orders": [{"id": 1}]}
    answer: dict[str, Any] = {"pod": "front-1", "nonce": nonce, "rest": {**told, "database": stored}}
    for dotted, value in lies.items():
        *way, last = dotted.split(".")
        at = answer
        for step in way:
            at = at[step]
        at[last] = value
    return answer
