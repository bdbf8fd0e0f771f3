"""How resources hang together: parents, namespaces, deletion, time-outs, the one provider."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pulumi
import pytest

from labs import LABS
from labs.deploy import LABS_VARIABLE, chosen, component_of, deploy_labs
from labs.pod_to_service.component import advertised
from labs.target import Images
from tests.components.conftest import IMAGES, TARGET, everything
from tests.components.stage import Registered, Stage, perform

COMPONENTS = {
    "platform": ("Platform", 3),
    "container-to-container": ("ContainerToContainer", 2),
    "pod-to-pod": ("PodToPod", 8),
    "pod-to-service": ("PodToService", 7),
    "egress": ("Egress", 2),
    "ingress-l4": ("IngressL4", 4),
    "ingress-l7": ("IngressL7", 10),
    "pitfalls": ("Pitfalls", 16),
}
"""Each component's class and its number of Kubernetes objects; any other lab has two or more."""
BALANCED = {"pod-to-service": {"Service": 1}, "ingress-l4": {"Service": 2}}
BALANCED |= {"ingress-l7": {"Ingress": 1, "Gateway": 1}}
"""The objects of a lab that something outside the cluster acts on; what others have is not counted."""

DECLARED = ("platform", *LABS)


def owner_of(each: Registered) -> str:
    """The name of the component that an object belongs to."""
    return each.parent.rsplit("::", 1)[1]


def objects(stage: Stage) -> list[Registered]:
    """All Kubernetes objects."""
    found = [each for each in stage.seen if each.type.startswith("kubernetes:")]
    counts = Counter(map(owner_of, found))
    assert {*counts} == {*DECLARED}
    for name, count in counts.items():
        assert count == COMPONENTS.get(name, ("", max(count, 2)))[1], name
    return found


def waits_for_a_balancer(each: Registered) -> bool:
    """Whether something outside the cluster acts on the object, and must be told of its end."""
    return each.kind in ("Ingress", "Gateway") or each.inputs.get("spec", {}).get("type") == "LoadBalancer"


def test_every_lab_is_a_component_with_one_namespace_for_all_it_has(stage: Stage) -> None:
    components = {each.name: each.type for each in stage.seen if each.type.startswith("podpath:labs:")}
    classes = {lab: component_of(lab).__name__ for lab in LABS} | {
        name: kind for name, (kind, _) in COMPONENTS.items() if name in DECLARED
    }
    assert components == {name: f"podpath:labs:{kind}" for name, kind in classes.items()}
    for each in objects(stage):
        owner = owner_of(each)
        home = "podpath-system" if owner == "platform" else f"podpath-{owner}"
        metadata = each.inputs["metadata"]
        assert owner in components
        assert (metadata["name"] if each.kind == "Namespace" else metadata["namespace"]) == home


def test_names_tell_the_component_they_belong_to(stage: Stage) -> None:
    names = [(each.type, each.name) for each in stage.seen]
    assert len(names) == len({*names})
    for each in objects(stage):
        if each.kind != "Namespace":
            assert each.name.startswith(owner_of(each) + "-")


def test_everything_uses_the_one_pinned_provider(stage: Stage) -> None:
    (provider,) = stage.of("kubernetes")
    inputs = {**provider.inputs, "kubeconfig": provider.inputs["kubeconfig"]["value"]}
    assert provider.type == "pulumi:providers:kubernetes"
    assert inputs == {
        "kubeconfig": TARGET.kubeconfig,
        "context": TARGET.context,
        "clusterIdentifier": TARGET.identity,
    }
    assert all("::cluster::" in each.provider for each in objects(stage))


def test_objects_go_with_their_namespace_except_what_a_balancer_acts_on(stage: Stage) -> None:
    alone = [each for each in objects(stage) if waits_for_a_balancer(each)]
    counts = Counter((owner_of(each), each.kind) for each in alone if owner_of(each) in COMPONENTS)
    assert counts == {(lab, kind): n for lab, kinds in BALANCED.items() for kind, n in kinds.items()}
    for each in objects(stage):
        if each.kind == "Namespace" or each in alone:
            assert not each.deleted_with
        else:
            assert each.deleted_with.endswith("::" + each.inputs["metadata"]["namespace"])


def test_waiting_for_a_balancer_ends_after_two_minutes(stage: Stage) -> None:
    assert {each.create_timeout for each in objects(stage) if waits_for_a_balancer(each)} == {"2m"}


def test_namespaces_are_waited_for(stage: Stage) -> None:
    for each in stage.of("Namespace"):
        assert "pulumi.com/skipAwait" not in each.inputs["metadata"].get("annotations", {})


def test_frontend_is_spread_over_the_nodes_that_take_it(stage: Stage) -> None:
    template = stage.one("Deployment", "frontend", "pod-to-service")["spec"]["template"]
    (rule,) = template["spec"]["topologySpreadConstraints"]
    assert rule["nodeTaintsPolicy"] == "Honor"
    assert rule["labelSelector"] == {"matchLabels": {"app": "frontend"}}


def test_a_preview_knows_no_ip_yet_and_does_not_mind() -> None:
    _, exports = perform(everything, preview=True, balanced=False)
    assert isinstance(exports["outputs"]["pod-to-service"]["frontendIp"], pulumi.output.Unknown)


def test_no_balancer_means_no_ip_instead_of_a_crash() -> None:
    _, exports = perform(everything, balanced=False)
    assert exports["outputs"]["pod-to-service"] == {"frontendIp": None}
    assert advertised(None) is None


def test_only_the_chosen_labs_are_deployed() -> None:
    stage, result = perform(lambda: [*deploy_labs(("ingress-l7",), IMAGES, pulumi.ResourceOptions())])
    assert result == ["ingress-l7"]
    assert [each.inputs["metadata"]["name"] for each in stage.of("Namespace")] == ["podpath-ingress-l7"]


def test_a_missing_image_is_one_sentence() -> None:
    with pytest.raises(
        pulumi.RunError, match=r"^the image of workload 'nginx' was not built: run scripts/up\.$"
    ):
        perform(lambda: [*deploy_labs(("ingress-l7",), Images({}), pulumi.ResourceOptions())])


def test_every_lab_has_a_component_of_its_own() -> None:
    assert len({component_of(lab) for lab in LABS}) == len(LABS)


@pytest.mark.parametrize(
    ("setting", "labs"),
    [
        (None, LABS),
        ("", LABS),
        ("ingress-l7", ("ingress-l7",)),
        ("pod-to-service, container-to-container", ("container-to-container", "pod-to-service")),
        ('["ingress-l7","pod-to-service"]', ("pod-to-service", "ingress-l7")),
    ],
)
def test_labs_are_chosen_by_configuration(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, labs: tuple[str, ...]
) -> None:
    monkeypatch.delenv(LABS_VARIABLE, raising=False)
    assert chosen(config(labs=setting)) == labs


def test_labs_of_one_run_come_before_the_configured_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(LABS_VARIABLE, "pod-to-service")
    assert chosen(config(labs="ingress-l7")) == ("pod-to-service",)


@pytest.mark.parametrize("setting", ["nope", "ingress-l7,nope", '["nope"]'])
def test_an_unknown_lab_is_told_the_known_ones(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.delenv(LABS_VARIABLE, raising=False)
    with pytest.raises(pulumi.RunError, match=r"^there is no lab nope: .* " + ", ".join(LABS) + r"\.$"):
        chosen(config(labs=setting))


def config(**settings: Any) -> pulumi.Config:
    """The stack's configuration."""
    texts = {f"podpath:{key}": value for key, value in settings.items() if value is not None}
    pulumi.runtime.set_all_config(texts)
    return pulumi.Config("podpath")
