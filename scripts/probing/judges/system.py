"""How expectations about what commands print are judged: the DNS, namespaces, ports, environments, JSON."""

from __future__ import annotations

import re

from labs import model
from scripts.probing.judges.base import judge
from scripts.probing.observation import Observation
from scripts.probing.sections import Output
from scripts.probing.verdict import PASSED, Failure, Finding, combined, failed, inconclusive, skipped


@judge.register
def _(expected: model.ResolvesTo, seen: Observation) -> Finding:
    target, ask = seen.step.work.target, seen.step.probe.ask
    if target is None or target.service is None or not isinstance(ask, model.Resolve):
        return inconclusive(Failure.NO_JUDGE, "only the name of a Service is resolved")
    pods = {pod.name: pod.ip for pod in seen.view.pods(ask.lab, ask.service)} if ask.pods else {}
    behind = {endpoint.ip for endpoint in seen.view.endpoints(ask.lab, ask.service)}
    whole = {target.service.cluster_ip} if expected.what == "clusterIP" else behind
    return combined(
        _resolved(name, output, {pods[name.split(".")[0]]} if ask.pods else whole)
        for name, output in seen.outputs.items()
    )


def _resolved(name: str, output: Output, wanted: set[str]) -> Finding:
    if output.returncode == 2:  # getent(1): one or more supplied keys could not be found
        return failed(Failure.NAME_UNKNOWN, f"{name} does not resolve")
    if output.returncode:
        return inconclusive(Failure.NO_ANSWER, f"getent {name} ended with {output.returncode}")
    found = {line.split()[0] for line in output.text.splitlines() if line.strip()}
    if found != wanted:
        told = f"{name} resolves to {', '.join(sorted(found))}, not {', '.join(sorted(wanted))}"
        return failed(Failure.WRONG_ADDRESS, told)
    return PASSED


@judge.register
def _(expected: model.PortTaken, seen: Observation) -> Finding:
    ask = seen.step.probe.ask
    if not isinstance(ask, model.Bind):
        return inconclusive(Failure.NO_JUDGE, "nothing tried to listen")
    said = {}
    for line in seen.outputs["bind"].text.splitlines():
        port, _, word = line.partition(" ")
        said[port] = word
    taken, control = said.get(str(ask.port)), said.get(str(ask.control))
    if taken is None or control is None:
        return inconclusive(
            Failure.NO_ANSWER, f"no report on both ports: {seen.outputs['bind'].text.strip()}"
        )
    if control != "ok":
        return inconclusive(Failure.CONTROL_FAILED, f"the free port {ask.control} is refused too: {control}")
    if taken == "ok":
        return failed(Failure.PORT_FREE, f"a second listener on {ask.port} was let in")
    if "in use" not in taken:
        return inconclusive(Failure.NO_ANSWER, f"listening on {ask.port} failed otherwise: {taken}")
    return PASSED


@judge.register
def _(expected: model.SameNamespace, seen: Observation) -> Finding:
    looks = {who: _look(output) for who, output in seen.outputs.items()}
    blind = [who for who, look in looks.items() if look is None]
    if blind:
        said = seen.outputs[blind[0]].text.strip()
        return inconclusive(Failure.NO_ANSWER, f"the namespace of {blind[0]} could not be read: {said}")
    own, stranger = looks["self"], looks["stranger"]
    assert own is not None and stranger is not None
    for who, look in looks.items():
        if who.startswith("other") and look != own:
            return failed(Failure.WRONG_NAMESPACE, f"{seen.step.place} has {own}, the other container {look}")
    if stranger[0] == own[0]:
        why = f"a container of another Pod shows the same {own[0]}: the look proves nothing"
        return inconclusive(Failure.CONTROL_FAILED, why)
    if seen.step.place.ip not in own[1]:
        return failed(Failure.WRONG_ADDRESS, f"the API says {seen.step.place.ip}, the namespace has {own[1]}")
    return PASSED


def _look(output: Output) -> tuple[str, frozenset[str], frozenset[str]] | None:
    """(namespace inode, IPv4 addresses, interface names) of what ``plan.LOOK`` printed."""
    inode = re.search(r"^net:\[\d+\]$", output.text, re.MULTILINE)
    addresses = frozenset(re.findall(r"\binet (\S+?)/", output.text))
    links = frozenset(re.findall(r"^\d+: ([^:@\s]+)[@:]", output.text, re.MULTILINE))
    return (inode[0], addresses, links) if inode and addresses and links and not output.returncode else None


@judge.register
def _(expected: model.NotRouted, seen: Observation) -> Finding:
    text = seen.outputs["plain"].text
    head, _, said = text.partition("\n")
    if not head.startswith("connected"):
        return inconclusive(Failure.NO_ANSWER, f"no connection came about: {text.strip() or 'nothing'}")
    if "x-podpath-pod" in said.lower():
        return failed(Failure.UNEXPECTED_ANSWER, f"a backend answered what is no HTTP: {said[:200]!r}")
    refused = re.match(r"HTTP/1\.[01] 4\d\d ", said)
    if said.strip() and not refused:
        return inconclusive(Failure.NO_ANSWER, f"something else than a refusal came back: {said[:200]!r}")
    return PASSED


@judge.register
def _(expected: model.VariablesPresent, seen: Observation) -> Finding:
    ask = seen.step.probe.ask
    if not isinstance(ask, model.Variables):
        return inconclusive(Failure.NO_JUDGE, "only Pods are asked for variables")
    service = seen.view.service(ask.lab, ask.service)
    younger = [pod for pod in seen.view.pods(ask.lab, ask.workload) if pod.created > service.created]
    if not younger:
        return skipped(f"every Pod of {ask.workload} is as old as the Service {ask.service}, or older")
    prefix = ask.service.upper().replace("-", "_")
    port = next(iter(service.ports))
    wanted = {f"{prefix}_SERVICE_HOST={service.cluster_ip}", f"{prefix}_SERVICE_PORT={port}"}
    for pod in younger:
        missing = wanted - {*seen.outputs[pod.name].text.splitlines()}
        if missing:
            why = f"{pod.name} was created after the Service and lacks {', '.join(sorted(missing))}"
            return failed(Failure.NO_VARIABLES, why)
    return PASSED


@judge.register
def _(expected: model.ModeAccepted, seen: Observation) -> Finding:
    ask = seen.step.probe.ask
    if not isinstance(ask, model.ProxyMode):
        return inconclusive(Failure.NO_JUDGE, "no mode was asked for")
    mode, control, kernel = (seen.outputs.get(key) for key in ("mode", "control", "kernel"))
    if mode is None or control is None:
        return inconclusive(Failure.NO_JUDGE, "no mode was asked for")
    if kernel and kernel.returncode:
        return skipped(f"this kernel has no {ask.mode}: kube-proxy could not run in that mode here")
    if control.returncode:
        said = control.text.strip().splitlines()[-1:] or ["nothing"]
        return inconclusive(Failure.CONTROL_FAILED, f"even {ask.control} is refused: {said[0]}")
    if (mode.returncode == 0) == expected.accepted:
        if expected.accepted or ask.mode in mode.text:
            return PASSED
        return inconclusive(Failure.NO_ANSWER, f"kube-proxy failed otherwise: {mode.text.strip()[-200:]}")
    told = "accepts" if mode.returncode == 0 else "refuses"
    return failed(
        Failure.WRONG_MODE, f"kube-proxy {told} the mode {ask.mode}: {mode.text.strip()[-200:] or 'no error'}"
    )
