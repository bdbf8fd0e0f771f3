"""The version of every tool, in one place: what is built from which pinned Go module.

The modules' own versions and checksums are in ``modules/<folder>/go.mod`` and ``go.sum``. Nearly all tools
share one module: what they have in common (client-go, gRPC) is compiled once, not once per tool in slightly
different versions. Those whose dependencies are years older have modules of their own.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from scripts.build.contenthash import folder_hash
from scripts.build.patches import (
    NEW_SIGNATURE,
    ONLY_OBJECTS,
    POLICIES_ONLY,
    PROVIDER,
    PULUMI,
    WITHOUT_API,
    WITHOUT_CLOUDS,
    Patch,
    without,
)

MODULES = Path(__file__).with_name("modules")
GO_VERSION = (1, 26)
"""The oldest Go that builds every module; go.mod's `go` lines agree."""
GO_PACKAGE = Path(__file__).with_name("go.txt")

KUBERNETES_VERSION = "v1.37.2"
KIND_NODE_TAG = "kindest/node:v1.37.0"
KIND_NODE_IMAGE = f"{KIND_NODE_TAG}@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
"""The default node image of the pinned kind (pkg/apis/config/defaults/image.go)."""
CLOUD_PROVIDER_IMAGE = "registry.k8s.io/cloud-provider-kind/cloud-controller-manager:v0.10.0"
FLANNELD_IMAGE = "flannel/flannel:v0.26.7"
CNI_FLANNEL_IMAGE = "flannel/flannel-cni-plugin:v1.6.2-flannel1"
"""The one in that flannel's own manifest (Documentation/kube-flannel.yml)."""
ETCD_TAG = "registry.k8s.io/etcd:3.7.0-0"
COREDNS_TAG = "registry.k8s.io/coredns/coredns:v1.14.6"
PAUSE_TAG = "registry.k8s.io/pause:3.10"

Group = Literal["kind", "pulumi", "provider", "kubectl", "balancer", "network", "policy", "node", "registry"]
Recipe = Literal["go", "copy", "cc"]

_STAMP = "k8s.io/component-base/version."
_KUBERNETES_STAMPS = tuple(
    f"-X {_STAMP}{name}={value}"
    for name, value in {
        "gitVersion": KUBERNETES_VERSION,
        "gitMajor": "1",
        "gitMinor": "37",
        "gitTreeState": "clean",
        "gitCommit": "0000000000000000000000000000000000000000",
        "buildDate": "1970-01-01T00:00:00Z",
    }.items()
)


@dataclass(frozen=True)
class Tool:
    """One program: the folder of its module, what to build there, and how.

    ``recipe`` is ``go`` for a Go package, ``copy`` for a script and ``cc`` for a C file of the module.
    ``beside`` names the program in whose folder this one has to be. ``patches`` are applied before the build.
    """

    name: str
    folder: str
    source: str
    groups: tuple[Group, ...]
    recipe: Recipe = "go"
    stamps: tuple[str, ...] = ()
    beside: str = ""
    patches: tuple[Patch, ...] = ()

    @property
    def shelf(self) -> str:
        """The name of the cache folder that holds the program."""
        host = next(tool for tool in TOOLS if tool.name == self.beside) if self.beside else self
        return f"{host.name}-{host.key}"

    @cached_property
    def key(self) -> str:
        """12 hexadecimal digits that stand for everything the program depends on."""
        recipe = (self.name, self.source, self.recipe, *self.stamps, platform.machine())
        recipe += tuple(text for patch in self.patches for text in patch)
        return folder_hash(MODULES / self.folder, *recipe)

    @property
    def ldflags(self) -> str:
        """The linker's flags: no symbol table, and the version stamps."""
        return " ".join(("-s -w", *self.stamps))

    @property
    def version(self) -> str:
        """The version of the module that holds the source, as go.mod pins it."""
        return self._pin[1]

    @property
    def module(self) -> str:
        """The path of the module that holds the source."""
        return self._pin[0]

    @cached_property
    def _pin(self) -> tuple[str, str]:
        lines = (MODULES / self.folder / "go.mod").read_text().splitlines()
        pins = [match.groups() for line in lines if (match := re.match(r"(?:require)?\s+(\S+) (v\S+)", line))]
        return max((path, version) for path, version in pins if f"{self.source}/".startswith(f"{path}/"))


def _kubernetes(name: str, *groups: Group) -> Tool:
    return Tool(name, SHARED, f"k8s.io/kubernetes/cmd/{name}", groups, stamps=_KUBERNETES_STAMPS)


SHARED = "shared"
_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_CNI = "github.com/containernetworking/plugins/plugins"
_COREDNS = "github.com/coredns/coredns"
_FLANNEL = "github.com/flannel-io/flannel"
_REGISTRY = "github.com/distribution/distribution/v3"

_BUCKETS = ("azure", "gcs", "middleware/cloudfront", "s3-aws")
"""Where the registry of the tests never keeps an image."""

TOOLS: tuple[Tool, ...] = (
    Tool("kind", SHARED, "sigs.k8s.io/kind", ("kind",)),
    Tool(
        "cloud-provider-kind",
        SHARED,
        "sigs.k8s.io/cloud-provider-kind",
        ("balancer",),
        patches=NEW_SIGNATURE,
    ),
    Tool(
        "pulumi",
        SHARED,
        f"{PULUMI}/pkg/v3/cmd/pulumi",
        ("pulumi",),
        stamps=(f"-X {PULUMI}/sdk/v3/go/common/version.Version=v3.259.0",),
        patches=(*WITHOUT_API, *WITHOUT_CLOUDS),
    ),
    Tool(
        "pulumi-language-python",
        "pulumi-language-python",
        f"{PULUMI}/sdk/v3/python/cmd/pulumi-language-python",
        ("pulumi",),
    ),
    Tool(
        "pulumi-language-python-exec",
        "pulumi-language-python",
        f"{PULUMI}/sdk/v3/python/cmd/pulumi-language-python-exec",
        ("pulumi",),
        recipe="copy",
        beside="pulumi-language-python",
    ),
    Tool(
        "pulumi-resource-kubernetes",
        SHARED,
        f"{PROVIDER}/cmd/pulumi-resource-kubernetes",
        ("provider",),
        patches=ONLY_OBJECTS,
    ),
    _kubernetes("kubectl", "kubectl", "node"),
    _kubernetes("kubeadm", "node"),
    _kubernetes("kubelet", "node"),
    _kubernetes("kube-apiserver", "node"),
    _kubernetes("kube-controller-manager", "node"),
    _kubernetes("kube-scheduler", "node"),
    _kubernetes("kube-proxy", "node"),
    Tool("pause", SHARED, "k8s.io/kubernetes/build/pause/linux/pause.c", ("node",), recipe="cc"),
    Tool("containerd", SHARED, f"{_CONTAINERD}/containerd", ("node",)),
    Tool("containerd-shim-runc-v2", SHARED, f"{_CONTAINERD}/containerd-shim-runc-v2", ("node",)),
    Tool("ctr", SHARED, f"{_CONTAINERD}/ctr", ("node",)),
    Tool("crictl", SHARED, "sigs.k8s.io/cri-tools/cmd/crictl", ("node",)),
    Tool("etcd", SHARED, "go.etcd.io/etcd/server/v3", ("node",)),
    Tool(
        "coredns",
        SHARED,
        _COREDNS,
        ("node",),
        patches=without(
            "core/plugin/zplugin.go",
            f"{_COREDNS}/plugin/azure",
            f"{_COREDNS}/plugin/clouddns",
            f"{_COREDNS}/plugin/route53",
            f"{_COREDNS}/plugin/trace",
        ),
    ),
    Tool(
        "flannel",
        SHARED,
        _FLANNEL,
        ("network",),
        patches=without(
            "main.go",
            f"{_FLANNEL}/pkg/backend/alloc",
            f"{_FLANNEL}/pkg/backend/tencentvpc",
            f"{_FLANNEL}/pkg/backend/udp",  # which would need a C compiler, too
        ),
    ),
    Tool("cni-flannel", "cni", f"{_CNI}/meta/flannel", ("network",)),
    Tool("cni-bridge", "cni", f"{_CNI}/main/bridge", ("network",)),
    Tool(
        "kube-router",
        "kube-router",
        "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
        ("policy",),
        patches=POLICIES_ONLY,
    ),
    Tool(
        "registry",
        "registry",
        f"{_REGISTRY}/cmd/registry",
        ("registry",),
        patches=without(
            "cmd/registry/main.go",
            *(f"{_REGISTRY}/registry/storage/driver/{name}" for name in _BUCKETS),
        ),
    ),
)


def group(*names: Group) -> list[Tool]:
    """The tools of these groups, in the order of the table."""
    return [tool for tool in TOOLS if set(tool.groups) & set(names)]
