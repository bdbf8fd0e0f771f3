"""What kube-proxy's rules on one node say about Services: records, and how two of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, NamedTuple

from scripts.ends import end_of

Mode = Literal["iptables", "ipvs", "nftables", "none"]

OWN_POSTROUTING = ("KUBE-POSTROUTING", "masquerading")
"""kube-proxy's own chains that rewrite sources."""
SAME_SHARE = 1e-6
"""Shares closer than this are the same: kernels round a probability to 31 or 32 bits."""


class ServiceKey(NamedTuple):
    """Where a Service is asked for: clusterIP or load balancer's IP, port, ``tcp`` or ``udp``.

    Without an address it is a node port: every address of the node itself.
    """

    address: str
    port: int
    protocol: str

    def __str__(self) -> str:
        return f"{self.address + ':' if self.address else 'node port '}{self.port}/{self.protocol}"


@dataclass(frozen=True, slots=True)
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
        return end_of(self.ip, self.port)


@dataclass(frozen=True, slots=True)
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
    def tables(self) -> dict[ServiceKey, dict[str, float]]:
        """Each entry's backends with their probabilities: what the rules say, without what they counted."""
        return {key: of.shares for key, of in self.entries.items()}

    @property
    def services(self) -> dict[ServiceKey, ServiceRules]:
        """The entries for clusterIPs and load balancers' IPs."""
        return {key: of for key, of in self.entries.items() if key.address}

    @property
    def node_ports(self) -> dict[tuple[int, str], ServiceRules]:
        """The entries for node ports, by port and protocol."""
        return {(key.port, key.protocol): of for key, of in self.entries.items() if not key.address}

    def joined(self, other: Rules) -> Rules:
        """These and the rules for the other family of addresses, of which node ports are left out.

        A node port is known by its number alone, and has rules in both families.
        """
        return Rules(self.mode, {**other.services, **self.entries}, (*self.masquerades, *other.masquerades))

    def of(self, service: str) -> Rules:
        """Only the entries of the Service ``namespace/service``."""
        mine = {key: of for key, of in self.entries.items() if of.name.split(":")[0] == service}
        return replace(self, entries=mine)


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
    that it was written again, which starts it at 0. kube-proxy does that to all Services' entries and its
    masquerade rule at every change of any Service or Pod, to a Service's backends at one of its Pods.
    """
    anew = _written_anew(before, after)
    known = {replace(rule, packets=None): rule.packets for rule in before.masquerades}

    def grown(key: ServiceKey, new: ServiceRules) -> ServiceRules:
        old = before.entries.get(key)
        packets = None if old is None or anew else _growth(old.packets, new.packets)
        return replace(new, packets=packets, backends=_backends_grown(old, new))

    def masqueraded(rule: Masquerade) -> Masquerade:
        void = anew and rule.chain in OWN_POSTROUTING
        bare = replace(rule, packets=None)
        return bare if void else replace(rule, packets=_growth(known.get(bare), rule.packets))

    entries = {key: grown(key, new) for key, new in after.entries.items()}
    return Rules(after.mode, entries, tuple(map(masqueraded, after.masquerades)))


def _growth(old: int | None, new: int | None) -> int | None:
    return None if old is None or new is None or new < old else new - old


def _written_anew(before: Rules, after: Rules) -> bool:
    """Whether kube-proxy wrote its entries again: they differ, or a counter fell."""

    def counted(rules: Rules) -> list[int]:
        own = [rule.packets or 0 for rule in rules.masquerades if rule.chain in OWN_POSTROUTING]
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
