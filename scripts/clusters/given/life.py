"""The life of a stack on a given cluster: labs in namespaces of our own, deleted by their owner's label."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from scripts.build.clitools import deploying_tools, link_tools
from scripts.build.toolset import group
from scripts.build.workloads import DERIVED
from scripts.clusters.given import refusals
from scripts.clusters.given.access import NoContext, enter, identity_of, kubeconfig_of, terms_of
from scripts.clusters.given.ours import namespaces, refuse_strangers
from scripts.clusters.given.roles import lacking, rules_of
from scripts.errors import PodpathError, UsageError
from scripts.evidence.snapshot import snapshot_of
from scripts.evidence.world import OutsideWorld
from scripts.progress import say, step
from scripts.stack import deploy, drift
from scripts.stack.profile import Profile
from scripts.stack.state import state_file
from scripts.tiers import Tier
from scripts.transport.rest import Rest
from scripts.transport.tokens import token
from scripts.waiting import TIMEOUTS, eventually

MAKES = "namespace, object or stack"
PUSHED = "pushed.json"
"""The images in the stack's registry by digest, as `scripts/images push` left them."""
RUN_LABEL = "podpath/run"


def question(profile: Profile) -> str:
    """What is asked before the first write; empty where this stack has made something there already.

    Raises PodpathError when the cluster cannot be entered, or is another one than before.
    """
    terms = terms_of(profile)
    api = enter(profile)
    _same_cluster(profile, api)
    if namespaces(api, profile):
        return ""
    return (
        f"scripts/up {profile.stack} makes namespaces podpath-* on context {terms.context}, "
        f"server {api.server}, and changes nothing else there."
    )


def bring_up(
    profile: Profile,
    labs: Sequence[str],
    restore: Callable[[], None] = lambda: None,
    suspect: bool = False,
    build: bool = False,
) -> bool:
    """Deploys the labs; whether anything changed. See ``Provider.bring_up``."""
    terms = terms_of(profile)
    if terms.may < Tier.PODS:
        raise UsageError(
            f"tier 0 makes nothing: type scripts/doctor {profile.stack}, or set `tier` in "
            f"stacks/{profile.stack}.yaml."
        )
    images = images_of(profile)
    api = enter(profile)
    _same_cluster(profile, api)
    if missing := lacking(api, rules_of(terms, terms.may)):
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise PodpathError(
            f"context {terms.context} may not {', '.join(missing[:3])}{more}: grant what "
            f"`scripts/rights --tier {terms.may.value} {profile.stack}` prints."
        )
    refuse_strangers(api, profile)
    _tools()
    _write_down(profile, api, images)
    restore()
    lost = drift.lost_of_ours(profile, api)
    drift.clear(lost, api)
    try:
        with step("pulumi up"):
            done = deploy.deploy(profile, labs, compare=suspect or bool(lost))
    except PodpathError as error:
        raise PodpathError(f"{_why(profile, api) or error} {_left(profile, api)}") from error
    if refused := refusals.not_admitted(api, namespaces(api, profile)):
        raise PodpathError(f"{refused} {_left(profile, api)}")
    say(f"  {done}")
    return bool(lost) or not deploy.unchanged(done)


def tear_down(
    profile: Profile, restore: Callable[[], None] = lambda: None, at_once: bool = False
) -> list[str]:
    """Deletes what carries our owner's label, and names it; see ``Provider.tear_down``."""
    standing = state_file(profile).exists()
    if standing:
        _tools()
    removed = _taken_away(profile, standing, restore)
    profile.forget()
    return removed


def leftovers(profile: Profile) -> list[str]:
    """What of a stack is still there, in words; an empty list is the certificate."""
    left = ["Pulumi stack"] if state_file(profile).exists() else []
    try:
        kubeconfig_of(profile)
    except PodpathError:
        return left
    left += [f"namespace {name}" for name in namespaces(enter(profile), profile)]
    profile.kubeconfig.unlink(missing_ok=True)
    return left


def outside_of(profile: Profile) -> OutsideWorld | None:
    """None: nothing outside a given cluster is ours."""
    return None


def images_of(profile: Profile) -> dict[str, str]:
    """The image of each workload that is made there; raises PodpathError when one is not known."""
    terms, file = terms_of(profile), profile.folder / PUSHED
    pushed: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}
    wanted = [name for name in DERIVED if terms.agent or name != "node-agent"]
    known = {**pushed, **terms.images}
    if missing := [name for name in wanted if name not in known]:
        raise PodpathError(
            f"stack {profile.stack} has no image of {', '.join(missing)}: run scripts/images push "
            f"{profile.stack}, or name them under `images` in stacks/{profile.stack}.yaml."
        )
    return {name: known[name] for name in wanted}


def _tools() -> None:
    concerned = {tool.name for tool in group("pulumi", "provider", "kubectl")}
    link_tools(deploying_tools().values(), instead_of=concerned)


def _recorded(profile: Profile) -> str:
    """The cluster that the stack was deployed to; empty before that."""
    try:
        return str(json.loads((profile.folder / "cluster.json").read_text())["uid"])
    except (OSError, ValueError, KeyError):
        return ""


def _same_cluster(profile: Profile, api: Rest) -> None:
    if state_file(profile).exists() and _recorded(profile) not in ("", identity_of(api)):
        raise PodpathError(
            f"context {terms_of(profile).context} leads to another cluster than the one that stack "
            f"{profile.stack} was deployed to: run scripts/down {profile.stack}, which forgets that one."
        )


def _write_down(profile: Profile, api: Rest, images: Mapping[str, str]) -> None:
    """What the Pulumi program reads: which cluster, which images, on which terms."""
    terms, run = terms_of(profile), profile.folder / "run"
    if not run.exists():
        run.write_text(token(4, "run"))
    cluster = {"name": terms.context, "uid": identity_of(api)}
    nodes = snapshot_of(api.items("/api/v1/nodes"), (), (), (), ())
    said = {
        "given": True,
        "alone": len(nodes.workers) < 2,
        "dual": profile.dual,
        "labels": {**profile.owner, RUN_LABEL: run.read_text()},
        "agent": terms.agent,
        "balancer": "" if terms.loadBalancer == "default" else terms.loadBalancer,
        "ingress": terms.ingressClass,
        "gateway": terms.gatewayClass,
        "pullSecret": terms.pullSecret,
    }
    for name, value in (("cluster", cluster), ("images", images), ("terms", said)):
        (profile.folder / f"{name}.json").write_text(json.dumps(value, indent=1))


def _why(profile: Profile, api: Rest) -> str:
    """Why Pods of ours do not run; empty where nothing is known, or nobody answers."""
    try:
        return refusals.why(api, namespaces(api, profile))
    except PodpathError:
        return ""


def _left(profile: Profile, api: Rest) -> str:
    """What is there after a failure, and how it goes."""
    ends = f"scripts/down {profile.stack} removes them"
    try:
        there = namespaces(api, profile)
    except PodpathError:
        return f"The cluster no longer answers; what was made there is in namespaces podpath-*: {ends}."
    return f"Left there: namespaces {', '.join(there)}; {ends}." if there else "Nothing is left there."


def _taken_away(profile: Profile, standing: bool, restore: Callable[[], None]) -> list[str]:
    """Ends the stack where its cluster is; forgets a cluster that its context no longer leads to."""
    try:
        api = enter(profile)
    except NoContext:
        return [_forget(profile)] if standing else []
    if standing and _recorded(profile) not in ("", identity_of(api)):
        return [_forget(profile)]
    restore()
    return _end(profile, api, standing)


def _forget(profile: Profile) -> str:
    deploy.fresh_stack(profile)
    (label, owner), *_ = profile.owner.items()
    return (
        f"the stack's state: its cluster is no longer behind context {terms_of(profile).context}; what is "
        f"left there has the label {label}={owner}"
    )


def _end(profile: Profile, api: Rest, standing: bool) -> list[str]:
    """Destroys the labs, then deletes every namespace that has our owner's label and waits for its end."""
    removed = []
    if standing:
        with step("pulumi destroy"):
            removed.append(f"labs: {deploy.destroy(profile)}")
    left = namespaces(api, profile)
    for name in left:
        api.delete(f"/api/v1/namespaces/{name}")
    if left:
        gone = f"namespaces {', '.join(left)} to be gone"
        with step(f"delete {len(left)} namespaces"):
            eventually(lambda: not namespaces(api, profile), TIMEOUTS.deploy, gone)
        removed += [f"namespace {name}" for name in left]
    return removed
