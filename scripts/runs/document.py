"""The Run as a document: all that a reader needs, in one versioned schema.

``schema`` counts up when a reader of an older one would misread it; older documents are still read (3 added
causes, replays and the rules that a packet met). Times are seconds unless their name says
otherwise. Probes that a run could not judge, because it was cut short, are under ``unjudged``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scripts.checks.verdict import Failure, Verdict
from scripts.ends import family_of
from scripts.runs.claims import ClaimVerdict


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class ChoiceRecord(_Record):
    """Which of a Service's backends a connection was sent to: ``number`` (from 1) ``of`` so many.

    ``share`` is the chance (0 to 1) that the node's rules give it; null where the client was sent to the
    backend that it had before.
    """

    number: int
    of: int
    share: float | None


class RuleRecord(_Record):
    """A netfilter rule that a packet met, as the node's kernel named it.

    ``text`` is the rule as iptables-save or nft writes it; empty where the chain's policy decided.
    ``verdict`` is what came of it, such as "JUMP KUBE-SERVICES", "ACCEPT", "DROP" or "DNAT". ``decided``:
    it ended the packet's way through its table, or rewrote the packet, or led to the rule that did.
    ``choice`` is there where the rule sends to one of several backends of a Service.
    """

    table: str
    chain: str
    text: str
    verdict: str
    decided: bool
    choice: ChoiceRecord | None = None


class HopRecord(_Record):
    """A packet at one interface. ``source`` and ``destination`` are "ip:port" as carried there.

    ``micros`` are microseconds since the trace's first hop, negative for a SYN before a request. ``leg``
    counts the connections from 1. ``rule`` is the rule that rewrote the packet, where it was observed;
    ``rules`` are those that its connection's first packet met on its node before this hop, in order.
    ``bridge`` is the bridge that the interface is a port of, empty if of none, null in documents that did not
    say so.
    """

    leg: int
    way: Literal["request", "reply"]
    node: str
    interface: str
    kind: str
    label: str
    direction: Literal["in", "out"]
    source: str
    destination: str
    micros: int
    changed: list[str]
    rule: str = ""
    rules: list[RuleRecord] = []
    bridge: str | None = None


class TraceRecord(_Record):
    """A request hop by hop; ``met`` names address owners, ``problem`` says why packets may be missing."""

    hops: list[HopRecord]
    met: dict[str, str]
    answer: str
    retransmissions: int
    problem: str


class DropRecord(_Record):
    """Packets that a node's kernel dropped, in its own words (``enum skb_drop_reason`` of Linux).

    ``function`` is the function of the kernel that dropped them. ``packets`` counts all that carried the
    addresses of the request that was replayed, in all its tries.
    """

    reason: str
    function: str
    packets: int


class ReplayRecord(_Record):
    """A red probe asked once more under the microscope.

    ``passes``: this time it was answered, so the first request was lost rather than blocked. ``last`` says
    where the request and its answer were last seen, and where they should have come next. ``ended`` are the
    rules that ended the packet's way, the last ones that a node named. ``trace`` are its packets. ``dropped``
    are the kernel's reasons, where they were asked for (``scripts/probe --drop-reasons``).
    """

    passes: bool
    last: str
    ended: list[RuleRecord] = []
    trace: TraceRecord | None = None
    dropped: list[DropRecord] = []


class ReceiptRecord(_Record):
    """The evidence of one probe: four views, why one is missing, the trace of a traced one, its replay."""

    client: list[dict[str, Any]] = []
    server: list[dict[str, str]] = []
    kernel: list[str] = []
    api: dict[str, Any] = {}
    gaps: dict[str, str] = {}
    trace: TraceRecord | None = None
    replay: ReplayRecord | None = None


class ProbeRecord(_Record):
    """One probe's verdict. ``failure`` and ``why`` are null when there is nothing to say.

    ``command`` does it by hand; ``refutes`` is what is true instead of a part of the claim, if it passes.
    ``follows`` is the id of the probe from which this verdict follows: its control, or what it rests on.
    ``family`` is the version of IP by which it asked, 0 for the cluster's first.
    """

    id: str
    claim: str
    lab: str
    sentence: str
    verdict: Verdict
    failure: Failure | None = None
    why: str | None = None
    command: str = ""
    refutes: str = ""
    follows: str = ""
    family: int = 0
    receipt: ReceiptRecord = ReceiptRecord()


class UnjudgedRecord(_Record):
    """A probe without a verdict, because the run ended before it was judged."""

    id: str
    claim: str
    lab: str
    sentence: str


class ClaimRecord(_Record):
    """One claim and what its probes make of it. ``told`` says why it is not simply proven, else null."""

    id: str
    sentence: str
    verdict: ClaimVerdict
    told: str | None


class CauseRecord(_Record):
    """What is broken, and which reds it explains; never told from a symptom alone.

    ``kind`` is the name of the file in scripts/causes that found it. ``what`` is one sentence that begins
    with where it is; ``node`` is the node or host meant, or empty. ``evidence`` are lines that show it.
    ``explains`` are ids of probes. ``look`` and ``mend`` are commands to paste; ``mend`` may be empty.
    ``warning``: it holds, and explains nothing that the other causes do not.
    """

    kind: str
    what: str
    node: str = ""
    evidence: list[str]
    explains: list[str] = []
    look: str = ""
    mend: str = ""
    warning: bool = False


class NodeRecord(_Record):
    """A node of the cluster as the API has it; ``silent`` says why it did not answer, or is empty."""

    name: str
    ip: str
    pod_range: str
    control_plane: bool
    ready: bool
    silent: str = ""


class PodRecord(_Record):
    """A Pod as the API has it at the run's start."""

    namespace: str
    name: str
    ip: str
    node: str
    containers: list[str]
    ready: bool


class ServiceRecord(_Record):
    """A Service at the run's start. ``ports`` are "80/TCP", with ":30813" where there is a node port.

    ``cluster_ip`` is "None" for a headless one; ``balancer_ips`` are the load balancer's; ``endpoints`` are
    the addresses of its ready endpoints.
    """

    namespace: str
    name: str
    cluster_ip: str
    ports: list[str]
    balancer_ips: list[str] = []
    endpoints: list[str] = []


class FeatureRecord(_Record):
    """Something that probes need: whether this cluster has it, and how that is known."""

    name: str
    there: bool
    reason: str


class ClusterRecord(_Record):
    """What the run ran against; ``outside`` are names and addresses of the world outside, if any.

    ``entrances`` are the addresses that Ingresses and Gateways advertise, each with whose it is. ``other``: a
    cluster of two families by the addresses of the second one.
    """

    nodes: list[NodeRecord] = []
    features: list[FeatureRecord] = []
    outside: dict[str, Any] = {}
    pods: list[PodRecord] = []
    services: list[ServiceRecord] = []
    entrances: dict[str, str] = {}
    other: ClusterRecord | None = None

    def by(self, family: int) -> ClusterRecord:
        """The cluster by its addresses of a family, 0 for its first."""
        own = not self.other or not family or not self.nodes or family_of(self.nodes[0].ip) == family
        return self if own or not self.other else self.other


class TimingRecord(_Record):
    """How long a part of the run took."""

    what: str
    seconds: float


class Run(_Record):
    """One execution of the suite. ``complete``: it was not cut short; ``started`` is UTC (ISO 8601)."""

    schema_: Literal[2, 3] = Field(3, alias="schema")
    id: str
    stack: str
    started: str
    complete: bool
    seconds: float
    environment: dict[str, str] = {}
    cluster: ClusterRecord = ClusterRecord()
    timings: list[TimingRecord] = []
    causes: list[CauseRecord] = []
    claims: list[ClaimRecord] = []
    probes: list[ProbeRecord] = []
    unjudged: list[UnjudgedRecord] = []

    def text(self) -> str:
        """The document as one line of JSON."""
        return self.model_dump_json(by_alias=True)
