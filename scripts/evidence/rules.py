"""What kube-proxy's rules on one node say about Services, in iptables and in nftables mode alike.

The rules' formats are those that kube-proxy writes (kubernetes/kubernetes, ``pkg/proxy/iptables/proxier.go``
and ``pkg/proxy/nftables/proxier.go``), read back from ``iptables-save -c -t nat`` and from
``nft -j list table ip kube-proxy``. Both become the same chains of rules before they get a meaning.

A connection meets the nat table with its first packet only: a packet counted is a connection (but where it
is dropped, each repeated SYN counts). kube-proxy's nftables rules count nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, NamedTuple

Mode = Literal["iptables", "ipvs", "nftables", "none"]

SAME_SHARE = 1e-6
"""Shares closer than this are the same: kernels round a probability to 31 or 32 bits."""

_LINE = re.compile(r"(?:\[(\d+):\d+\] )?-A (\S+) (.*)")
_COMMENT = re.compile(r'-m comment --comment (?:"([^" ]*)[^"]*"|(\S+)) ?')
_TARGET = re.compile(r"(?:^| )(?:-j|-g) (\S+)")
_WHOM = re.compile(r"(?:^| )(?:-s|--src-type|--rcheck|--mark) ")
_WHERE = re.compile(r"(?:^| )-d ([0-9a-f.:]+)(?:/\d+)? ")
_PORT = re.compile(r"(?:^| )-p (\w+) .*--dport (\d+) ")
_CHANCE = re.compile(r"--probability (0\.\d+|1\.0+)")
_TO = re.compile(r"--to-destination (\S+):(\d+)")

_DOORS = {"iptables": ("KUBE-SERVICES", "KUBE-NODEPORTS"), "nftables": ("service-ips", "service-nodeports")}
_MARKS = ("KUBE-MARK-MASQ", "mark-for-masquerade")
_BALANCES = ("KUBE-SVC-", "KUBE-SVL-", "service-", "local-")
_LOCAL = ("KUBE-SVL-", "local-")
_OWN_POSTROUTING = ("KUBE-POSTROUTING", "masquerading")
_REWRITES_SOURCE = ("MASQUERADE", "SNAT")
_ALWAYS = Fraction(1)


class ServiceKey(NamedTuple):
    """Where a Service is asked for: clusterIP or load balancer's IP, port, ``tcp`` or ``udp``.

    Without an address it is a node port: every address of the node itself.
    """

    address: str
    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.address + ':' if self.address else 'node port '}{self.port}/{self.protocol}"


@dataclass(frozen=True)
class Backend:
    """A Pod's address behind a Service, and the exact probability that a new connection gets it (0 to 1).

    Exact is the kernel's rounding included: xt_statistic compares 31 random bits with the probability,
    nft_numgen scales 32 bits. ``packets`` counts the connections that the Service's chain gave it, by
    whichever address of the Service they came; None is no counter.
    """

    ip: str
    port: int
    share: Fraction
    packets: int | None = None

    @property
    def address(self) -> str:
        """As ``ip:port``."""
        return f"{self.ip}:{self.port}"


@dataclass(frozen=True)
class ServiceRules:
    """What happens to a connection to one address and port of a Service (``namespace/service:port``).

    ``packets`` counts the connections to this address. ``local_only``: only this node's Pods are behind
    it (a traffic policy Local), perhaps none. ``masquerades``: every such connection gets the node's
    source address (a node port or load balancer IP with externalTrafficPolicy Cluster). ``sticky``: only
    a client without a connection before is balanced (sessionAffinity ClientIP).
    """

    name: str
    backends: tuple[Backend, ...]
    packets: int | None = None
    local_only: bool = False
    masquerades: bool = False
    sticky: bool = False

    @property
    def shares(self) -> dict[str, float]:
        """Each backend's probability by its address."""
        return {backend.address: float(backend.share) for backend in self.backends}


@dataclass(frozen=True)
class Masquerade:
    """A rule that gives packets on their way out another source address, whoever wrote it."""

    chain: str
    rule: str
    packets: int | None = None


@dataclass(frozen=True)
class Rules:
    """One node's rules. A Service port without a Pod to send to has no backends or no entry at all."""

    mode: Mode = "none"
    entries: Mapping[ServiceKey, ServiceRules] = field(default_factory=dict)
    masquerades: tuple[Masquerade, ...] = ()

    @property
    def services(self) -> dict[ServiceKey, ServiceRules]:
        """The entries for clusterIPs and load balancers' IPs."""
        return {key: of for key, of in self.entries.items() if key.address}

    @property
    def node_ports(self) -> dict[tuple[int, str], ServiceRules]:
        """The entries for node ports, by port and protocol."""
        return {(key.port, key.protocol): of for key, of in self.entries.items() if not key.address}

    def of(self, service: str) -> Rules:
        """Only the entries of the Service ``namespace/service``."""
        mine = {key: of for key, of in self.entries.items() if of.name.split(":")[0] == service}
        return replace(self, entries=mine)


@dataclass(frozen=True)
class _Rule:
    """A rule of either mode, or an element of nftables' maps.

    ``limited``: it is for some clients only. ``chance``: of those that get this far. ``key`` and
    ``name``: what it is the entrance to. ``to``: where it sends.
    """

    target: str
    text: str = ""
    limited: bool = False
    chance: Fraction = _ALWAYS
    packets: int | None = None
    to: tuple[str, int] | None = None
    key: ServiceKey | None = None
    name: str = ""


_Chains = dict[str, list[_Rule]]


def read(iptables: str, nft: str = "") -> Rules:
    """The rules out of ``iptables-save -c -t nat`` and ``nft -j list table ip kube-proxy`` of one node.

    Both, because other rules (flannel's) translate sources in iptables whatever kube-proxy's mode is.
    Text of another form (a table that is not there) holds no rules. Never raises. The mode is told by the
    rules: at its start kube-proxy removes those of the other modes. In IPVS mode they only match sets; the
    Services are in the kernel's own table (ipvsadm).
    """
    chains = {**_iptables(iptables), **_nftables(nft)}
    served = chains.get("KUBE-SERVICES", [])
    mode: Mode = "iptables" if served else "none"
    if "service-ips" in chains:
        mode = "nftables"
    elif any("--match-set KUBE-" in rule.text for rule in served):
        mode = "ipvs"
    doors = [rule for chain in _DOORS.get(mode, ()) for rule in chains.get(chain, [])]
    masquerades = tuple(
        Masquerade(chain, rule.text, rule.packets)
        for chain, rules in chains.items()
        for rule in rules
        if rule.target in _REWRITES_SOURCE
    )
    return Rules(mode, {door.key: _followed(chains, door) for door in doors if door.key}, masquerades)


def differs(one: Rules, other: Rules, names: tuple[str, str] = ("one", "the other")) -> str:
    """What two nodes' rules differ in, counters aside, in one sentence; an empty text if in nothing.

    Where both send to their own Pods only, the Pods differ by right.
    """
    here, there = names
    if one.mode != other.mode:
        return f"{here} is in {one.mode} mode, {there} in {other.mode} mode"
    mine, others, found = one.entries, other.entries, []
    for key in sorted(mine.keys() | others.keys(), key=str):
        if key not in mine or key not in others:
            only, name = (here, mine[key].name) if key in mine else (there, others[key].name)
            found.append(f"only {only} has {name} at {key}")
        elif difference := _entries_differ(mine[key], others[key], here, there):
            found.append(f"{mine[key].name} at {key} {difference}")
    more = f" (and {len(found) - 1} more)" if found[1:] else ""
    return found[0] + more if found else ""


def _entries_differ(one: ServiceRules, other: ServiceRules, here: str, there: str) -> str:
    if one.name != other.name:
        return f"is {other.name} on {there}"
    for said, does, other_does in (
        ("sends to the node's own Pods only", one.local_only, other.local_only),
        ("replaces the source address", one.masquerades, other.masquerades),
        ("keeps a client at its Pod", one.sticky, other.sticky),
    ):
        if does != other_does:
            return f"{said} on {here if does else there} alone"
    if one.local_only:
        return ""
    shares = [{backend.address: backend.share for backend in rules.backends} for rules in (one, other)]
    for address in sorted(shares[0].keys() | shares[1].keys()):
        mine, others = (float(by.get(address, 0)) for by in shares)
        if abs(mine - others) > SAME_SHARE:
            return f"gives {address} {mine:.1%} on {here}, {others:.1%} on {there}"
    return ""


def delta(before: Rules, after: Rules) -> Rules:
    """The rules of ``after``, each with the packets that it counted since ``before`` instead of all.

    None where nothing can be said: the rule counts nothing, or other rules or a counter that fell show
    that it was written anew, which starts it at 0. kube-proxy does that to all Services' entries and its
    masquerade rule at every change of any Service or Pod, to a Service's backends at one of its Pods.
    """
    anew = _written_anew(before, after)
    known = {replace(rule, packets=None): rule.packets for rule in before.masquerades}

    def grown(key: ServiceKey, new: ServiceRules) -> ServiceRules:
        old = before.entries.get(key)
        packets = None if old is None or anew else _growth(old.packets, new.packets)
        return replace(new, packets=packets, backends=_backends_grown(old, new))

    def masqueraded(rule: Masquerade) -> Masquerade:
        void = anew and rule.chain in _OWN_POSTROUTING
        bare = replace(rule, packets=None)
        return bare if void else replace(rule, packets=_growth(known.get(bare), rule.packets))

    entries = {key: grown(key, new) for key, new in after.entries.items()}
    return Rules(after.mode, entries, tuple(map(masqueraded, after.masquerades)))


def _growth(old: int | None, new: int | None) -> int | None:
    return None if old is None or new is None or new < old else new - old


def _written_anew(before: Rules, after: Rules) -> bool:
    """Whether kube-proxy wrote its entries anew: they are others, or the counter of one fell."""

    def counted(rules: Rules) -> list[int]:
        own = [rule.packets or 0 for rule in rules.masquerades if rule.chain in _OWN_POSTROUTING]
        return own + [rules.entries[key].packets or 0 for key in sorted(rules.entries)]

    fell = (new < old for old, new in zip(counted(before), counted(after), strict=False))
    return bool(differs(before, after)) or any(fell)


def _backends_grown(old: ServiceRules | None, new: ServiceRules) -> tuple[Backend, ...]:
    known = {backend.address: backend.packets for backend in old.backends} if old else {}
    grown = [_growth(known.get(backend.address), backend.packets) for backend in new.backends]
    void = known.keys() != {backend.address for backend in new.backends} or None in grown
    return tuple(
        replace(backend, packets=None if void else packets)
        for backend, packets in zip(new.backends, grown, strict=True)
    )


def _followed(chains: _Chains, door: _Rule) -> ServiceRules:
    """Follows an entrance to the chain that chooses, by the rules that hold for any outside client."""
    chain, snat, passed = door.target, False, set[str]()
    while chain and chain not in passed:
        passed.add(chain)
        rules = chains.get(chain, [])
        snat |= any(rule.target in _MARKS and not rule.limited for rule in rules)
        if chain.startswith(_BALANCES):
            chosen, sticky = _choice(chains, rules)
            return ServiceRules(door.name, chosen, door.packets, chain.startswith(_LOCAL), snat, sticky)
        ways = [rule for rule in rules if rule.target in chains and rule.target not in _MARKS]
        onward = [way.target for way in ways if not way.limited or chain.startswith("KUBE-FW-")]
        chain = onward[-1] if onward else ""
    return ServiceRules(door.name, (), door.packets, not snat, snat)


def _choice(chains: _Chains, rules: list[_Rule]) -> tuple[tuple[Backend, ...], bool]:
    """The backends that these rules choose from, and whether it remembers clients."""
    rest, sticky = _ALWAYS, False
    chosen: dict[tuple[str, int], Backend] = {}
    for rule in rules:
        end = next((end.to for end in [rule, *chains.get(rule.target, [])] if end.to), None)
        if end is None:
            continue
        sticky |= rule.limited
        share = Fraction(0) if rule.limited else rest * rule.chance
        rest -= share
        known = chosen.get(end, Backend(*end, Fraction(0), 0))
        packets = None if rule.packets is None else rule.packets + (known.packets or 0)
        chosen[end] = Backend(*end, known.share + share, packets)
    return tuple(chosen.values()), sticky


def _iptables(text: str) -> _Chains:
    chains, table = _Chains(), ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table == "nat" and (found := _LINE.fullmatch(line.rstrip())):
            count, chain, rule = found.groups()
            packets = int(count) if count else None
            chains.setdefault(chain, []).append(_iptables_rule(chain, rule, packets))
    return chains


def _iptables_rule(chain: str, rule: str, packets: int | None) -> _Rule:
    plain = _COMMENT.sub("", rule)
    comment, target, chance = _COMMENT.search(rule), _TARGET.search(plain), _CHANCE.search(plain)
    to, where, port = _TO.search(plain), _WHERE.search(plain), _PORT.search(plain)
    second = where and chain == "KUBE-NODEPORTS"  # a node port's own rule for 127.0.0.0/8
    key = ServiceKey(where[1] if where else "", int(port[2]), port[1]) if port and not second else None
    odds = Fraction(round(Fraction(chance[1]) * 2**31), 2**31) if chance else _ALWAYS
    end = (to[1].strip("[]"), int(to[2])) if to else None
    name = comment[1] or comment[2] or "" if comment else ""
    return _Rule(target[1] if target else "", rule, bool(_WHOM.search(plain)), odds, packets, end, key, name)


def _nftables(text: str) -> _Chains:
    """The table's chains, and its maps as chains of their elements."""
    try:
        listing = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    chains: _Chains = {}
    for thing in _items(listing.get("nftables") if isinstance(listing, dict) else None):
        match thing:
            case {"rule": {"table": "kube-proxy", "chain": str(chain), "expr": [*statements]}}:
                chains.setdefault(chain, []).extend(_nft_rules(statements))
            case {"map": {"table": "kube-proxy", "name": str(name), **told}}:
                chains[name] = list(_nft_elements(told.get("elem")))
    return chains


def _items(thing: object) -> list[object]:
    return thing if isinstance(thing, list) else []


def _nft_elements(elements: object) -> Iterator[_Rule]:
    for element in _items(elements):
        match element:
            case [{"concat": [*where, str(protocol), int(port)]}, {"goto": {"target": str(chain)}}]:
                key = ServiceKey("".join(map(str, where)), port, protocol)
                yield _Rule(chain, key=key, name=_named(chain))


def _nft_rules(statements: list[object]) -> Iterator[_Rule]:
    """A rule, or as many as ``numgen`` chooses from, each with its chance among those that are left."""
    limited = False
    for statement in statements:
        match statement:
            case {"match": {"left": {"payload": {"field": "saddr"}} | {"fib": _}}}:
                limited = True
            case {"goto": {"target": str(target)}} | {"jump": {"target": str(target)}}:
                yield _Rule(target, limited=limited)
            case {"dnat": {"addr": str(ip), "port": int(port)}}:
                yield _Rule("DNAT", limited=limited, to=(ip, port))
            case {"mangle": {"key": {"meta": {"key": "mark"}}, "value": {"|": _}}}:
                yield _Rule(_MARKS[1], limited=limited)
            case {"masquerade": _}:
                yield _Rule("MASQUERADE", json.dumps(statements), limited)
            case {"vmap": {"key": {"numgen": {"mod": int(mod)}}, "data": {"set": [*pairs]}}} | {
                "dnat": {"addr": {"map": {"key": {"numgen": {"mod": int(mod)}}, "data": {"set": [*pairs]}}}}
            }:
                yield from _numgen(mod, pairs)


def _numgen(mod: int, pairs: list[object]) -> Iterator[_Rule]:
    """``numgen random mod``: the kernel takes 32 random bits times ``mod``, and of that the upper half."""
    rest = _ALWAYS
    for pair in pairs:
        match pair:
            case [int(number), end] if 0 <= number < mod and rest > 0:
                low, high = (-(-(n << 32) // mod) for n in (number, number + 1))
                share = Fraction(high - low, 1 << 32)
                chance = min(share / rest, _ALWAYS)
                rest -= share
                match end:
                    case {"goto": {"target": str(target)}}:
                        yield _Rule(target, chance=chance)
                    case {"concat": [str(ip), int(port)]}:
                        yield _Rule("DNAT", chance=chance, to=(ip, port))


def _named(chain: str) -> str:
    """``namespace/service:port`` out of ``service-HASH-namespace/service/protocol/port``."""
    namespace, service, _, port = [*chain.split("-", 2)[-1].split("/"), "", "", ""][:4]
    return f"{namespace}/{service}:{port}" if port else f"{namespace}/{service}"
