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
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from scripts.evidence.rules import Backend, Masquerade, Mode, Rules, ServiceKey, ServiceRules

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
_REWRITES_SOURCE = ("MASQUERADE", "SNAT")
_ALWAYS = Fraction(1)


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
    """The rules from ``iptables-save -c -t nat`` and ``nft -j list table ip kube-proxy`` of one node.

    Both, because other rules (flannel's) translate sources in iptables whatever kube-proxy's mode is.
    Text of another form (a table that is not there) holds no rules. Never raises. The rules show the
    mode: at its start kube-proxy removes those of the other modes. In IPVS mode they only match sets; the
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
            known = _iptables_rule(chain, rule)
            chains.setdefault(chain, []).append(replace(known, packets=int(count)) if count else known)
    return chains


@lru_cache(maxsize=8192)
def _iptables_rule(chain: str, rule: str) -> _Rule:
    """A rule without its counter: a run reads the same rules again and again, and they seldom change."""
    plain = _COMMENT.sub("", rule)
    comment, target, chance = _COMMENT.search(rule), _TARGET.search(plain), _CHANCE.search(plain)
    to, where, port = _TO.search(plain), _WHERE.search(plain), _PORT.search(plain)
    second = where and chain == "KUBE-NODEPORTS"  # a node port's own rule for 127.0.0.0/8
    key = ServiceKey(where[1] if where else "", int(port[2]), port[1]) if port and not second else None
    odds = Fraction(round(Fraction(chance[1]) * 2**31), 2**31) if chance else _ALWAYS
    end = (to[1].strip("[]"), int(to[2])) if to else None
    name = comment[1] or comment[2] or "" if comment else ""
    return _Rule(target[1] if target else "", rule, bool(_WHOM.search(plain)), odds, None, end, key, name)


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
