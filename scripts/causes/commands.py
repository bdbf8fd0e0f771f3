"""What a person types to look at something or to mend it: commands that work when they are pasted."""

from __future__ import annotations

from scripts.causes.scene import Scene, agent, on_node
from scripts.causes.told import KEPT, proxy_pod
from scripts.evidence.ruletrace import MetRule


def switch(scene: Scene, node: str, name: str) -> str:
    """Shows a switch of a node's kernel; ``name`` is its path below /proc/sys/net."""
    return agent(scene, node, "cat", f"/proc/sys/net/{name}")


def switched(scene: Scene, node: str, name: str, value: int) -> str:
    """Sets it. Slashes are for names of interfaces that have a dot (sysctl(8))."""
    dotted = f"net/{name}" if "." in name else f"net.{name.replace('/', '.')}"
    return on_node(scene, node, "sysctl", "-w", f"{dotted}={value}")


def listing(scene: Scene, node: str, rule: MetRule) -> str:
    """Shows the chain of a rule."""
    if is_iptables(scene, node, rule):
        return agent(scene, node, scene.iptables, "-t", rule.table, "-nvL", rule.chain, "--line-numbers")
    return agent(scene, node, "nft", "-a", "list", "chain", rule.family, rule.table, rule.chain)


def removal(scene: Scene, node: str, rule: MetRule) -> str:
    """Takes a rule away; one that a program keeps is left to that program."""
    if rule.chain.startswith(KEPT):
        return rewritten(scene, node)
    if is_iptables(scene, node, rule) and rule.number:
        return agent(scene, node, scene.iptables, "-t", rule.table, "-D", rule.chain, str(rule.number))
    chain = (rule.family, rule.table, rule.chain)
    return agent(scene, node, "nft", "delete", "rule", *chain, "handle", str(rule.handle))


def is_iptables(scene: Scene, node: str, rule: MetRule) -> bool:
    """Whether iptables knows the rule's table; else it is nft's own."""
    ruleset = scene.state(node).ruleset
    tables = {one.table for one in ruleset.rules} | {table for table, _ in ruleset.policies}
    return rule.family == ("ip6" if scene.view.snapshot.family == 6 else "ip") and rule.table in tables


def remade(scene: Scene) -> str:
    """Makes again what podpath made itself: the labs, and a cluster of its own."""
    return f"scripts/up {scene.view.stack}"


def of_cluster(scene: Scene) -> str:
    """The same for what belongs to the cluster: of one that podpath did not make it mends nothing."""
    return remade(scene) if scene.view.fenced else ""


def rewritten(scene: Scene, node: str) -> str:
    """Has the rules of a node's Services written again; kube-proxy writes all of them when it starts."""
    pod = proxy_pod(scene, node)
    if scene.view.fenced or pod is None:
        return of_cluster(scene)
    return f"kubectl -n {pod.namespace} delete pod {pod.name} --now"
