"""What causes advise works when it is pasted: on the real cluster, under real faults."""

from __future__ import annotations

import pytest

from scripts.fault import every_fault
from tests.cluster.advice import advised
from tests.cluster.conftest import Command

CHEAP = (
    *("synack", "bridgenf", "forwarding_off", "reverse_path", "blackhole", "route_detached"),
    *("hairpin", "mtu", "veth_off", "veth_down", "address_taken", "dead"),
)
"""Faults whose causes advise more than ``scripts/up``, and that last no longer than a run."""


def test_the_stack_is_up(scripts: Command) -> None:
    assert scripts("up", "--no-probe").returncode == 0


@pytest.mark.parametrize("name", CHEAP)
def test_what_is_advised_can_be_pasted_and_mends(name: str) -> None:
    assert name in every_fault()
    (one,) = advised([name])
    assert one.causes and one.bad == [] and one.red == [] and one.left == []
