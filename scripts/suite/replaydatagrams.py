"""The part of the replay that asks ports of UDP: a few datagrams for each red, from ports of their own."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.causes.scene import Try
from scripts.checks.base import Step
from scripts.evidence import udpask
from scripts.evidence.ruletrace import PORTS, Passage
from scripts.suite.ask import Session
from scripts.transport.executor import PodExecError, text_of

FEW = 3
"""Datagrams for each red."""
Asked = dict[str, dict[int, udpask.Echo | str]]
"""By red, what came back by source port; a text where nothing is known."""


def ask(session: Session, steps: Sequence[Step]) -> Asked:
    """Asks each step's target once more, all at once; the ports are the last ones that are marked."""
    own = {
        step.probe.id: PORTS[-FEW * (n + 1) :][:FEW]
        for n, step in enumerate(steps[: len(PORTS) // (2 * FEW)])
    }

    def sent(step: Step) -> dict[int, udpask.Echo | str]:
        target, ports = step.work.target, own[step.probe.id]
        assert target is not None
        ip = next(iter(target.ips), target.address)
        try:
            done = session.execute(step.place, udpask.argv(ip, target.port, ports), b"", 10)
        except PodExecError as error:
            return dict.fromkeys(ports, str(error))
        session.teller.raw(f"replay datagrams {step.probe.id}", done)
        heard = udpask.read(text_of(done.stdout))
        return {port: heard.get(port, "it was not sent") for port in ports}

    chosen = [step for step in steps if step.probe.id in own]
    return dict(zip(own, session.threads.map(sent, chosen), strict=True))


def tries(asked: Asked, passages: Sequence[Passage]) -> dict[str, tuple[Try, ...]]:
    """What became of each datagram, with the rules that it met, by red."""
    return {
        id: tuple(
            Try(port, answer, tuple(one for one in passages if one.port == port))
            for port, answer in by_port.items()
        )
        for id, by_port in asked.items()
    }
