"""The part of the replay that asks ports of UDP: a few datagrams for each red, from ports of their own."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.causes.scene import UNSENT, Try
from scripts.checks.base import Step
from scripts.evidence import udpask
from scripts.evidence.ruletrace import PORTS, Passage
from scripts.suite.ask import Session
from scripts.transport.executor import PodExecError, text_of
from scripts.transport.tokens import token

FEW = 3
"""Datagrams for each red."""
Asked = dict[str, dict[int, udpask.Echo | str]]
"""By red, what came back by source port; a text where nothing is known."""


def ask(session: Session, steps: Sequence[Step]) -> Asked:
    """Asks each step's target once more, all at once, from ports whose connections no kernel knows yet."""
    half = PORTS[len(PORTS) // 2 :]  # the others are for TCP
    groups = len(half) // FEW
    first = int(token(4, "datagrams"), 16) % groups
    own = {step.probe.id: half[FEW * ((first + n) % groups) :][:FEW] for n, step in enumerate(steps[:groups])}

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
        return {port: heard.get(port, UNSENT) for port in ports}

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
