"""Pods of a lab that are replaced while clients go on asking: what the checks of K4, K5 and K7 share."""

from __future__ import annotations

from collections.abc import Iterable

from scripts.checks.base import Stage
from scripts.evidence.snapshot import PodInfo, pod_of
from scripts.waiting import TIMEOUTS, Late, eventually


def pods_of(stage: Stage, lab: str, workload: str) -> list[PodInfo]:
    """The Pods of a workload as the API has them now, those that are leaving included."""
    namespace = stage.view.namespace(lab)
    wanted = dict(part.split("=", 1) for part in stage.view.lab(lab)["pods"][workload]["selector"].split(","))
    listed = map(pod_of, stage.api.get(f"/api/v1/namespaces/{namespace}/pods")["items"])
    return [pod for pod in listed if wanted.items() <= pod.labels.items()]


def deleted(stage: Stage, pod: PodInfo) -> None:
    """Deletes a Pod, which then has its own grace period to end."""
    stage.api.delete(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}")


def complete(stage: Stage, lab: str, workload: str, without: Iterable[str] = ()) -> bool:
    """Waits until as many Pods of a workload as at the run's start are ready, none is leaving, and none has
    a uid of ``without``. Returns whether it came to that in time: the next run waits for it, too."""
    count, gone = len(stage.view.pods(lab, workload)), {*without}

    def there() -> bool:
        pods = pods_of(stage, lab, workload)
        good = all(pod.ready and not pod.leaving and pod.uid not in gone for pod in pods)
        return good and len(pods) == count

    try:
        what = f"{count} Pods of {workload} to be ready and no other one to be left"
        return eventually(there, TIMEOUTS.successor, what)
    except Late:
        return False
