"""Where a probe starts and where it goes: the model's peers as containers and addresses of this cluster."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from labs import model
from scripts.cluster.outside import OutsideWorld
from scripts.evidence.rules import ServiceKey
from scripts.probing.executor import Place
from scripts.probing.snapshot import NodeInfo, PodInfo, ServiceInfo
from scripts.probing.view import MissingPeer, NotHere, View


@dataclass(frozen=True)
class Target:
    """A destination as curl takes it: ``address`` is an IP, or a name to resolve.

    ``ips`` are the addresses at which the connection may end (empty: any); ``pod`` and ``service``
    are what the API has behind it; ``host`` goes into the Host header.
    """

    address: str
    port: int
    ips: tuple[str, ...] = ()
    host: str | None = None
    pod: PodInfo | None = None
    service: ServiceInfo | None = None
    lab: str = ""

    @property
    def key(self) -> ServiceKey:
        """What kube-proxy's rules know a Service's address and TCP port by."""
        return ServiceKey(self.ips[0], self.port, "tcp")

    def url(self, scheme: str, path: str) -> str:
        """The URL of ``path`` there."""
        return f"{scheme}://{self.address}:{self.port}{path}"


@singledispatch
def place_of(source: object, view: View) -> Place:
    """Where ``source`` runs; raises NotHere or MissingPeer."""
    raise TypeError(f"no place is known for a {type(source).__name__}")


@place_of.register
def _(source: model.Client, view: View) -> Place:
    node = worker(view, source.index)
    for pod in view.clients():
        if pod.node == node.name:
            return place_in(pod, pod.containers[0])
    raise MissingPeer(f"no client Pod is ready on {node.name}: look with kubectl -n podpath-system get pods")


@place_of.register
def _(source: model.Container, view: View) -> Place:
    pod = view.pods(source.lab, source.workload)[0]
    if source.container not in pod.containers:
        raise MissingPeer(f"the Pod {pod.name} has no container {source.container}")
    return place_in(pod, source.container)


@place_of.register
def _(source: model.Outside, view: View) -> Place:
    return Place(_world(view).outside)


@place_of.register
def _(source: model.OnNode, view: View) -> Place:
    return agent_on(worker(view, source.index).name, view)


@place_of.register
def _(source: model.KubeProxy, view: View) -> Place:
    node = worker(view, 0).name
    for pod in view.snapshot.pods:
        if pod.namespace == "kube-system" and pod.labels.get("k8s-app") == "kube-proxy" and pod.node == node:
            return place_in(pod, pod.containers[0])
    raise NotHere(f"no kube-proxy runs on {node}: something else serves this cluster's Services")


def agent_on(node: str, view: View) -> Place:
    """The node agent of a node, on the node's own network; raises MissingPeer where there is none."""
    agent = agents(view).get(node)
    if agent is None:
        raise MissingPeer(f"no node-agent is ready on {node}: look with kubectl -n podpath-system get pods")
    return agent


def agents(view: View) -> dict[str, Place]:
    """The node agents by node."""
    return {node: place_in(pod, pod.containers[0]) for node, pod in view.agents().items()}


def place_in(pod: PodInfo, container: str) -> Place:
    """A container of a Pod as a place."""
    return Place(container, pod.namespace, pod.name, pod.uid, pod.ip, pod.node)


@singledispatch
def target_of(to: object, place: Place, view: View) -> Target:
    """The address of a destination as seen from ``place``; raises NotHere or MissingPeer."""
    raise TypeError(f"no address is known for a {type(to).__name__}")


@target_of.register
def _(to: model.Localhost, place: Place, view: View) -> Target:
    return Target("127.0.0.1", to.port, ("127.0.0.1",))


@target_of.register
def _(to: model.Pod, place: Place, view: View) -> Target:
    for pod in view.pods(to.lab, to.workload):
        if to.where == "any node" or (pod.node == place.node) == (to.where == "same node"):
            return Target(pod.ip, to.port, (pod.ip,), pod=pod, lab=to.lab)
    raise NotHere(f"no Pod of {to.workload} runs on the {to.where}, seen from {place.node}")


@target_of.register
def _(to: model.Service, place: Place, view: View) -> Target:
    service = view.service(to.lab, to.service)
    if service.cluster_ip in ("", "None"):
        raise MissingPeer(f"the Service {to.service} has no clusterIP")
    name = full_name(service)
    address = name if to.by == "name" else service.cluster_ip
    return Target(address, to.port, (service.cluster_ip,), service=service, lab=to.lab)


@target_of.register
def _(to: model.Balancer, place: Place, view: View) -> Target:
    service = view.service(to.lab, to.service)
    if not service.balancer_ips:
        look = f"kubectl -n {service.namespace} describe service {service.name}"
        raise MissingPeer(f"the Service {to.service} advertises no load balancer: look with {look}")
    ip = service.balancer_ips[0]
    return Target(ip, to.port, (ip,), service=service, lab=to.lab)


@target_of.register
def _(to: model.Ingress, place: Place, view: View) -> Target:
    namespace = view.namespace(to.lab)
    ips = view.snapshot.ingresses.get((namespace, to.ingress), ())
    if not ips:
        look = f"kubectl -n {namespace} describe ingress {to.ingress}"
        raise MissingPeer(f"the Ingress {to.ingress} advertises no address: look with {look}")
    return Target(ips[0], to.port, (ips[0],), host=to.host, lab=to.lab)


@target_of.register
def _(to: model.Gateway, place: Place, view: View) -> Target:
    namespace = view.namespace(to.lab)
    ips = view.snapshot.gateways.get((namespace, to.gateway), ())
    if not ips:
        look = f"kubectl -n {namespace} describe gateway {to.gateway}"
        raise MissingPeer(f"the Gateway {to.gateway} advertises no address: look with {look}")
    return Target(ips[0], to.port, (ips[0],), host=to.host, lab=to.lab)


@target_of.register
def _(to: model.Node, place: Place, view: View) -> Target:
    nodes = [worker(view, to.index)]
    if to.where != "any node":
        nodes = [n for n in view.snapshot.workers if (n.name == place.node) == (to.where == "same node")]
    if not nodes:
        raise NotHere(f"the cluster has no {to.where}, seen from {place.node}")
    return Target(nodes[0].ip, to.port, (nodes[0].ip,))


@target_of.register
def _(to: model.NodePort, place: Place, view: View) -> Target:
    service = view.service(to.lab, to.service)
    port = service.node_ports.get(to.port)
    if port is None:
        raise MissingPeer(f"the Service {to.service} has no node port for {to.port}")
    occupied = {endpoint.node for endpoint in view.endpoints(to.lab, to.service)}
    for node in sorted(view.snapshot.nodes, key=lambda node: node.name):
        at: model.At = "node with a Pod" if node.name in occupied else "node without a Pod"
        if to.at == ("control plane" if node.control_plane else at):
            return Target(node.ip, port, (node.ip,), service=service, lab=to.lab)
    raise NotHere(f"the cluster has no {to.at} of {to.service}")


@target_of.register
def _(to: model.Host, place: Place, view: View) -> Target:
    world = _world(view)
    ip = world.near_ip if to.name == "near" else world.outside_ip
    return Target(ip, to.port, (ip,))


def _world(view: View) -> OutsideWorld:
    if view.outside is None:
        raise NotHere("this stack has no world outside the cluster")
    return view.outside


@target_of.register
def _(to: model.Name, place: Place, view: View) -> Target:
    return Target(to.name, to.port)


def full_name(service: ServiceInfo) -> str:
    """A Service's name in the cluster's DNS."""
    return f"{service.name}.{service.namespace}.svc.cluster.local"


def worker(view: View, index: int) -> NodeInfo:
    """A worker node by its place in the order of names; raises NotHere where there are fewer."""
    workers = view.snapshot.workers
    if index >= len(workers):
        raise NotHere(f"the cluster has {len(workers)} worker nodes, not {index + 1}")
    return workers[index]
