"""How the made-up cluster can misbehave: each lie is the smallest damage that some probe must notice."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.unit.atlas import CLUSTER_IP


@dataclass
class Lies:
    """How the cluster misbehaves; nothing said is the honest one."""

    # --- answers
    responder: dict[str, str] = field(default_factory=dict)
    """Asked IP → Pod (or host) that answers instead."""
    headers: dict[str, str] = field(default_factory=dict)
    """Header → its false value, on every answer."""
    open: set[tuple[str, int]] = field(default_factory=set)
    """Addresses that answer although they should not."""
    silent: set[str] = field(default_factory=set)
    """IPs that refuse everything."""
    only: str = ""
    """The one Pod that the Service sends everything to."""
    status: dict[str, int] = field(default_factory=dict)
    """Asked IP → HTTP status instead of 200."""
    everything_routed: bool = False
    plain: str = "connected\nHTTP/1.1 400 Bad Request\r\n\r\n"
    # --- what one small request cannot see
    answers_up_to: int = 9000
    """Octets of the largest packet of an answer that passes between nodes."""
    requests_up_to: int = 9000
    """The same of a request's packets."""
    repeats: int = 0
    """Of a Pod's connections one in so many comes about by its second SYN."""
    slow: int = 0
    """Of a Pod's connections one in so many takes a second, though nothing is sent again."""
    uncounting: bool = False
    """Pods' kernels do not tell what they sent again."""
    no_hairpin: set[str] = field(default_factory=set)
    """Nodes whose Pods cannot reach themselves through a Service."""
    deaf_udp: set[str] = field(default_factory=set)
    """IPs from which no datagram is answered."""
    unsaid: bool = False
    """No ICMP message says that nobody listens, nor that a packet is too big."""
    udp_natted: bool = False
    """Datagrams come under their node's address."""
    misrouted: bool = False
    """netfilter's entries of datagrams lead to another Pod than the one that answers."""
    stale: bool = False
    """Datagrams from a port go on to the Pod that once answered it, although it is gone."""
    packets_up_to: int = 1500
    """Octets of the largest packet that passes between nodes; what is larger is lost in silence."""
    dropped_by: dict[str, int] = field(default_factory=dict)
    """Deployment → connections that fail each time it is rolled."""
    for_ever: bool = False
    """A Service that should keep its clients for a second never lets them go."""
    unkept: bool = False
    """Services keep no client."""
    unlocal: set[str] = field(default_factory=set)
    """Services that send to any node's Pods although their policy is Local."""
    # --- the kernels
    untranslated: bool = False
    untracked: bool = False
    natted: bool = False
    """Pods are masqueraded on the way to Pods, too, and to their own node."""
    unmasqueraded: bool = False
    """Nodes keep the Pods' addresses on the way out."""
    gate_open: bool = False
    """The gateway keeps the nodes' addresses."""
    uncounted: bool = False
    """The masquerade rules count nothing."""
    table: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Node → the Pods that its rules have behind the Service frontend."""
    mode: str = "iptables"
    modes: tuple[str, ...] = ("iptables", "nftables", "ipvs")
    listener: str = ""
    # --- the fence
    fenceless: bool = False
    """The host has no table of the fence."""
    unruled: set[str] = field(default_factory=set)
    """Rules that the host, or each node, lacks."""
    flushed: set[str] = field(default_factory=set)
    """Nodes whose chain of the fence is empty."""
    unfenced: set[str] = field(default_factory=set)
    """Nodes whose forwarding passes the chain by."""
    beyond: str = "No route to host\n"
    """What comes of a connection around the gateway; empty: it is dropped."""
    inside: str = "connected\n"
    """What comes of a connection from the nodes' network to a node."""
    # --- wiring and traces
    boots: dict[str, str] = field(default_factory=dict)
    """Node → its boot id, where it is another machine with a clock of its own."""
    bridge: str = "cbr0"
    """The bridge's name on each node; empty: each veth has a route of its own (ptp)."""
    crossed: dict[str, str] = field(default_factory=dict)
    """Pod → another one whose veth it names as its own."""
    unrouted: bool = False
    """Nodes have no route for other nodes' Pods but the default one."""
    detour: bool = False
    """Neighbours' packets go over the node's own interface."""
    direct: bool = False
    """Load balancers send to Pods and not to node ports."""
    disguised: bool = False
    """Load balancers send under another address than their own."""
    unrewritten: bool = False
    """Answers keep the address that their Pod gave them."""
    # --- evidence
    agents_down: bool = False
    blind: set[str] = field(default_factory=set)
    """Nodes whose agent runs captures but tells nothing else."""
    mute: set[str] = field(default_factory=set)
    """Commands that fail on every node, by the key of their section."""
    uncaptured: set[str] = field(default_factory=set)
    """Places where tcpdump does not start."""
    overrun: int = 0
    """Packets that every tcpdump says it lost."""
    damaged: bool = False
    """Captures are no pcap files."""
    # --- the transport
    lost: set[str] = field(default_factory=set)
    """Containers whose exec dies."""
    dropped: str = ""
    """Probe whose lines are missing from curl's report."""
    lossy: int = 1
    """Of a burst curl reports one request in so many."""
    gone: set[str] = field(default_factory=set)
    """Pods that are replaced while they are asked."""
    # --- what commands print
    names: dict[str, str] = field(default_factory=dict)
    bind: str = "8080 Address already in use\n18080 ok\n"
    inode: dict[str, int] = field(default_factory=dict)
    env: str = ""
    """A Pod without the Service's variables."""
    chain: dict[str, object] = field(default_factory=dict)
    """Dotted place in the chain's answer → its false value (None takes it away)."""
    chain_text: str = ""
    """The chain's whole answer."""
    # --- changes
    clusterip_after: str = CLUSTER_IP
    never_replaced: bool = False
    deaf_api: bool = False
    """EndpointSlices stay as they were."""
    deaf: set[str] = field(default_factory=set)
    """Nodes whose rules stay as they were."""
    sticky: bool = False
    """The Service goes on sending to who once was behind it."""
    early: bool = False
    """The Service sends to the spare Pods before they join."""
    hang: str = ""
    """What a hanging Pod does instead: "answers", "refuses"; "spreads" makes all others hang with it."""
    without: int = 503
    """HTTP status of a URL without endpoints; 200: the backend goes on answering."""
    broken_after: bool = False
    """A URL does not come back with its endpoints."""
