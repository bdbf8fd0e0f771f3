"""Checks a stack's kind configuration before anything is made.

kind itself would refuse most of it, but only once everything that it needs is built.
https://kind.sigs.k8s.io/docs/user/configuration/
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Any

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,48}")
"""A cluster's name; a node's, such as NAME-control-plane, is a host name of at most 63 characters."""
OURS: dict[str, type] = {"provider": str, "policyEngine": str}
"""What podpath adds to kind's configuration, and keeps from kind."""
POLICY_ENGINES = ("kube-router",)
PATCHES = {"kubeadmConfigPatches": list, "kubeadmConfigPatchesJSON6902": list}
CLUSTER: dict[str, type] = {
    **{"kind": str, "apiVersion": str, "name": str, "nodes": list, "networking": dict, **OURS},
    **{"featureGates": dict, "runtimeConfig": dict, **PATCHES},
    **{"containerdConfigPatches": list, "containerdConfigPatchesJSON6902": list},
}
NODE: dict[str, type] = {
    **{"role": str, "image": str, "labels": dict, "extraMounts": list, "extraPortMappings": list, **PATCHES}
}
NETWORKING: dict[str, type] = {
    **{"ipFamily": str, "apiServerPort": int, "apiServerAddress": str, "podSubnet": str},
    **{"serviceSubnet": str, "disableDefaultCNI": bool, "kubeProxyMode": str, "dnsSearch": list},
}
FAMILIES = {"ipv4": [4], "dual": [4, 6]}
"""By ``ipFamily``: the versions of IP of which a cluster has a range for Pods and one for Services."""
ROLES = ("control-plane", "worker")
WORDS = {str: "a text", int: "a number", bool: "true or false", list: "a list", dict: "a mapping"}


def fault_of(config: Mapping[str, Any]) -> str:
    """What is wrong with a kind configuration and what to write instead; empty where it is right."""
    return next(_faults(config), "")


def _faults(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _strange("", config, CLUSTER)
    if NAME.fullmatch(str(config.get("name", ""))) is None:
        yield f"`name` is {config.get('name', '')!r}: write a name of small letters, digits and dashes"
    if "policyEngine" in config and config["policyEngine"] not in POLICY_ENGINES:
        yield f"`policyEngine` is {config['policyEngine']!r}: write {' or '.join(POLICY_ENGINES)}"
    networking, nodes = config.get("networking", {}), config.get("nodes", [])
    yield from _strange("networking.", networking, NETWORKING)
    for name in ("podSubnet", "serviceSubnet"):
        if not _is_range(written := networking.get(name, "")):
            yield f"`networking.{name}` is {written!r}: write an address range, such as 10.244.0.0/16"
        elif _versions(written) != (wanted := FAMILIES.get(networking.get("ipFamily", "ipv4"))):
            if wanted is None:
                yield f"`networking.ipFamily` is {networking['ipFamily']!r}: write {' or '.join(FAMILIES)}"
            few = "an IPv4 range, or `ipFamily: dual`" if wanted == [4] else "an IPv4 and an IPv6 range"
            yield f"`networking.{name}` is {written!r}: write {few}"
    for number, node in enumerate(nodes):
        if not isinstance(node, dict):
            yield f"`nodes` holds {node!r}: write each node as `- role: worker`"
        yield from _strange(f"nodes[{number}].", node, NODE)
        if node.get("role", ROLES[0]) not in ROLES:
            yield f"`nodes[{number}].role` is {node['role']!r}: write {' or '.join(ROLES)}"
    if not any(node.get("role", ROLES[0]) == ROLES[0] for node in nodes):
        yield f"`nodes` has no node with the role {ROLES[0]}: write one"


def _strange(place: str, given: Mapping[Any, Any], known: Mapping[str, type]) -> Iterator[str]:
    """Keys that kind does not know, and values of another type."""
    for key, value in given.items():
        if key not in known:
            yield f"`{place}{key}` is unknown: choose from {', '.join(known)}"
        elif not isinstance(value, known[key]) or (known[key] is int and isinstance(value, bool)):
            yield f"`{place}{key}` is {value!r}: write {WORDS[known[key]]}"


def _is_range(written: object) -> bool:
    """Whether it is one or, for two families, several ranges separated by commas."""
    try:
        return bool(_versions(written))
    except ValueError:
        return False


def _versions(written: object) -> list[int]:
    return sorted(ipaddress.ip_network(one.strip()).version for one in str(written).split(","))
