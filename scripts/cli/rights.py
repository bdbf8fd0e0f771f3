"""`scripts/rights`: what podpath needs on a cluster that you already have, and what it makes there."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import yaml

from labs import LABS
from scripts.clusters.given.life import images_of
from scripts.clusters.given.roles import rules_of
from scripts.errors import EXIT_OK, PodpathError, UsageError
from scripts.stack.profile import Profile, profile_of
from scripts.tiers import Tier

SYSTEM = "podpath-system"
AGENT = "hostNetwork, user 0, capabilities NET_ADMIN, NET_RAW and SETGID, tolerates every taint"
MARKS = (
    "While reds are asked again and in scripts/trace, each node has the nftables table podpath-replay, which "
    "marks their packets and drops none."
)
SYSCTL = "net.ipv4.ip_unprivileged_port_start (in each Pod's own network namespace; a safe one)"


def rights(
    stack: Annotated[str, typer.Argument(help="The stack, one with `provider: given`.")],
    tier: Annotated[
        int, typer.Option(min=Tier.LOOK, max=Tier.BREAK, help="0 look, 1 Pods, 2 doors, 3 kernel, 4 break.")
    ] = Tier.KERNEL,
) -> int:
    """Prints the role, namespaces, admission exceptions and images that a tier needs. Changes nothing."""
    profile = profile_of(stack)
    if profile.terms is None:
        raise UsageError(f"stack {stack} makes its own cluster: rights are for a stack with provider: given.")
    print(asked_for(profile, Tier(tier)))
    return EXIT_OK


def asked_for(profile: Profile, tier: Tier) -> str:
    """A ClusterRole to apply as it is; the rest of what is asked for is in its comments."""
    terms = profile.terms
    assert terms is not None, "only for a given cluster"
    rules = rules_of(terms, tier)
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"podpath-tier-{tier.value}"},
        "rules": [rule.written() for rule in rules],
    }
    lines = [f"# What podpath asks for on context {terms.context}, tier {tier.value} ({tier.word})."]
    lines += [f"# {line}" for line in (*_made(tier, profile), "", "Verbs and what they are for:")]
    lines += [f"#   {', '.join(rule.verbs)} {', '.join(rule.resources)}: {rule.why}" for rule in rules]
    dumped: Any = yaml.safe_dump(role, sort_keys=False, default_flow_style=None, width=110)
    return "\n".join([*(line.rstrip() for line in lines), dumped.rstrip()])


def _made(tier: Tier, profile: Profile) -> list[str]:
    """What is made, in lines; never anything on a node."""
    if tier < Tier.PODS:
        return ["", "Nothing is made: lists are read, and nothing else."]
    privileged, marks = tier >= Tier.KERNEL, tier >= Tier.BREAK
    level = "privileged" if privileged else "restricted"
    labels = " ".join(f"{key}={value}" for key, value in profile.owner.items())
    return [
        "",
        f"Namespaces, labelled {labels}; `scripts/down` deletes by that label alone:",
        f"  {SYSTEM}  (pod-security.kubernetes.io/enforce: {level})",
        *(f"  podpath-{lab}  (pod-security.kubernetes.io/enforce: restricted)" for lab in LABS),
        "Admission exceptions:",
        f"  every Pod of ours: sysctl {SYSCTL}",
        f"  DaemonSet {SYSTEM}/node-agent: {AGENT}" if privileged else "  no other",
        "Images:",
        *(f"  {line}" for line in _images(profile, privileged)),
        *([MARKS] if marks else []),
        f"On no node a file, route, rule, sysctl or program is {'left' if marks else 'changed or left'}.",
    ]


def _images(profile: Profile, agent: bool) -> list[str]:
    try:
        known = images_of(profile)
    except PodpathError as missing:
        return [str(missing)]
    return [reference for name, reference in known.items() if agent or name != "node-agent"]
