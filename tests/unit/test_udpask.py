"""Datagrams of the replay: sent for real over loopback, and put beside the rules that they met."""

from __future__ import annotations

import socket
import subprocess
import threading

import pytest

from scripts.evidence import udpask
from scripts.evidence.udpask import Echo
from scripts.suite.replaydatagrams import tries
from tests.unit.scenes import rule, way


def _free() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _asked(port: int) -> dict[int, Echo]:
    own = [_free(), _free()]
    done = subprocess.run(udpask.argv("127.0.0.1", port, own), capture_output=True, text=True, timeout=20)
    found = udpask.read(done.stdout)
    assert sorted(found) == sorted(own), done.stderr
    return found


@pytest.mark.parametrize(("answers", "said"), [(True, "answer"), (False, "late")])
def test_what_comes_back_is_told_by_source_port(answers: bool, said: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)

        def serve() -> None:
            for _ in range(2):
                text, peer = server.recvfrom(100)
                if answers:
                    server.sendto(text, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = _asked(server.getsockname()[1])
        thread.join()
    assert {one.said for one in found.values()} == {said}
    assert {one.answered for one in found.values()} == {answers}


def test_that_nobody_listens_is_an_error() -> None:
    assert {one.said for one in _asked(_free()).values()} == {"error"}


def test_each_datagram_has_the_rules_that_it_met() -> None:
    drop = way(rule("-p udp -j DROP", "DROP"), src="10.244.1.9:23998", dst="10.244.2.5:5300", flags="")
    (first, second) = tries({"K4-1": {23998: Echo("late"), 23999: "not sent"}}, [drop])["K4-1"]
    assert [rule for _, rule in first.ends] and not first.passes
    assert not second.passages and not second.passes
    assert tries({"K4-1": {23998: Echo("answer")}}, [])["K4-1"][0].passes
