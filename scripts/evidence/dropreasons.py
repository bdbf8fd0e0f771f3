"""Why the kernel dropped packets, in its own words: the tracepoint ``skb:kfree_skb`` with its reason.

That event has no addresses. So the interface at which a packet came in last (``net:netif_receive_skb``) and
the route that was looked up for it there (``fib:fib_table_lookup`` with an incoming interface, so above 1)
are joined to it by the packet's buffer and by the processor. All nodes of one kernel are seen from any.

It is read from a trace instance of our own below tracefs, which the program removes when it ends, as it does
one that a killed run has left. The file system is mounted in a mount namespace of the program's own, which
ends with it. Both need CAP_SYS_ADMIN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from scripts.ends import ip_of
from scripts.evidence.trace import Hop, Trace

READY = "podpath-drops-ready"
"""What the program says once the kernel reports."""
INSTANCE = "podpath-"
"""How the names of our trace instances begin; the stack's name follows."""
_JOIN = """\
function value(key,  i) {
    for (i = 2; i <= n; i++) if (index(f[i], key) == 1) return substr(f[i], length(key) + 1)
}
!match($0, /\\[[0-9]+\\] +[^ ]+ +[0-9.]+: /) { next }
{ cpu = substr($0, RSTART, index(substr($0, RSTART), "]")); n = split(substr($0, RSTART + RLENGTH), f, " ") }
f[1] == "netif_receive_skb:" {
    at[cpu] = value("skbaddr="); dev[at[cpu]] = value("dev="); way[at[cpu]] = "- -"
}
f[1] == "fib_table_lookup:" && at[cpu] != "" && way[at[cpu]] == "- -" && f[7] > 1 {
    for (i = 2; i < n; i++) if (f[i] == "->") way[at[cpu]] = f[i - 1] " " f[i + 1]
}
f[1] == "kfree_skb:" {
    skb = value("skbaddr="); where = value("location="); sub(/\\+.*/, "", where)
    told = f[n] " " where " " (skb in dev ? dev[skb] " " way[skb] : "- - -"); gsub(/\\/[0-9]+/, "", told)
    count[told]++; delete dev[skb]; if (at[cpu] == skb) at[cpu] = ""
}
END { for (told in count) print count[told], told }
"""
_PROGRAM = """\
root=/sys/kernel/tracing mine=$root/instances/$1
[ -d $root/instances ] || mount -t tracefs tracefs $root || exit 1
events='skb/kfree_skb net/netif_receive_skb fib/fib_table_lookup'
ended() {
    trap '' TERM; trap - EXIT
    for event in $events; do echo 0 >$mine/events/$event/enable; done
    kill $idle 2>/dev/null; awk "$join" $mine/trace
    rmdir $mine; exit 0
}
rmdir $mine 2>/dev/null
join=$2; mkdir $mine || exit 1
sleep 60 & idle=$!
trap ended TERM EXIT
echo KIB >$mine/buffer_size_kb
echo 'protocol == 2048' >$mine/events/skb/kfree_skb/filter
for event in $events; do echo 1 >$mine/events/$event/enable || exit 1; done
echo READY
wait
"""
KIB = 8192
"""Of memory for each processor: some hundred thousand events."""
_LINE = re.compile(r"(\d+) (\w+) (\S+) (\S+) (\S+) (\S+)")


@dataclass(frozen=True)
class Dropped:
    """Packets that a kernel dropped for one reason. ``function`` is the kernel's own that dropped them.

    ``device`` is the interface at which they came in last, ``source`` and ``destination`` are the addresses
    for which a route was looked up; each is empty where it is not known.
    """

    reason: str
    function: str
    packets: int
    device: str = ""
    source: str = ""
    destination: str = ""


def program(stack: str) -> list[str]:
    """Watches until it is told to end, then prints what was dropped, a line each kind."""
    script = _PROGRAM.replace("KIB", str(KIB)).replace("READY", READY)
    return ["unshare", "--mount", "sh", "-c", script, "sh", INSTANCE + stack, _JOIN]


def read(text: str) -> tuple[Dropped, ...]:
    """What the program printed, most packets first; lines of another form are passed over. Never raises."""
    found = [Dropped(*_parts(hit.groups())) for line in text.splitlines() if (hit := _LINE.fullmatch(line))]
    return tuple(sorted(found, key=lambda one: (-one.packets, one.reason, one.function, one.device)))


def _parts(words: Iterable[str]) -> tuple[str, str, int, str, str, str]:
    packets, reason, function, *more = words
    device, source, destination = ("" if word == "-" else word for word in more)
    return reason, function, int(packets), device, source, destination


def of_trace(dropped: Iterable[Dropped], trace: Trace) -> Iterator[Dropped]:
    """Those that may be a trace's packets: by the addresses that it carried, or by where it was last seen."""
    pairs = {frozenset((_ip(hop.src), _ip(hop.dst))) for hop in trace.hops}
    last = {hop.way: hop for hop in trace.hops}
    devices = {hop.interface.name for hop in last.values() if _names_one(hop)}
    for one in dropped:
        known = frozenset((one.source, one.destination)) in pairs if one.source else one.device in devices
        if known:
            yield one


def _ip(end: str) -> str:
    return ip_of(end)


def _names_one(hop: Hop) -> bool:
    """Whether its interface's name is no other node's: those of Pods' veths are made at random."""
    return hop.interface.kind == "pod" and hop.direction == "in"
