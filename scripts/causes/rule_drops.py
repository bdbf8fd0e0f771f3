"""A netfilter rule, or a chain's policy, drops or rejects packets: the kernel named it in the replay."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace

from scripts.causes.commands import is_iptables, listing, removal
from scripts.causes.scene import Cause, Red, Scene, agent, name_of
from scripts.causes.told import KEPT, looks_up
from scripts.ends import ip_of, parted
from scripts.evidence.netfilter import CountedRule
from scripts.evidence.nodestate import NodeState
from scripts.evidence.ruletrace import MetRule, Passage

_ENDS = re.compile(r"(?:^| )(! )?-([sd]) (\S+)")
_PROTOCOL = re.compile(r"(?:^| )(! )?-p (\S+)")
_PORTS = re.compile(r"(?:^| )(! )?--(dport|sport)s? ([\d:,]+)(?= |$)")


def find(scene: Scene) -> Iterator[Cause]:
    """Rules that the kernels named, then rules that only counted where no trace was possible."""
    named: dict[tuple[str, str, str, str], tuple[Passage, MetRule]] = {}
    for passage in scene.passages:
        if rule := passage.end:
            named.setdefault((passage.node, rule.table, rule.chain, rule.text), (passage, rule))
    causes: dict[tuple[str, str, str, str], Cause] = {}
    for key, (passage, rule) in named.items():
        cause = _named(scene, passage.node, passage, rule)
        if cause.explains:
            causes[key] = cause
            yield cause
    for node in (*(node.name for node in scene.view.snapshot.nodes), "gateway", "host"):
        before, after = scene.before.get(node), scene.after.get(node)
        if before and after:
            yield from _counted(scene, node, before, after, causes)


def _named(scene: Scene, node: str, passage: Passage, rule: MetRule) -> Cause:
    def same(other: Passage, met: MetRule) -> bool:
        return (other.node, met.table, met.chain, met.text) == (node, rule.table, rule.chain, rule.text)

    ended = [one for one in scene.passages if one.end and same(one, one.end)]
    clients = {ip_of(end) for one in ended for end in (one.source, one.destination)}
    clients |= _masqueraded(scene, ended)
    of_dns = {scene.node_of(ip) for ip in clients} - {""} if any(map(_asks_dns, ended)) else set[str]()
    explains = scene.ended_by(same) | scene.ids(
        red for red in scene.reds if (looks_up(red) and red.node in of_dns) or red.askers & clients
    )
    if not rule.text:
        return _policy(scene, node, rule, len(ended), explains)
    grown = _grown(scene, node, rule) if is_iptables(scene, node, rule) else 0
    number = f" rule {rule.number}" if rule.number else f" (handle {rule.handle})"
    count = (
        f"it counted {grown} packets in the replay"
        if grown
        else f"it ended {len(ended)} packets of the replay"
    )
    met = f"such as {passage.source} → {passage.destination}, {passage.length} octets, {_by(passage)}"
    return Cause(
        kind=_kind(rule.text),
        what=f"{node} {_verb(rule.text)} {_whose(scene, passage)}",
        node=node,
        evidence=(f"{rule.where}{number} ({rule.text}): {count}, {met}",),
        explains=explains,
        look=listing(scene, node, rule),
        mend=removal(scene, node, rule),
        hides=frozenset({"dns_unreachable", "dns_refuses"}),
        weak=rule.chain.startswith(KEPT),
    )


def _masqueraded(scene: Scene, ended: list[Passage]) -> set[str]:
    """Who asked where an ended answer came from, if that answer was for a node: one had lent its address."""
    answers = {
        one.source
        for one in ended
        if one.answers and not scene.owner(ip_of(one.destination)).startswith("Pod ")
    }
    return {ip_of(one.source) for one in scene.passages if one.opens and one.destination in answers}


def _kind(text: str) -> str:
    """What kind of cause a rule is, by what it says."""
    if "-m statistic" in text or "numgen random" in text:
        return "packet_loss"
    if "-m length" in text or "meta length" in text:
        return "too_big"
    return "rule_rejects" if "REJECT" in text or "reject" in text else "rule_drops"


def _grown(scene: Scene, node: str, rule: MetRule) -> int:
    """How many packets the rule counted during the replay."""
    before = scene.before.get(node, NodeState()).ruleset
    grown = scene.state(node).ruleset.grown(before)
    place = (rule.table, rule.chain, rule.number)
    return next((more for one, more in grown if (one.table, one.chain, one.number) == place), 0)


def _policy(scene: Scene, node: str, rule: MetRule, ended: int, explains: frozenset[str]) -> Cause:
    chain = (rule.family, rule.table, rule.chain)
    iptables = is_iptables(scene, node, rule)
    return Cause(
        kind="rule_drops",
        what=f"{node} drops what no rule of {rule.where} accepts",
        node=node,
        evidence=(f"the policy of {rule.where} is DROP: it ended {ended} packets of the replay",),
        explains=explains,
        look=listing(scene, node, rule),
        mend=agent(scene, node, scene.iptables, "-t", rule.table, "-P", rule.chain, "ACCEPT")
        if iptables
        else agent(scene, node, "nft", "add", "chain", *chain, "{ policy accept ; }"),
    )


def _counted(
    scene: Scene,
    node: str,
    before: NodeState,
    after: NodeState,
    named: Mapping[tuple[str, str, str, str], Cause],
) -> Iterator[Cause]:
    """Rules that dropped during the replay, for reds whose packets were last seen where the rule stands.

    One that a kernel ``named`` for other reds is the same cause.
    """
    explained = frozenset[str]().union(*(cause.explains for cause in named.values()))
    for rule, grown in after.ruleset.grown(before.ruleset):
        if not rule.ends:
            continue
        hit = scene.ids(red for red in scene.reds if red.id not in explained and _lost_at(red, node, rule))
        if hit and (known := named.get((node, rule.table, rule.chain, rule.text))):
            yield replace(known, explains=hit)
        elif hit:
            command = (scene.iptables, "-t", rule.table, "-D", rule.chain, str(rule.number))
            look = (scene.iptables, "-t", rule.table, "-nvL", rule.chain, "--line-numbers")
            where = "the host of the containers" if node == "host" else name_of(scene, node)
            yield Cause(
                kind=_kind(rule.text),
                what=f"{where} {_verb(rule.text)} packets that were last seen on their way to it",
                node=name_of(scene, node),
                weak=rule.chain.startswith(KEPT),
                evidence=(f"{rule.where} ({rule.text}): it counted {grown} packets in the replay",),
                explains=hit,
                look=agent(scene, node, *look),
                mend=agent(scene, node, *command),
            )


def _lost_at(red: Red, node: str, rule: CountedRule) -> bool:
    """Whether a failing replay's last hop is where the rule stands, with addresses that the rule is for.

    Where a RST came back, that is where the request was last seen, if the rule sends one.
    """
    for one in red.failing:
        if any(one.ends):
            continue
        hop = one.last("reply") or one.last("request")
        if one.refused:
            hop = one.last("request") if "tcp-reset" in rule.text else None
            hop = hop if hop and hop.direction == "in" else None
        if hop and (hop.node == node or (node in ("gateway", "host") and hop.direction == "out")):
            return matches(rule.text, hop.src, hop.dst)
    return False


def matches(text: str, source: str, destination: str) -> bool:
    """Whether a rule's addresses, protocol and ports fit a TCP packet from and to "ip:port"."""
    ends = {"s": parted(source), "d": parted(destination)}
    for negated, side, wanted in _ENDS.findall(text):
        with suppress(ValueError):
            inside = ipaddress.ip_address(ends[side][0]) in ipaddress.ip_network(wanted, strict=False)
            if inside is bool(negated):
                return False
    protocol = _PROTOCOL.search(text)
    if protocol and (protocol[2] in ("tcp", "all")) is bool(protocol[1]):
        return False
    for negated, side, wanted in _PORTS.findall(text):
        port = int(ends[side[0]][1] or 0)
        if any(_holds(port, one) for one in wanted.split(",")) is bool(negated):
            return False
    return True


def _holds(port: int, wanted: str) -> bool:
    """Whether a port is one of "80", "80:90", "80:" or ":90" (iptables-extensions(8), tcp)."""
    low, colon, high = wanted.partition(":")
    return int(low or 0) <= port <= int(high or (65535 if colon else low or 0))


def _asks_dns(passage: Passage) -> bool:
    return passage.source.endswith(":53") or passage.destination.endswith(":53")


def _verb(text: str) -> str:
    verb = "rejects" if "REJECT" in text or "reject" in text else "drops"
    found = re.search(r"--probability (\d\.\d+)", text)
    return f"{verb} {float(found[1]):.0%} of" if found else verb


def _whose(scene: Scene, passage: Passage) -> str:
    """What was dropped, in words."""
    if _asks_dns(passage):
        return "DNS questions" if passage.destination.endswith(":53") else "DNS answers"
    source, destination = (ip_of(end) for end in (passage.source, passage.destination))
    what = "requests" if passage.opens else "answers" if passage.answers else "packets"
    named = [scene.owner(ip) or ip for ip in (source, destination)]
    return f"{what} from {named[0]} to {named[1]}"


def _by(passage: Passage) -> str:
    ways = [f"in by {passage.iif}" if passage.iif else "", f"out by {passage.oif}" if passage.oif else ""]
    return ", ".join(filter(None, ways)) or "of its own"
