"""The Service's variables in the environment of Pods that were created after it (claim S10)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.verdict import PASSED, Failure, Finding, failed, skipped
from scripts.evidence.view import View
from scripts.transport.executor import Place

HEARD = timedelta(seconds=5)
"""By then each kubelet knows of a Service; creation times are given to the second."""


@dataclass(frozen=True)
class Variables(Check):
    """The environment of each Pod of a workload, for the variables of a Service of its namespace.

    Pods created after the Service have its address in their environment; older ones need not.
    https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
    """

    lab: str
    workload: str
    service: str

    def __str__(self) -> str:
        return f"the Pods of {self.workload} for the variables of Service {self.service}"

    @property
    def expected(self) -> str:
        """Host and port."""
        return "present in each Pod created after the Service"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """``env`` in each Pod."""
        pods = view.pods(self.lab, self.workload)
        return Work(commands=tuple(Command(view.place(pod), pod.name, ("env",)) for pod in pods))

    def judge(self, seen: Observation) -> Finding:
        """A Pod that has the variables is newer than the Service; one that must be newer may not lack them.

        A kubelet hears of a Service a moment after it was created, and gives a container the variables of
        those that it knows by then: a Pod of the same few seconds may or may not have them.
        """
        service = seen.view.service(self.lab, self.service)
        prefix = self.service.upper().replace("-", "_")
        port = service.ports[0].port
        wanted = {f"{prefix}_SERVICE_HOST={service.cluster_ip}", f"{prefix}_SERVICE_PORT={port}"}
        present = 0
        for pod in seen.view.pods(self.lab, self.workload):
            missing = wanted - {*seen.outputs[pod.name].text.splitlines()}
            if missing and pod.created > service.created + HEARD:
                why = f"{pod.name} was created after the Service and lacks {', '.join(sorted(missing))}"
                return failed(Failure.NO_VARIABLES, why)
            present += not missing
        if not present:
            return skipped(f"no Pod of {self.workload} was created well after the Service {self.service}")
        return PASSED
