"""A node image with a NetworkPolicy engine: made for a stack that asks for one, and for no other.

It is the common node image with one layer more: the engine's image, and its manifest behind that of the Pod
network, which kind applies to a new cluster. What the engine's project publishes is not taken: it is patched.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts.build.contenthash import folder_hash
from scripts.build.gobuild import build
from scripts.build.nodeimage import MANIFESTS, NODE, derive, made_image, node_image
from scripts.build.published import with_package
from scripts.build.registries import Registries
from scripts.build.toolset import group
from scripts.progress import step
from scripts.transport.docker import add_programs, image_id

POLICY = Path(__file__).with_name("policy")
"""A manifest for each engine."""
PACKAGE = "ipset"
"""What an engine needs of Debian beside iptables, which the node agent's image has."""


def engine_node_image(engine: str, workloads: Mapping[str, str], registries: Registries) -> str:
    """The tag of the node image with this engine (empty: with none); makes what is missing of it."""
    if there := made_engine_image(engine, workloads):
        return there
    node = node_image(workloads, registries)
    if not engine:
        return node
    programs, tag, image = build(group("policy")), _tag(engine, node), f"podpath.local/{engine}:node"
    with step(f"add {engine} to the node image"), tempfile.TemporaryDirectory() as folder:
        add_programs(with_package(PACKAGE, workloads["node-agent"]), [programs[engine]], image)
        both = Path(folder) / "manifests.yaml"
        both.write_text("---\n".join(file.read_text() for file in (NODE / "flannel.yaml", _manifest(engine))))
        derive(node, tag, {MANIFESTS: both}, [image])
    return tag


def made_engine_image(engine: str, workloads: Mapping[str, str]) -> str:
    """The tag of such an image that is there already; empty for none."""
    node = made_image(workloads)
    if not node or not engine:
        return node
    tag = _tag(engine, node)
    return tag if image_id(tag) else ""


def _tag(engine: str, node: str) -> str:
    keys = [tool.key for tool in group("policy")]
    return f"podpath/node:{folder_hash(POLICY, engine, node, PACKAGE, *keys)}"


def _manifest(engine: str) -> Path:
    return POLICY / f"{engine}.yaml"
