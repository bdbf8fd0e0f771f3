"""Looks at the features of a stack's cluster for `scripts/doctor`, and makes nothing there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from scripts.clusters.base import probed
from scripts.clusters.datapaths import kernel_features
from scripts.clusters.feature import Feature
from scripts.clusters.features import features_of
from scripts.clusters.given.access import enter
from scripts.errors import PodpathError
from scripts.evidence.nodeview import collect, commands
from scripts.stack.outputs import outputs_of
from scripts.stack.profile import Profile
from scripts.transport.executor import CompletedExec


def features(profile: Profile) -> list[Feature]:
    """The features of the stack's cluster, each with its reason; raises PodpathError if it does not answer.

    What only a kernel shows is told where node agents run.
    """
    if profile.terms is not None:
        enter(profile)
    try:
        outputs = outputs_of(profile)
    except PodpathError:  # no labs yet: the API is looked at alone
        outputs = {}
    cluster = probed(profile, outputs)
    view = cluster.look()
    found = features_of(view)
    agents = view.agent_places()
    if not agents and not view.blind:
        return found
    with ThreadPoolExecutor(len(agents) or 1) as threads:
        kernel = collect(agents, commands(()), cluster.execute, threads, _forget)
    return [*found, *kernel_features(view, kernel)]


def _forget(name: str, done: CompletedExec) -> None:
    """Keeps no raw output: nothing is judged."""
