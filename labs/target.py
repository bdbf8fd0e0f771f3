"""Where a stack deploys to: its cluster's kubeconfig, context, identity and images, and the provider for it.

``scripts/up`` writes all of it to ``.podpath/<stack>/``; nothing of the user's own ``~/.kube`` is read.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pulumi
import pulumi_kubernetes as k8s
import yaml

from labs.terms import Terms, read_terms

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".podpath"
PATIENCE = 2.0
"""Seconds that the API server may take to accept a connection."""


@dataclass(frozen=True)
class Images:
    """The images of the workloads on the cluster's nodes: workload → image name."""

    names: dict[str, str]

    def of(self, workload: str) -> str:
        """The image of a workload; raises RunError when none was built."""
        if workload not in self.names:
            raise pulumi.RunError(f"the image of workload {workload!r} was not built: run scripts/up.")
        return self.names[workload]


@dataclass(frozen=True)
class Target:
    """A cluster to deploy to; ``identity`` (name/uid) stays the same when its address changes."""

    kubeconfig: str
    context: str
    identity: str
    images: Images
    terms: Terms = field(default_factory=Terms)


def target_of(stack: str, config: pulumi.Config) -> Target:
    """The stack's cluster, once its API server accepts connections; raises RunError with one sentence.

    Without this check a dead cluster would end in a time-out of every single resource.
    """
    folder = STATE / stack
    own = config.get("kubeconfig")
    path = ROOT / Path(own).expanduser() if own else folder / "kubeconfig"
    kubeconfig = _read(path, stack)
    context = config.get("context") or _current(kubeconfig)
    host, port = _server(kubeconfig, context, path)
    if not _accepts(host, port):
        raise pulumi.RunError(
            f"the cluster of stack {stack} does not answer at {host}:{port}: run scripts/up {stack}."
        )
    cluster = folder / "cluster.json"
    if own and not cluster.exists():
        identity = context
    else:
        identity = "{name}/{uid}".format(**_record(cluster, stack, "name", "uid"))
    images = Images(_record(folder / "images.json", stack))
    return Target(kubeconfig, context, identity, images, _terms(folder / "terms.json", stack))


def provider_of(target: Target) -> k8s.Provider:
    """The one explicit provider: pinned to a context, and the same one when the API server's port changes.

    It gets the file's contents, not its path, which differs from checkout to checkout.
    """
    return k8s.Provider(
        "cluster",
        kubeconfig=pulumi.Output.secret(target.kubeconfig),
        context=target.context,
        cluster_identifier=target.identity,
    )


def _read(path: Path, stack: str) -> str:
    try:
        return path.read_text()
    except OSError as error:
        why = f"{_shown(path)} cannot be read: {error.strerror}"
        raise pulumi.RunError(f"stack {stack} has no cluster yet ({why}): run scripts/up {stack}.") from None


def _terms(path: Path, stack: str) -> Terms:
    """The terms of a given cluster; those of one of ours where none are written down."""
    if not path.exists():
        return Terms()
    try:
        return read_terms(json.loads(path.read_text()), ROOT)
    except (ValueError, KeyError, TypeError):
        raise pulumi.RunError(f"{_shown(path)} is damaged: run scripts/up {stack}.") from None
    except OSError as error:
        why = f"{error.filename} cannot be read: {error.strerror}"
        raise pulumi.RunError(f"the pull secret of stack {stack} is missing ({why}).") from None


def _record(path: Path, stack: str, *keys: str) -> dict[str, str]:
    """A JSON object of strings with at least ``keys``."""
    try:
        loaded = json.loads(_read(path, stack))
    except ValueError:
        loaded = None
    if not isinstance(loaded, dict) or not {*keys} <= {*loaded}:
        raise pulumi.RunError(f"{_shown(path)} is damaged: run scripts/up {stack}.")
    return {str(key): str(value) for key, value in loaded.items()}


def _current(kubeconfig: str) -> str:
    """The context that a kubeconfig names as its own: the only one of a given cluster's copy."""
    try:
        return str(yaml.safe_load(kubeconfig)["current-context"])
    except (yaml.YAMLError, KeyError, TypeError):
        return ""


def _server(kubeconfig: str, context: str, path: Path) -> tuple[str, int]:
    """Host and port of the context's API server."""
    try:
        loaded = yaml.safe_load(kubeconfig)
        contexts = {entry["name"]: entry["context"] for entry in loaded["contexts"]}
        clusters = {entry["name"]: entry["cluster"] for entry in loaded["clusters"]}
        url = urlsplit(clusters[contexts[context]["cluster"]]["server"])
        host, port = url.hostname, url.port or (80 if url.scheme == "http" else 443)
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        host, port = None, 0
    if not host:
        raise pulumi.RunError(f"{_shown(path)} names no server for context {context}: run scripts/up.")
    return host, port


def _accepts(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError:
        return False
    return True


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
