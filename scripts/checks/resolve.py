"""What the cluster's DNS answers for a Service's name, and for the Pod names behind a headless one (S8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from scripts.checks.base import Check, Command, Observation, Work
from scripts.checks.peers import Target
from scripts.checks.verdict import PASSED, Failure, Finding, combined, failed, inconclusive
from scripts.evidence.view import View
from scripts.transport.executor import Place
from scripts.transport.frames import TIMED_OUT, Output

PATIENCE = 4.0
"""Seconds for a lookup: resolv.conf(5) gives each server five, and a Pod has one."""


@dataclass(frozen=True)
class Resolve(Check):
    """A DNS lookup of a Service's full name, or (``pods``) of each Pod name behind a headless Service.

    It gives exactly the clusterIP, or exactly the Pods' IPs where the Service is headless.
    """

    both: ClassVar[bool] = True

    lab: str
    service: str
    pods: bool = False
    headless: bool = False
    over: Literal["", "TCP"] = ""
    """UDP, as resolvers do, or TCP alone (``use-vc`` in resolv.conf(5))."""

    def __str__(self) -> str:
        whose = "each Pod name behind " if self.pods else ""
        return f"the DNS{' over TCP' if self.over else ''} for the addresses of {whose}{self.service}"

    @property
    def expected(self) -> str:
        """The addresses."""
        return f"exactly the {'Pod IPs' if self.pods or self.headless else 'clusterIP'}"

    def work(self, probe: str, place: Place, view: View) -> Work:
        """A lookup by the C library for each name."""
        service = view.service(self.lab, self.service)
        name = service.full_name
        names = [f"{pod.name}.{name}" for pod in view.pods(self.lab, self.service)] if self.pods else [name]
        by = ("env", "RES_OPTIONS=use-vc") if self.over else ()
        lookup = ("getent", f"ahostsv{view.snapshot.family}")
        commands = tuple(
            Command(place, name, ("timeout", f"{PATIENCE:g}", *by, *lookup, name)) for name in names
        )
        return Work(commands=commands, target=Target(name, 53, service=service, lab=self.lab))

    def judge(self, seen: Observation) -> Finding:
        """Each lookup against what the API has."""
        service = seen.view.service(self.lab, self.service)
        behind = {endpoint.ip for endpoint in seen.view.endpoints(self.lab, self.service)}
        pods = {pod.name: pod.ip for pod in seen.view.pods(self.lab, self.service)} if self.pods else {}
        whole = behind if self.headless else {service.cluster_ip}
        return combined(
            _resolved(name, output, {pods[name.split(".")[0]]} if self.pods else whole)
            for name, output in seen.outputs.items()
        )


def _resolved(name: str, output: Output, wanted: set[str]) -> Finding:
    if output.returncode == TIMED_OUT:
        return failed(Failure.NO_DNS, f"no DNS server answered for {name} within {PATIENCE:g} s")
    if output.returncode == 2:  # getent(1): one or more supplied keys could not be found
        return failed(Failure.NAME_UNKNOWN, f"the DNS says that there is no name {name}")
    if output.returncode:
        return inconclusive(Failure.NO_ANSWER, f"getent {name} ended with {output.returncode}")
    found = {line.split()[0] for line in output.text.splitlines() if line.strip()}
    if found != wanted:
        why = f"{name} resolves to {', '.join(sorted(found))}, not {', '.join(sorted(wanted))}"
        return failed(Failure.WRONG_ADDRESS, why)
    return PASSED
