"""Questions about a request that is not sent yet, each with the answer that its trace gives afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from scripts.checks.base import Step
from scripts.ends import ip_of
from scripts.evidence.view import View
from scripts.runs.document import HopRecord, TraceRecord

NOWHERE = "it does not pass there"
SHARES = (100, 50, 33, 25)
"""Per cent, to choose from."""


@dataclass(frozen=True)
class Seen:
    """What a trace shows: a value (an address, or a word of a choice), and where it was seen, in words."""

    value: str
    where: str = ""


@dataclass(frozen=True)
class Choice:
    """An answer to choose. ``values`` are what it stands for; none: whatever no other choice stands for."""

    words: str
    values: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Question:
    """``look`` reads the answer out of a trace; None where it shows nothing of that."""

    text: str
    choices: tuple[Choice, ...]
    look: Callable[[TraceRecord], Seen | None]

    def choice_of(self, value: str) -> Choice | None:
        """The choice that stands for a value."""
        by_name = (choice for choice in self.choices if value in choice.values)
        return next(by_name, next((choice for choice in self.choices if not choice.values), None))


@dataclass(frozen=True)
class Outcome:
    """What came of a prediction; ``right`` is None where the trace does not tell, ``truth`` is in words."""

    question: Question
    said: str
    right: bool | None
    truth: str


def outcome(question: Question, said: Choice | str, trace: TraceRecord) -> Outcome:
    """Compares a prediction, one of the choices or an address, with the trace of the request."""
    words = said if isinstance(said, str) else said.words
    seen = question.look(trace)
    if seen is None:
        return Outcome(question, words, None, "this request does not show it")
    choice = question.choice_of(seen.value)
    right = said in (seen.value, choice)
    named = choice.words if choice and choice.values else _owned(seen.value, trace)
    if choice and choice.values and seen.value not in named and _is_address(seen.value):
        named = f"{named} ({seen.value})"
    return Outcome(question, words, right, f"{named}{f', at {seen.where}' if seen.where else ''}")


def questions_of(step: Step, view: View) -> list[Question]:
    """What may be asked about a request, by where it starts and where it goes."""
    return [*_Asker(step, view).questions()]


class _Asker:
    """The parties of a request, and what may be asked of it."""

    def __init__(self, step: Step, view: View) -> None:
        assert step.work.target is not None, "a request has a target"
        self._target, self._node = step.work.target, step.place.node
        world = view.outside
        self._client = step.place.ip or (world.outside_ip if world else "")
        self._name = step.place.pod or step.place.container
        self._nodes = {node.name: node.ip for node in view.snapshot.nodes}
        service = self._target.service
        behind = view.snapshot.endpoints.get((service.namespace, service.name), ()) if service else ()
        self._pods = frozenset(one.ip for one in behind)
        self._asked = frozenset({*self._target.ips, self._target.address})
        self._gateway = {world.gateway_ip, world.gateway_outside_ip} if world else set()

    def questions(self) -> Iterator[Question]:
        """In the order of the packet's way."""
        target, pod = self._target, self._target.pod
        if self._node and pod and pod.node:
            yield self._leaves()
        if self._node and not (target.service or pod):
            yield self._on_the_wire()
        if target.proxy:
            yield self._connections()
            yield self._behind_proxy()
        else:
            yield self._translated()
        if self._pods and not target.proxy:
            yield self._share()
        yield self._seen_by_server()
        yield self._answer()

    def _leaves(self) -> Question:
        """Whether it stays on its node."""

        def look(trace: TraceRecord) -> Seen | None:
            hops = _requested(trace)
            out = [hop for hop in hops if _leaves(hop, self._node)]
            return Seen("yes" if out else "no", _where(out[0] if out else hops[-1])) if hops else None

        text = f"Does the request leave {self._node} by the node's own interface?"
        return Question(text, (_word("yes"), _word("no", "no, it stays on the node")), look)

    def _on_the_wire(self) -> Question:
        """The source address between the nodes."""

        def look(trace: TraceRecord) -> Seen | None:
            hops = _requested(trace)
            out = [hop for hop in hops if _leaves(hop, self._node)]
            return Seen(_ip(out[0].source), _where(out[0])) if out else Seen("") if hops else None

        text = f"Which source address does the wire carry at {self._node}'s own interface?"
        return Question(text, (*self._parties("client", "node"), _word("", NOWHERE), _other()), look)

    def _connections(self) -> Question:
        """Whether something in between opens a connection of its own."""

        def look(trace: TraceRecord) -> Seen | None:
            hops = _requested(trace)
            return Seen(str(max(hop.leg for hop in hops))) if hops else None

        text = "How many TCP connections carry the request from end to end?"
        choices = (
            _word("1", "one, from the client to the Pod"),
            _word("2", "two: what is asked opens a second"),
        )
        return Question(text, (*choices, Choice("more")), look)

    def _behind_proxy(self) -> Question:
        """Where a load balancer sends."""

        def look(trace: TraceRecord) -> Seen | None:
            second = [hop for hop in _requested(trace) if hop.leg > 1]
            return Seen(_ip(second[0].destination), _where(second[0])) if second else None

        text = f"To which address does {self._target.address} send the request on?"
        return Question(text, (*self._parties("any node", "pod"), _other()), look)

    def _translated(self) -> Question:
        """What becomes of the destination."""

        def look(trace: TraceRecord) -> Seen | None:
            hops = _requested(trace)
            changed = [hop for hop in hops if "DNAT" in hop.changed]
            if changed:
                return Seen(_ip(changed[0].destination), _where(changed[0]))
            return Seen("no", _where(hops[-1])) if hops else None

        text = f"Is the destination, {self._target.address}, translated on the way, and to what?"
        stays = _word("no", "no: it stays as it is")
        choices = [Choice(f"yes, to {one.words}", one.values) for one in self._parties("pod", "any node")]
        return Question(text, (stays, *choices, Choice("yes, to another address")), look)

    def _share(self) -> Question:
        """The chance of the Pod that was chosen."""

        def look(trace: TraceRecord) -> Seen | None:
            found = [(rule.choice, hop.node) for hop in trace.hops for rule in hop.rules if rule.choice]
            for choice, node in found:
                if choice.share is not None:
                    where = f"{node}, where it got number {choice.number} of {choice.of}"
                    return Seen(f"{choice.share * 100:.0f}", where)
            return None

        text = "How likely is it that the rules choose the very Pod that will answer?"
        return Question(text, (*(_word(str(n), f"{n} %") for n in SHARES), Choice("another number")), look)

    def _seen_by_server(self) -> Question:
        """The source address at the end."""

        def look(trace: TraceRecord) -> Seen | None:
            hops = _requested(trace)
            return Seen(_ip(hops[-1].source), _where(hops[-1])) if hops else None

        text = "From which source address does the request reach the one who answers?"
        return Question(text, (*self._parties("client", "asked", "node", "gateway"), _other()), look)

    def _answer(self) -> Question:
        """The source address of the answer where it arrives."""

        def look(trace: TraceRecord) -> Seen | None:
            hops = [hop for hop in trace.hops if hop.way == "reply" and hop.leg == 1]
            return Seen(_ip(hops[-1].source), _where(hops[-1])) if hops else None

        text = f"Which source address does the answer carry when it comes back to {self._name}?"
        return Question(text, (*self._parties("asked", "pod", "node"), _other()), look)

    def _parties(self, *which: str) -> list[Choice]:
        """Owners of addresses, each once: an address that two have is the first one's."""
        own = self._nodes.get(self._node, "")
        others = {ip for name, ip in self._nodes.items() if name != self._node}
        asked = self._target.address
        known = {
            "client": (f"{self._client}, the address of {self._name} itself", {self._client}),
            "asked": (f"{asked}, the address that was asked", self._asked),
            "pod": ("the address of a Pod behind it", self._pods),
            "gateway": ("an address of the gateway", self._gateway),
            "any node": ("the address of a node", {*self._nodes.values()}),
            "node": (f"{own}, the address of {self._node}", {own})
            if own
            else ("the address of a node", others),
        }
        chosen: list[Choice] = []
        for words, ips in (known[one] for one in which):
            free = frozenset(ips) - {""} - frozenset(ip for one in chosen for ip in one.values)
            chosen += [Choice(words, free)] if free else []
        return chosen


def _requested(trace: TraceRecord) -> list[HopRecord]:
    return [hop for hop in trace.hops if hop.way == "request"]


def _leaves(hop: HopRecord, node: str) -> bool:
    return hop.node == node and hop.kind in ("uplink", "tunnel") and hop.direction == "out"


def _word(value: str, words: str = "") -> Choice:
    return Choice(words or value, frozenset({value}))


def _other() -> Choice:
    return Choice("another address")


def _ip(end: str) -> str:
    return ip_of(end)


def _is_address(value: str) -> bool:
    return value.count(".") == 3


def _owned(value: str, trace: TraceRecord) -> str:
    owner = trace.met.get(value, "")
    return f"{value}, {owner}" if owner else value


def _where(hop: HopRecord) -> str:
    return f"{hop.node} {hop.interface} {hop.direction}: {hop.source} → {hop.destination}"


def score(outcomes: Iterable[Outcome]) -> tuple[int, int]:
    """How many predictions were right, and how many could be judged."""
    judged = [one.right for one in outcomes if one.right is not None]
    return sum(judged), len(judged)
