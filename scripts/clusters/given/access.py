"""The way into a given cluster: a copy of one context of the user's kubeconfig, and of nothing else in it.

The copy has that context alone and names no relative path, so that nothing else can be meant by it.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scripts.errors import PodpathError
from scripts.paths import ROOT
from scripts.stack.profile import Profile
from scripts.transport.rest import Rest

if TYPE_CHECKING:
    from scripts.stack.terms import Terms

INLINE = ("certificate-authority", "client-certificate", "client-key")
"""Files that a kubeconfig may name; their contents go into the copy as ``<name>-data``."""


class NoContext(PodpathError):
    """The stack's context is not there, or its kubeconfig is not: nobody can say how to reach the cluster."""


def terms_of(profile: Profile) -> Terms:
    """The terms of a stack whose cluster is given."""
    assert profile.terms is not None, "only such a stack comes here"
    return profile.terms


def enter(profile: Profile) -> Rest:
    """The API server of the stack's context, once it has answered; keeps the copy of the kubeconfig.

    Raises PodpathError for a file or context that is missing, and for a server that does not answer or does
    not accept the credentials.
    """
    copy = kubeconfig_of(profile)
    profile.kubeconfig.touch(mode=0o600)
    if profile.kubeconfig.read_text() != copy:
        profile.kubeconfig.write_text(copy)
    api = Rest(profile.kubeconfig, profile.stack, given=True)
    api.get("/version")
    return api


def identity_of(api: Rest) -> str:
    """What tells one cluster from another: the uid of its namespace kube-system."""
    return str(api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"])


def kubeconfig_of(profile: Profile) -> str:
    """A kubeconfig (YAML) with the stack's context alone; raises PodpathError."""
    terms = terms_of(profile)
    file, whose = terms.path(ROOT, terms.kubeconfig), f"stacks/{profile.stack}.yaml"
    try:
        loaded = yaml.safe_load(file.read_text())
        contexts, clusters, users = (_named(loaded, kind) for kind in ("contexts", "clusters", "users"))
    except OSError as error:
        raise NoContext(f"{file}, which {whose} names, cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise PodpathError(f"{file}, which {whose} names, is no kubeconfig.") from None
    context = contexts.get(terms.context)
    if context is None:
        has = f"it has {', '.join(sorted(contexts))}" if contexts else "it has none"
        raise NoContext(
            f"there is no context {terms.context!r} in {file} ({has}): correct `context` in {whose}."
        )
    parts = {
        "cluster": clusters.get(str(context.get("cluster"))),
        "user": users.get(str(context.get("user"))),
    }
    for kind, part in parts.items():
        if part is None:
            raise PodpathError(f"{file} has no {kind} {context.get(kind)!r}, which its context needs.")
    name = terms.context
    return str(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "clusters": [{"name": name, "cluster": _whole(parts["cluster"] or {}, file)}],
                "users": [{"name": name, "user": _whole(parts["user"] or {}, file)}],
            }
        )
    )


def _named(loaded: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """The entries of a list of named ones."""
    return {entry["name"]: entry[kind.removesuffix("s")] or {} for entry in loaded.get(kind) or ()}


def _whole(part: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """A cluster or a user without relative paths."""
    whole = dict(part)
    for key in INLINE:
        if written := whole.pop(key, None):
            whole[f"{key}-data"] = base64.b64encode(_read(file.parent / written, file)).decode()
    if token := whole.get("tokenFile"):
        whole["tokenFile"] = os.fspath(file.parent / token)
    return whole


def _read(path: Path, file: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PodpathError(f"{path}, which {file} names, cannot be read: {error.strerror}.") from error
