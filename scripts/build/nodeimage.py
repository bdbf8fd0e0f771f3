"""The image of a kind node: the official one if it can be pulled, else one assembled here.

The official one is pinned by its digest. A mirror that the user gave Docker may hold another image under its
tag, such as one that was assembled here: it is taken where the digest cannot be had.

Either way the node gets flannel with the bridge plugin (the article's cbr0) and the labs' images, once,
before any node exists: three nodes then start with everything they need, and nothing is loaded later.
The steps follow kind's own ``kind build node-image`` (pkg/build/nodeimage of its module).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scripts.build.contenthash import folder_hash
from scripts.build.gobuild import build, module_dir, path_of
from scripts.build.published import obtain, taken_paths
from scripts.build.registries import Registries
from scripts.build.toolset import (
    COREDNS_TAG,
    ETCD_TAG,
    KIND_NODE_IMAGE,
    KIND_NODE_TAG,
    KUBERNETES_VERSION,
    PAUSE_TAG,
    group,
)
from scripts.build.workloads import builder, debian_image
from scripts.environment import build_arguments
from scripts.progress import say, step
from scripts.transport.docker import (
    add_programs,
    container_of,
    docker,
    image_id,
    import_program,
    pipe_images,
)
from scripts.transport.process import run
from scripts.waiting import TIMEOUTS, eventually

NODE = Path(__file__).with_name("node")
FLANNEL_IMAGE = "podpath.local/flannel:node"
MANIFESTS = "/kind/manifests/default-cni.yaml"
"""What kind applies to a new cluster: the Pod network."""
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
PROGRAMS = ("kubeadm", "kubelet", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr", "crictl")


def node_image(workloads: Mapping[str, str], registries: Registries) -> str:
    """The tag of a node image with flannel and the ``workloads`` (name → tag); makes what is missing."""
    if there := made_image(workloads):
        return there
    network = obtain(group("network"), registries, workloads["base"])
    base = plain_image(workloads["node-agent"], registries)
    tag = _tag(base, workloads, network)
    with step("add flannel and the labs' images to the node image"):
        add_programs(workloads["node-agent"], [network["flannel"]], FLANNEL_IMAGE)
        files = {
            MANIFESTS: NODE / "flannel.yaml",
            "/opt/cni/bin/bridge": network["cni-bridge"],
            "/opt/cni/bin/flannel": network["cni-flannel"],
        }
        derive(base, tag, files, [FLANNEL_IMAGE, *workloads.values()])
    return tag


def made_image(workloads: Mapping[str, str]) -> str:
    """The tag of such an image that is there already; empty for none."""
    tools = group("network")
    networks = ({tool.name: path_of(tool) for tool in tools}, taken_paths(tools))
    tags = [_tag(base, workloads, network) for network in networks for base in _bases()]
    return next((tag for tag in tags if image_id(tag)), "")


def base_there() -> str:
    """The node image without anything of ours that is there already; empty for none."""
    return next((tag for tag in (KIND_NODE_IMAGE, _assembled_tag()) if image_id(tag)), "")


def plain_image(agent: str, registries: Registries) -> str:
    """The tag of a node image with nothing of ours in it: kind's own, else the one assembled here.

    ``agent`` is the image of the node agent, on which kube-proxy's is built. The assembled one has no
    configuration of a Pod network.
    """
    return base_there() or _official(registries) or _assembled(agent, registries)


def _tag(base: str, workloads: Mapping[str, str], network: Mapping[str, Path]) -> str:
    shelves = sorted(path.parent.name for path in network.values())
    return f"podpath/node:{folder_hash(NODE, base, folder_hash(NODE), *sorted(workloads.values()), *shelves)}"


def _bases() -> tuple[str, ...]:
    return (KIND_NODE_IMAGE, KIND_NODE_TAG, _assembled_tag())


def _official(registries: Registries) -> str:
    """What to call kind's own node image here; empty where it is not to be had."""
    if registries.pulled(KIND_NODE_IMAGE):
        return KIND_NODE_IMAGE
    if registries.mirrored and registries.pulled(KIND_NODE_TAG):
        say(
            f"  Docker's mirror has another {KIND_NODE_TAG} than kind pins: it is taken as the mirror has it."
        )
        return KIND_NODE_TAG
    return ""


def _assembled_tag() -> str:
    keys = [tool.key for tool in group("node")]
    return f"podpath/node-base:{folder_hash(NODE, *keys)}"


def _assembled(agent: str, registries: Registries) -> str:
    """The node image made from Debian, kind's node files and binaries of pinned modules."""
    tag = _assembled_tag()
    programs = build(group("node"))
    bare = f"{tag}-bare"
    with step("assemble the node's root file system"), tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(module_dir(group("kind")[0]) / "images/base/files", context / "files")
        for path in (context / "files").rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        (context / "files/kind/version").write_text(KUBERNETES_VERSION)
        (context / "files/kind/manifests").mkdir()
        shutil.copy(NODE / "storage.yaml", context / "files/kind/manifests/default-storage.yaml")
        (context / "bin").mkdir()
        for name in PROGRAMS:
            shutil.copy(programs[name], context / "bin" / name)
        argv = [
            "build",
            "--quiet",
            "--network",
            "host",
            *build_arguments(),
            "--build-arg",
            f"DEBIAN={debian_image(registries)}",
            "--tag",
            bare,
        ]
        run(["docker", *argv, "--file", NODE / "Dockerfile", context], env=builder())
    with step("build the images of the control plane"):
        images = {f"registry.k8s.io/{name}:{KUBERNETES_VERSION}": name for name in CONTROL_PLANE}
        images |= {ETCD_TAG: "etcd", COREDNS_TAG: "coredns", PAUSE_TAG: "pause"}
        for image, name in images.items():
            import_program(programs[name], image)
        proxy = f"registry.k8s.io/kube-proxy:{KUBERNETES_VERSION}"
        add_programs(agent, [programs["kube-proxy"]], proxy)
    with (
        step("import them into the node's containerd"),
        container_of(bare, "--security-opt", "seccomp=unconfined") as node,
    ):
        _import(node, [*images, proxy])
        _commit(node, tag)
    return tag


def derive(base: str, tag: str, files: Mapping[str, Path], images: list[str]) -> None:
    """Makes the node image ``tag`` of another one: with ``files`` (path inside → file) and more images."""
    with container_of(base, "--security-opt", "seccomp=unconfined") as node:
        for inside, file in files.items():
            docker("exec", node, "mkdir", "-p", Path(inside).parent)
            docker("cp", file, f"{node}:{inside}")
        _import(node, images)
        _commit(node, tag)


def _import(node: str, images: list[str]) -> None:
    """Imports images into the node's content store; they are unpacked when a Pod first needs them."""
    docker("exec", "--detach", node, "containerd")
    eventually(
        lambda: docker("exec", node, "ctr", "plugins", "list", check=False),
        TIMEOUTS.engine,
        "containerd in the node image to answer",
    )
    load = [
        "ctr",
        "--namespace=k8s.io",
        "images",
        "import",
        "--label=io.cri-containerd.pinned=pinned",
        "--all-platforms",
        "--no-unpack",
        "-",
    ]
    pipe_images(images, ["docker", "exec", "--interactive", node, *load])
    docker("exec", node, "pkill", "-x", "containerd")
    eventually(
        lambda: not docker("exec", node, "pgrep", "-x", "containerd", check=False),
        TIMEOUTS.engine,
        "containerd in the node image to exit",
    )


def _commit(node: str, tag: str) -> None:
    docker(
        "commit",
        "--change",
        'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]',
        "--change",
        "CMD []",
        node,
        tag,
    )
