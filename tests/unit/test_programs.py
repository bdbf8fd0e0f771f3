"""Expectations about what programs print: the DNS, ports, namespaces, environments, modes, and the chain."""

from __future__ import annotations

import dataclasses
from datetime import datetime

import pytest

from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.view import View
from scripts.runs.claims import ClaimVerdict, claim_result
from tests.unit import atlas, world
from tests.unit.lies import Lies
from tests.unit.runs import F, I, P, S, finding, results

DNS = f"{atlas.SERVICE_NS}.svc.cluster.local"
TAKEN, FREE = "8080 Address already in use\n", "18080 ok\n"
SERVICES_AT = atlas.OLD.replace("00Z", "01Z")
JUST_AFTER = atlas.OLD.replace("00Z", "03Z")
"""Two seconds after that: not every kubelet need know of the Services by then."""
SAME = {"frontend/nginx": 7, "frontend/webapp": 7, "client-a/client": 7}


@pytest.mark.parametrize(
    ("lies", "probe", "verdict", "failure"),
    [
        # names
        (Lies(names={f"peer.{DNS}": "10.244.1.5"}), "S8-headless", F, Failure.WRONG_ADDRESS),
        (Lies(names={f"peer-0.peer.{DNS}": "10.244.2.5"}), "S8-pods", F, Failure.WRONG_ADDRESS),
        (Lies(names={f"frontend.{DNS}": "10.244.1.3"}), "S8-service", F, Failure.WRONG_ADDRESS),
        (Lies(names={f"frontend.{DNS}": ""}), "S8-service", F, Failure.NAME_UNKNOWN),
        # ports
        (Lies(bind="8080 ok\n" + FREE), "C3", F, Failure.PORT_FREE),
        (Lies(bind=TAKEN + "18080 Permission denied\n"), "C3", I, Failure.CONTROL_FAILED),
        (Lies(bind="8080 Permission denied\n" + FREE), "C3", I, Failure.NO_ANSWER),
        (Lies(bind="perl: not found\n"), "C3", I, Failure.NO_ANSWER),
        # namespaces
        (Lies(inode={"frontend/webapp": 7}), "C1", F, Failure.WRONG_NAMESPACE),
        (Lies(inode=SAME), "C1", I, Failure.CONTROL_FAILED),
        (Lies(lost={"webapp"}), "C1", I, Failure.TRANSPORT),
        # environments
        (Lies(env="spare"), "S10", F, Failure.NO_VARIABLES),
        (Lies(env="frontend-3"), "S10-frontend", F, Failure.NO_VARIABLES),
        (Lies(env="frontend-1"), "S10-frontend", P, None),
        (Lies(lost={"nginx"}), "S10-frontend", I, Failure.TRANSPORT),
        # modes
        (Lies(modes=("iptables", "nftables")), "S9-ipvs", F, Failure.WRONG_MODE),
        (Lies(modes=("iptables", "ipvs")), "S9-force", F, Failure.WRONG_MODE),
        (Lies(modes=("iptables", "userspace")), "S9-userspace", F, Failure.WRONG_MODE),
        (Lies(modes=()), "S9-ipvs", I, Failure.CONTROL_FAILED),
        (Lies(modes=()), "S9-userspace", I, Failure.CONTROL_FAILED),
        (Lies(mute={"S9-userspace/mode"}), "S9-userspace", I, Failure.NO_ANSWER),
        (Lies(lost={"kube-proxy"}), "S9-force", I, Failure.TRANSPORT),
        # the chain
        (Lies(chain={"rest": None}), "P6", F, Failure.BROKEN_CHAIN),
        (Lies(chain={"rest.database": None}), "P6", F, Failure.BROKEN_CHAIN),
        (Lies(chain={"rest.orders": []}), "P6", F, Failure.BROKEN_CHAIN),
        (Lies(chain={"error": "http://rest:8000/orders: refused"}), "P6", F, Failure.BROKEN_CHAIN),
        (Lies(chain={"pod": "stranger"}), "P6", F, Failure.WRONG_RESPONDER),
        (Lies(chain={"rest.pod": "front-1"}), "P6", F, Failure.WRONG_RESPONDER),
        (Lies(chain={"rest.database.server": "10.244.1.11"}), "P6", F, Failure.WRONG_RESPONDER),
        (Lies(chain={"rest.peer": "10.244.1.1:9"}), "P6", F, Failure.WRONG_SOURCE),
        (Lies(chain={"rest.database.client": "172.18.0.2"}), "P6", F, Failure.WRONG_SOURCE),
        (Lies(chain={"rest.nonce": "of another"}), "P6", F, Failure.WRONG_NONCE),
        (Lies(chain={"rest.database.nonce": None}), "P6", F, Failure.WRONG_NONCE),
        (Lies(natted=True), "P6", F, Failure.NAT_FOUND),
        (Lies(untracked=True), "P6", I, Failure.NO_EVIDENCE),
        (Lies(blind={"worker-b"}), "P6", I, Failure.NO_EVIDENCE),
        (Lies(chain={"rest.database.clientPort": 1}), "P6", I, Failure.NO_EVIDENCE),
        (Lies(silent={"10.96.0.60"}), "P6", F, Failure.NO_ANSWER),
        (Lies(chain_text="<html>Welcome to nginx!</html>"), "P6", F, Failure.BROKEN_CHAIN),
        (Lies(lost={"client"}), "P6", I, Failure.TRANSPORT),
    ],
)  # fmt: skip
def test_each_lie_is_noticed(lies: Lies, probe: str, verdict: Verdict, failure: Failure | None) -> None:
    seen = finding(lies, probe)
    assert (seen.verdict, seen.failure) == (verdict, failure), seen
    assert seen.why or verdict is P


def test_a_chain_on_one_node_crosses_none() -> None:
    shot = atlas.snapshot()
    moved = (dataclasses.replace(p, node="worker-a") if p.name == "database-0" else p for p in shot.pods)
    near = dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=tuple(moved)))
    red = finding(Lies(), "P6", view=near)
    assert red.failure is Failure.WRONG_PATH and "both on worker-a" in red.why


def created(at: str) -> View:
    """The cluster whose Pods were all created at once; its Services are of a second after ``OLD``."""
    shot, then = atlas.snapshot(), datetime.fromisoformat(at)
    pods = tuple(dataclasses.replace(pod, created=then) for pod in shot.pods)
    return dataclasses.replace(atlas.view(), snapshot=dataclasses.replace(shot, pods=pods))


@pytest.mark.parametrize("at", [atlas.OLD, SERVICES_AT, JUST_AFTER])
def test_pods_hardly_younger_than_the_service_say_nothing_by_lacking_its_variables(
    at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "CREATED", dict.fromkeys(atlas.PODS, atlas.OLD))
    seen = results(ids="S10 S10-frontend", view=created(at))
    assert {result.verdict for result in seen.values()} == {S}
    assert seen["S10-frontend"].why == "no Pod of frontend was created well after the Service frontend"
    assert claim_result([*seen.values()]).verdict is ClaimVerdict.NOT_APPLICABLE


def test_a_pod_of_the_services_own_second_that_has_its_variables_started_after_it() -> None:
    seen = results(ids="S10 S10-frontend", view=created(SERVICES_AT))
    assert {result.verdict for result in seen.values()} == {P}


def test_a_mode_that_is_no_more_refutes_and_says_what_there_is() -> None:
    seen = results(ids="S9-force S9-ipvs S9-userspace")
    claim = claim_result([*seen.values()])
    assert claim.verdict is ClaimVerdict.REFUTED
    assert claim.told.startswith("the userspace mode is gone (removed in Kubernetes 1.26)")


def test_what_was_refused_is_told_in_kube_proxys_words() -> None:
    why = finding(Lies(modes=("iptables", "nftables")), "S9-ipvs").why
    assert why.startswith("kube-proxy refuses the mode ipvs: ") and "unsupported proxy mode: ipvs" in why
