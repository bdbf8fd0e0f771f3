"""Every version of every tool, once: what is built from which pinned Go module.

The modules' own versions and checksums stand in ``modules/<folder>/go.mod`` and ``go.sum``; one module a
folder, so their dependencies never meet.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from scripts.cluster.contenthash import folder_hash

MODULES = Path(__file__).with_name("modules")
GO_VERSION = (1, 26)
"""The oldest Go that builds every module; go.mod's `go` lines agree."""
GO_PACKAGE = Path(__file__).with_name("go.txt")

KUBERNETES_VERSION = "v1.37.2"
KIND_NODE_IMAGE = (
    "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
)
"""The default node image of the pinned kind (pkg/apis/config/defaults/image.go)."""
ETCD_TAG = "registry.k8s.io/etcd:3.7.0-0"
COREDNS_TAG = "registry.k8s.io/coredns/coredns:v1.14.6"
PAUSE_TAG = "registry.k8s.io/pause:3.10"

Group = Literal["kind", "pulumi", "provider", "kubectl", "balancer", "network", "node"]
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
class Patch:
    """What is exchanged in one ``file`` of a ``module`` that a tool is built with: old text → new text."""

    module: str
    file: str
    texts: tuple[tuple[str, str], ...]


QUICK_CLIENT = Patch(
    "k8s.io/client-go",
    "rest/config.go",
    (
        ("DefaultQPS   float32 = 5.0", "DefaultQPS   float32 = 100"),
        ("DefaultBurst int     = 10", "DefaultBurst int     = 200"),
    ),
)
"""Asks the API server 100 times a second instead of 5, for a program that lets nobody set it."""


@dataclass(frozen=True)
class Tool:
    """One program: the folder of its module, what to build there, and how.

    ``recipe`` is ``go`` for a Go package, ``copy`` for a script and ``cc`` for a C file of the module.
    ``beside`` names the program in whose folder this one has to lie. ``patch`` is made before it is built.
    """

    name: str
    folder: str
    source: str
    groups: tuple[Group, ...]
    recipe: Recipe = "go"
    cgo: bool = False
    stamps: tuple[str, ...] = ()
    beside: str = ""
    patch: Patch | None = None

    @property
    def shelf(self) -> str:
        """The name of the cache folder that holds the program."""
        host = next(tool for tool in TOOLS if tool.name == self.beside) if self.beside else self
        return f"{host.name}-{host.key}"

    @cached_property
    def key(self) -> str:
        """12 hexadecimal digits that stand for everything the program depends on."""
        recipe = (self.name, self.source, self.recipe, str(self.cgo), *self.stamps, platform.machine())
        recipe += (repr(self.patch),) if self.patch else ()
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
    return Tool(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}", groups, stamps=_KUBERNETES_STAMPS)


_CONTAINERD = "github.com/containerd/containerd/v2/cmd"
_PULUMI = "github.com/pulumi/pulumi"
_CNI = "github.com/containernetworking/plugins/plugins"

TOOLS: tuple[Tool, ...] = (
    Tool("kind", "kind", "sigs.k8s.io/kind", ("kind",)),
    Tool("cloud-provider-kind", "cloud-provider-kind", "sigs.k8s.io/cloud-provider-kind", ("balancer",)),
    Tool(
        "pulumi",
        "pulumi",
        f"{_PULUMI}/pkg/v3/cmd/pulumi",
        ("pulumi",),
        stamps=(f"-X {_PULUMI}/sdk/v3/go/common/version.Version=v3.259.0",),
    ),
    Tool(
        "pulumi-language-python",
        "pulumi-language-python",
        f"{_PULUMI}/sdk/v3/python/cmd/pulumi-language-python",
        ("pulumi",),
    ),
    Tool(
        "pulumi-language-python-exec",
        "pulumi-language-python",
        f"{_PULUMI}/sdk/v3/python/cmd/pulumi-language-python-exec",
        ("pulumi",),
        recipe="copy",
        beside="pulumi-language-python",
    ),
    Tool(
        "pulumi-resource-kubernetes",
        "pulumi-kubernetes",
        "github.com/pulumi/pulumi-kubernetes/provider/v2/cmd/pulumi-resource-kubernetes",
        ("provider",),
        patch=QUICK_CLIENT,
    ),
    _kubernetes("kubectl", "kubectl", "node"),
    _kubernetes("kubeadm", "node"),
    _kubernetes("kubelet", "node"),
    _kubernetes("kube-apiserver", "node"),
    _kubernetes("kube-controller-manager", "node"),
    _kubernetes("kube-scheduler", "node"),
    _kubernetes("kube-proxy", "node"),
    Tool("pause", "kubernetes", "k8s.io/kubernetes/build/pause/linux/pause.c", ("node",), recipe="cc"),
    Tool("containerd", "containerd", f"{_CONTAINERD}/containerd", ("node",)),
    Tool("containerd-shim-runc-v2", "containerd", f"{_CONTAINERD}/containerd-shim-runc-v2", ("node",)),
    Tool("ctr", "containerd", f"{_CONTAINERD}/ctr", ("node",)),
    Tool("crictl", "crictl", "sigs.k8s.io/cri-tools/cmd/crictl", ("node",)),
    Tool("etcd", "etcd", "go.etcd.io/etcd/server/v3", ("node",)),
    Tool("coredns", "coredns", "github.com/coredns/coredns", ("node",)),
    Tool("flannel", "flannel", "github.com/flannel-io/flannel", ("network",), cgo=True),
    Tool("cni-flannel", "cni", f"{_CNI}/meta/flannel", ("network",)),
    Tool("cni-bridge", "cni", f"{_CNI}/main/bridge", ("network",)),
)


def group(*names: Group) -> list[Tool]:
    """The tools of these groups, in the order of the table."""
    return [tool for tool in TOOLS if set(tool.groups) & set(names)]
