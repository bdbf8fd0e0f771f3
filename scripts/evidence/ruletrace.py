"""Which rules a packet met on a node, as netfilter itself names them.

A packet that is marked ``meta nftrace set 1`` is reported at each rule of each chain, whichever program wrote
the rule (nft(8), monitor). iptables' rules are told in nft's words, without their comments. A rule's handle
says its place in its chain, and the rule at that place in iptables-save's list is the same one: its text is
taken from there.

The marks are in a table of our own, so that taking them away is one command and touches no other rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from scripts.ends import end_of, family_of
from scripts.evidence.netfilter import Ruleset, read_ruleset

PORTS = range(20000, 24000)
"""Source ports of replayed requests: below the ephemeral ones (32768) and the node ports (30000)."""
TABLE = "podpath-replay"
"""Our own table, which holds nothing but marks; its name is the mark of ownership."""
READY = "podpath-monitors-ready"
"""What the program says once the monitor listens."""
_LISTED = "podpath-section"
"""What precedes nft's list of all rules."""
_SAVED = "podpath-iptables"
"""What precedes iptables-save's list."""
_SAVED_V6 = "podpath-ip6tables"
"""What precedes that of ip6tables-save."""
_CHAINS = {"pre": "prerouting", "out": "output"}

_LINE = re.compile(r"trace id (\w+) (\w+) (\S+) (\S+) (packet:|rule|policy|verdict|return)\s?(.*)")
_VERDICT = re.compile(r"^(.*?)(?: # handle (\d+))? \(verdict ([^)]*)\)\s*$")
_TABLE = re.compile(r"^table (\w+) (\S+) \{")
_CHAIN = re.compile(r"^\tchain (\S+) \{")
_HANDLE = re.compile(r"^\t\t.* # handle (\d+)$")
_HOOK = re.compile(r"^\t\ttype \w+ hook (\w+) ")
_WORDS = {
    "iif": re.compile(r'\biif "([^"]+)"'),
    "oif": re.compile(r'\boif "([^"]+)"'),
    "src": re.compile(r"\bip6? saddr (\S+)"),
    "dst": re.compile(r"\bip6? daddr (\S+)"),
    "sport": re.compile(r"\b(?:tcp|udp) sport (\d+)"),
    "dport": re.compile(r"\b(?:tcp|udp) dport (\d+)"),
    "number": re.compile(r"\bip id (\d+)"),
    "length": re.compile(r"\bip6? length (\d+)"),
    "flags": re.compile(r"\btcp flags == (.+?) tcp window"),
}
_REWRITES = re.compile(r"-j (?:DNAT|SNAT|MASQUERADE|REDIRECT)\b|\b(?:dnat|snat|masquerade|redirect)\b")


@dataclass(frozen=True)
class MetRule:
    """A rule that a packet met. ``text`` is empty where a chain's policy decided.

    ``number`` is its place in its chain, from 1; 0 where it is unknown. ``verdict`` is netfilter's own word
    in capitals, with the chain of a jump: "JUMP KUBE-SERVICES", "DROP".
    """

    family: str
    table: str
    chain: str
    handle: int
    number: int
    text: str
    verdict: str

    @property
    def ends(self) -> bool:
        """Whether the packet went no further: dropped, or rejected."""
        return self.verdict == "DROP"

    @property
    def rewrites(self) -> bool:
        """Whether it gave the connection another address or port."""
        return bool(_REWRITES.search(self.text)) and self.verdict == "ACCEPT"

    @property
    def where(self) -> str:
        """Its place in words, such as "filter/FORWARD"."""
        return f"{self.table}/{self.chain}"


@dataclass(frozen=True)
class Passage:
    """A packet's way through one base chain and those it jumped to, with its header as it was there.

    ``hook`` is netfilter's word for where the chain stands, such as "prerouting", or empty. ``source`` and
    ``destination`` are "ip:port"; ``length`` is the IP packet's in octets; ``opens`` for a first SYN,
    ``answers`` for a SYN-ACK.
    """

    node: str
    table: str
    chain: str
    iif: str
    oif: str
    source: str
    destination: str
    number: int
    length: int
    flags: str
    rules: tuple[MetRule, ...] = ()
    hook: str = ""

    @property
    def opens(self) -> bool:
        """Whether the packet asks for a connection."""
        return self.flags in ("syn", "0x2")

    @property
    def answers(self) -> bool:
        """Whether the packet grants one."""
        return self.flags in ("0x12", "syn | ack", "syn,ack")

    @property
    def end(self) -> MetRule | None:
        """The rule or policy that dropped or rejected the packet here, if any."""
        return next((rule for rule in self.rules if rule.ends), None)

    @property
    def port(self) -> int:
        """The source port of the replayed request that the packet belongs to; 0 if to none."""
        for end in (self.source, self.destination):
            port = int(end.rpartition(":")[2] or 0)
            if port in PORTS:
                return port
        return 0

    @property
    def decisive(self) -> tuple[MetRule, ...]:
        """The rules that led to what became of the packet here; none if nothing but a policy accepted it.

        From the last rule back: each jump that led to the chain in which the next one stands.
        """
        if not self.rules:
            return ()
        last = self.rules[-1]
        if not (last.ends or last.rewrites):
            return ()
        chosen, chain = [last], last.chain
        for rule in reversed(self.rules[:-1]):
            if rule.verdict in (f"JUMP {chain}", f"GOTO {chain}"):
                chosen.append(rule)
                chain = rule.chain
        return tuple(reversed(chosen))


@dataclass
class _Growing:
    head: dict[str, str]
    table: str
    chain: str
    rules: list[MetRule] = field(default_factory=list)


@dataclass(frozen=True)
class Marked:
    """What is marked besides replayed requests, by IPs: who asks DNS, and Pods whose own SYNs matter.

    ``lenders`` have connections whose SYNs are marked in both directions wherever a node tracks them: also
    the answer to a connection that a node opened for somebody, in its own name. ``six``: requests are
    replayed by IPv6, too.
    """

    dns: frozenset[str] = frozenset()
    openers: frozenset[str] = frozenset()
    lenders: frozenset[str] = frozenset()
    six: bool = False

    def of(self, family: int) -> Marked:
        """What of it has addresses of a family."""

        def own(ips: frozenset[str]) -> frozenset[str]:
            return frozenset(ip for ip in ips if family_of(ip) == family)

        return Marked(own(self.dns), own(self.openers), own(self.lenders))


def marks(marked: Marked = Marked(), limit: int = 100) -> str:
    """What ``nft -f -`` takes to mark replayed connections, and what ``marked`` says.

    SYNs are marked without a limit, other packets up to ``limit`` a second: a mebibyte is hundreds of them.
    """
    six = marked.of(6)
    tables = _marks("ip", marked.of(4), limit)
    return tables + (_marks("ip6", six, limit) if marked.six or six != Marked() else "")


def _marks(family: str, marked: Marked, limit: int) -> str:
    ports, newline = f"{PORTS.start}-{PORTS.stop - 1}", "\n"
    many = f"limit rate {limit}/second burst {limit} packets"
    rules = []
    for side in ("sport", "dport"):
        rules.append(f"tcp {side} {ports} tcp flags & syn == syn meta nftrace set 1")
        rules.append(f"tcp {side} {ports} {many} meta nftrace set 1")
        rules.append(f"udp {side} {ports} {many} meta nftrace set 1")
    for ip in sorted(marked.dns):
        rules.append(f"{family} saddr {ip} udp dport 53 {many} meta nftrace set 1")
        rules.append(f"{family} daddr {ip} udp sport 53 {many} meta nftrace set 1")
    for ip in sorted(marked.openers):
        rules.append(f"{family} saddr {ip} tcp flags & syn == syn {many} meta nftrace set 1")
        rules.append(f"{family} daddr {ip} tcp flags & syn == syn {many} meta nftrace set 1")
    chains = [
        f"chain {name} {{\ntype filter hook {hook} priority raw; policy accept;\n{newline.join(rules)}\n}}"
        for name, hook in _CHAINS.items()
    ]
    lent = [
        f"ct original {family} saddr {ip} tcp flags & syn == syn {many} meta nftrace set 1"
        for ip in sorted(marked.lenders)
    ]
    if lent:  # netfilter knows a packet's connection from priority -200 on (nft(8), hooks)
        hook = "type filter hook prerouting priority -199; policy accept;"
        chains.append(f"chain tracked {{\n{hook}\n{newline.join(lent)}\n}}")
    return f"table {family} {TABLE} {{\n{newline.join(chains)}\n}}\n"


def program(marked: Marked = Marked()) -> list[str]:
    """Marks, listens, prints what it heard when it is told to end, and takes its marks away.

    It says ``READY`` once the monitor listens: a netlink socket without a group hears nothing. The socket is
    known by its inode: its port is the monitor's process id only where nobody else on the node's network, of
    another namespace of process ids, has that one (netlink(7)). Marks that a killed one has left
    are replaced. At the end it lists all rules, which tells each handle's place, once in
    nft's words and once in iptables'. SIGTERM comes twice, for timeout(1) passes it on and then sends it to
    its group: the second one is not heard.
    """
    script = (
        """\
marks=$1; heard=$(mktemp) || exit 1
unmark() { for family in ip ip6; do nft delete table $family TABLE 2>/dev/null; done; }
ended() { trap '' TERM; trap - EXIT; unmark; kill $monitor 2>/dev/null; wait
    cat "$heard"; rm -f "$heard"; echo LISTED; nft -a -s list ruleset; echo SAVED
    iptables-save -c 2>/dev/null; echo SAVED_V6; ip6tables-save -c 2>/dev/null; exit 0; }
trap ended TERM EXIT
unmark
nft -a monitor trace >"$heard" 2>&1 & monitor=$!
listens() { for socket in /proc/$monitor/fd/*; do
    socket=$(readlink "$socket") inode=${socket#"socket:["}
    grep -q "^[^ ]* *12 .* 00000100 .* ${inode%"]"} *$" /proc/net/netlink && return
done; return 1; }
until listens; do kill -0 $monitor || exit 1; done
printf '%s' "$marks" | nft -f - || exit 1
echo READY
wait
""".replace("TABLE", TABLE)
        .replace("LISTED", _LISTED)
        .replace("SAVED_V6", _SAVED_V6)
        .replace("SAVED", _SAVED)
        .replace("READY", READY)
    )
    return ["sh", "-c", script, "sh", marks(marked)]


def read(text: str, node: str) -> tuple[Passage, ...]:
    """What a node's monitor told, in its order; lines of another form are passed over. Never raises.

    Rules that iptables-save lists have its texts.
    """
    heard, _, lists = text.partition(f"{_LISTED}\n")
    listed, _, saved = lists.partition(f"{_SAVED}\n")
    numbers, hooks = _places(listed)
    done: list[_Growing] = []
    open_: dict[str, _Growing] = {}
    for line in heard.splitlines():
        if not (found := _LINE.match(line)):
            continue
        id, family, table, chain, what, rest = found.groups()
        if what == "packet:":
            head = {key: hit[1] for key, word in _WORDS.items() if (hit := word.search(rest))}
            open_[id] = _Growing(head, table, chain)
            done.append(open_[id])
        elif id in open_ and table != TABLE:
            open_[id].rules += _rules((family, table, chain), what, rest, numbers)
    passages = (_passage(one, node, hooks) for one in done if one.table != TABLE)
    four, _, six = saved.partition(f"{_SAVED_V6}\n")
    return named(passages, {"ip": read_ruleset(four), "ip6": read_ruleset(six)})


def named(passages: Iterable[Passage], rulesets: Mapping[str, Ruleset]) -> tuple[Passage, ...]:
    """The same with each rule's text as iptables-save has it, where it knows the rule.

    ``rulesets`` are by nft's word for the family: ``ip``, ``ip6``.
    """
    texts = {
        (family, rule.table, rule.chain, rule.number): rule.text
        for family, ruleset in rulesets.items()
        for rule in ruleset.rules
    }

    def of(rule: MetRule) -> MetRule:
        key = (rule.family, rule.table, rule.chain, rule.number)
        return replace(rule, text=texts.get(key, rule.text))

    return tuple(replace(passage, rules=tuple(map(of, passage.rules))) for passage in passages)


def _places(listed: str) -> tuple[dict[tuple[str, str, str, int], int], dict[tuple[str, str], str]]:
    """From ``nft -a -s list ruleset``: each rule's place in its chain, and each base chain's hook."""
    numbers: dict[tuple[str, str, str, int], int] = {}
    hooks: dict[tuple[str, str], str] = {}
    family = table = chain = ""
    count = 0
    for line in listed.splitlines():
        if hit := _TABLE.match(line):
            family, table = hit.groups()
        elif hit := _CHAIN.match(line):
            chain, count = hit[1], 0
        elif hit := _HOOK.match(line):
            hooks[table, chain] = hit[1]
        elif hit := _HANDLE.match(line):
            count += 1
            numbers[family, table, chain, int(hit[1])] = count
    return numbers, hooks


def _rules(
    place: tuple[str, str, str], what: str, rest: str, numbers: Mapping[tuple[str, str, str, int], int]
) -> Sequence[MetRule]:
    if what == "policy":
        return [MetRule(*place, 0, 0, "", rest.strip().upper())]
    found = _VERDICT.match(rest)
    if what != "rule" or not found:
        return []
    text, handle = found[1].strip(), int(found[2] or 0)
    verdict, _, target = found[3].partition(" ")
    said = f"{verdict.upper()} {target}".strip()
    return [MetRule(*place, handle, numbers.get((*place, handle), 0), text, said)]


def _passage(one: _Growing, node: str, hooks: Mapping[tuple[str, str], str]) -> Passage:
    head = one.head
    ends = [
        end_of(head.get(side, ""), head.get(port, "")) for side, port in (("src", "sport"), ("dst", "dport"))
    ]
    return Passage(
        node,
        one.table,
        one.chain,
        head.get("iif", ""),
        head.get("oif", ""),
        ends[0],
        ends[1],
        int(head.get("number", 0)),
        int(head.get("length", 0)),
        head.get("flags", ""),
        tuple(one.rules),
        hooks.get((one.table, one.chain), one.chain.lower()),
    )
