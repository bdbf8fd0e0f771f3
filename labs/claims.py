"""The article's claims: every sentence that says how packets travel, under the id it keeps everywhere.

K1 to K8 are not in the article: they are what it leaves out and engineers meet. F1 is the suite's own promise
that no probe packet leaves the cluster.
"""

from __future__ import annotations

from scripts.checks.base import Claim

_SENTENCES = {
    "C1": "Containers of a Pod share one network namespace: same IP, same interfaces, same inode.",
    "C2": "They reach each other over localhost: nginx on 80 is a reverse proxy for the app on 8080.",
    "C3": "One namespace means one port space: a second listener on 8080 is refused.",
    "C4": "Without a Service, neither container is available outside the cluster.",
    "P1": "Every Pod reaches every Pod on any node without NAT.",
    "P2": "A veth pair joins each Pod to its node: the Pod's eth0 and the node's veth name each other.",
    "P3": "The node's veths are ports of one bridge, cbr0.",
    "P4": "Same-node traffic crosses the bridge and never the node's own interface.",
    "P5": "Cross-node traffic leaves through the bridge and the node: Pod ranges map to nodes.",
    "P6": "The application chain works: frontend, REST, database on another node, and data back.",
    "S1": "The clusterIP stays while Pods and their IPs come and go.",
    "S2": "Requests are load-balanced over the Pods of a Service.",
    "S3": "Labels and selectors define the set: relabel a Pod and it leaves, label another and it joins.",
    "S4": "Every node's kube-proxy holds the same table for the Service.",
    "S5": "kube-proxy follows additions and removals.",
    "S6": "The kernel does it (netfilter DNAT): no process listens on the clusterIP.",
    "S7": "A connection to a Pod that fails to respond fails; a readiness probe prevents it.",
    "S8": "DNS runs as a Service: a Service's name is its clusterIP, a headless one's its Pods' IPs.",
    "S9": "Services are served by iptables, IPVS or kube-proxy in userspace.",
    "S10": "GET_HOSTS_FROM=env: the Service's environment variables are present in Pods created after it.",
    "E1": "iptables replaces the Pod's source IP by the node's (SNAT) on the way out.",
    "E2": "The gateway replaces the node's IP by its external one (second NAT).",
    "E3": "Pod to Pod and Pod to node are not source-NATed.",
    "E4": "The path out is Pod namespace, veth, cbr0, iptables, node interface.",
    "E5": "Pods have IP addresses that virtual machines or nodes can't reach.",
    "I1": "The Service advertises the load balancer's IP; it is exported as frontendIp.",
    "I2": "From outside, both ports of the load balancer reach the Pods.",
    "I3": "The balancer knows nodes, not Pods: a node without a local Pod still delivers.",
    "I4": "The answer leaves the Pod with the Pod's IP and is rewritten on the way back.",
    "I5": "externalTrafficPolicy Local keeps the client's IP and skips nodes without Pods; Cluster does not.",
    "I6": "The node port answers on every node.",
    "I7": "An Ingress routes by host.",
    "I8": "An Ingress routes by path.",
    "I9": "An unknown host or path is answered by no backend (404).",
    "I10": "An Ingress is HTTP-aware: backends see X-Forwarded-For, a plain TCP client gets no routing.",
    "I11": "An Ingress stands on a Service: without endpoints the same URL fails with 5xx.",
    "I12": "The same routes as Gateway API HTTPRoutes give the same answers.",
    "K1": "Any size passes, both ways, between every pair of nodes, by Pod, Service and load balancer.",
    "K2": "Nothing is lost: no connection has to repeat its SYN.",
    "K3": "A Pod reaches itself through its own Service (hairpin), on every node.",
    "K4": "UDP is served as TCP is, and a port that goes on sending reaches the new Pod; DNS does both.",
    "K5": "sessionAffinity ClientIP keeps a client at its Pod; without it no client is kept.",
    "K6": "internalTrafficPolicy Local sends only to Pods on the client's own node, if any.",
    "K7": "A rolling update loses no connection when Pods end gracefully, and loses some when they do not.",
    "K8": "A NetworkPolicy denies and allows what it says, or nothing here enforces it.",
    "F1": "The fence: what nothing in the cluster serves is answered by nobody, not even outside it.",
}

CLAIMS: dict[str, Claim] = {id: Claim(id, sentence) for id, sentence in _SENTENCES.items()}

DOORS = ("C1", "C2", "C4", "P1", "S6", "S8", "I1", "I2", "I7", "I8", "I9", "F1")
"""Claims that between them go through every door (localhost, Pod, Service, name, balancer, Ingress), need no
trace and change nothing: checking them shows within seconds that all is still well."""
