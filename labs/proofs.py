"""What is expected beyond an answer: of the kernel, of a trace, of a cluster that changes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Translated:
    """Netfilter translated clusterIP to a Pod's IP (conntrack), and no process listens on the clusterIP."""

    def __str__(self) -> str:
        return "the kernel translated the clusterIP to the Pod that answered, and nothing listens on it"


@dataclass(frozen=True)
class NotTranslated:
    """Conntrack's reply tuple is the mirror image of the original one: no NAT."""

    def __str__(self) -> str:
        return "no NAT"


@dataclass(frozen=True)
class Masqueraded:
    """The client's node replaced the Pod's address by its own: conntrack and the rule's counter say so."""

    def __str__(self) -> str:
        return "the node's kernel replaced the Pod's address by its own"


@dataclass(frozen=True)
class SameNamespace:
    """One inode, the same interfaces and addresses, and the Pod's IP as the API states it."""

    def __str__(self) -> str:
        return "one namespace, with the Pod's IP"


@dataclass(frozen=True)
class VethPair:
    """The Pod's eth0 and one interface of its node, a veth, name each other."""

    def __str__(self) -> str:
        return "eth0 and a veth of the node name each other"


@dataclass(frozen=True)
class BridgePort:
    """The Pod's veth is a port of the node's bridge of this name."""

    bridge: str

    def __str__(self) -> str:
        return f"its veth is a port of the bridge {self.bridge}"


@dataclass(frozen=True)
class StaysOnNode:
    """Trace: in at one veth, out at another of the same bridge, and never at the node's own interface."""

    def __str__(self) -> str:
        return "crosses the bridge and never the node's own interface"


@dataclass(frozen=True)
class CrossesNodes:
    """Trace: through the bridge, out of one node's interface and in at the other's, as the routes say."""

    def __str__(self) -> str:
        return "leaves through bridge and node, by the route to the other node's Pod range"


@dataclass(frozen=True)
class BecomesNode:
    """Trace: the request leaves the Pod with the Pod's IP and the node with the node's (SNAT), by any way."""

    def __str__(self) -> str:
        return "its source becomes the node, seen at the node's interface"


@dataclass(frozen=True)
class LeavesNode:
    """Trace: Pod, veth, bridge, node interface, where the source becomes the node (SNAT)."""

    def __str__(self) -> str:
        return "veth, bridge, iptables, node interface, seen hop by hop"


@dataclass(frozen=True)
class LeavesGateway:
    """Trace: at the gateway the source changes a second time, from the node's to the gateway's own."""

    def __str__(self) -> str:
        return "a second NAT at the gateway, seen there"


@dataclass(frozen=True)
class ByNodePort:
    """Trace: the balancer sends to a node port, never to a Pod's address; the node sends on to the Pod."""

    def __str__(self) -> str:
        return "the balancer sends to a node's port, the node to the Pod"


@dataclass(frozen=True)
class RewrittenBack:
    """Trace: the answer leaves the Pod with its own address, and its node or the client's rewrites it."""

    def __str__(self) -> str:
        return "the answer leaves with the Pod's IP and is rewritten on the way back"


@dataclass(frozen=True)
class FollowsRules:
    """The answers' shares are those of the rules (sequential test at these rates).

    ``false_alarm`` is the probability of calling fair shares unfair, ``miss`` that of calling fair what
    differs by ``effect`` (total variation distance) or more.
    """

    false_alarm: float = 0.001
    miss: float = 0.01
    effect: float = 0.15

    def __str__(self) -> str:
        rates = f"false alarms {self.false_alarm:g}, misses {self.miss:g} from {self.effect:g} on"
        return f"the shares that the rules give ({rates})"


@dataclass(frozen=True)
class SameTable:
    """Every node has the same backends and shares for each port, and they are the ready endpoints."""

    def __str__(self) -> str:
        return "the same on every node, and just the ready endpoints"


@dataclass(frozen=True)
class VariablesPresent:
    """Pods created after the Service have its address in their environment; those before it need not."""

    def __str__(self) -> str:
        return "present in each Pod created after the Service"


@dataclass(frozen=True)
class ModeInForce:
    """kube-proxy says that it runs in this mode, and the node's rules are of that kind."""

    modes: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' or '.join(self.modes)}, by its own word and by the node's rules"


@dataclass(frozen=True)
class ModeAccepted:
    """The mode is one of kube-proxy's (``accepted``), or is refused as unknown while another is accepted."""

    accepted: bool

    def __str__(self) -> str:
        return "accepted" if self.accepted else "refused, as no mode of this version"


@dataclass(frozen=True)
class SameAddress:
    """The clusterIP is the one of before, and the new Pod answers on it."""

    def __str__(self) -> str:
        return "the same clusterIP, and the new Pod answers on it"


@dataclass(frozen=True)
class FollowsLabels:
    """With the label the Pod is among the endpoints and answers; without it neither."""

    def __str__(self) -> str:
        return "it joins and answers, it leaves and answers no more"


@dataclass(frozen=True)
class Converges:
    """Every node's rules followed both changes; the delays from the API's event on are in the receipt."""

    def __str__(self) -> str:
        return "every node's rules follow, and the last wrong answer is timed"


@dataclass(frozen=True)
class FailsByShare:
    """As many connections fail as the rules send to the Pod that hangs, within what chance explains."""

    false_alarm: float = 0.001

    def __str__(self) -> str:
        return f"the Pod's share of the connections fails (false alarms {self.false_alarm:g})"


@dataclass(frozen=True)
class NoneFails:
    """No connection fails, and none reaches the Pod that hangs."""

    def __str__(self) -> str:
        return "no connection fails"


@dataclass(frozen=True)
class FailsWith5xx:
    """Before and after a backend answers; between, the same URL fails with a 5xx of the proxy."""

    def __str__(self) -> str:
        return "5xx from no backend, and answers before and after"
