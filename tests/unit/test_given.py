"""A given cluster: what is wrong with it is one sentence, and nothing is made or deleted that is not ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.cli import doctor, trace
from scripts.clusters.given import access, life, refusals
from scripts.clusters.given.ours import namespaces
from scripts.errors import PodpathError, UsageError
from scripts.paths import ROOT
from scripts.stack import deploy, drift
from scripts.stack import profile as profiles
from scripts.stack.profile import Profile
from scripts.stack.terms import Terms, read_terms
from tests.unit.serverofapi import ApiServer, serving

WORKLOADS = ("client", "database", "datagram", "nginx", "node-agent", "rest", "webapp")
REGISTRY = "registry.example/podpath"
SHOP = {"provider": "given", "kubeconfig": "theirs", "context": "shop", "registry": REGISTRY}


class Deployed:
    """What Pulumi would do: ``fails`` is what it says instead; ``then`` happens before that."""

    def __init__(self) -> None:
        self.fails, self.said = "", "12 created"
        self.then: Callable[[], None] = lambda: None
        self.done: list[str] = []

    def deploy(self, profile: Profile, labs: Any, compare: bool = False) -> str:
        self.then()
        if self.fails:
            raise PodpathError(self.fails)
        self.done.append("deploy")
        return self.said

    def destroy(self, profile: Profile) -> str:
        self.done.append("destroy")
        return "12 deleted"


@pytest.fixture
def api() -> Iterator[ApiServer]:
    with serving() as server:
        yield server


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, api: ApiServer) -> Profile:
    """A stack on that server, whose images have been pushed."""
    monkeypatch.setattr(profiles, "STACKS", tmp_path)
    monkeypatch.setattr(profiles, "STATE", tmp_path / "state")
    monkeypatch.setattr(access, "ROOT", tmp_path)
    (tmp_path / "shop.yaml").write_text(yaml.safe_dump(SHOP))
    (tmp_path / "Pulumi.shop.yaml").write_text("")
    (tmp_path / "theirs").write_text(yaml.safe_dump(kubeconfig(api.url)))
    stack = Profile("shop")
    images = {name: f"registry.example/podpath/{name}@sha256:0a" for name in WORKLOADS}
    (stack.folder / life.PUSHED).write_text(json.dumps(images))
    return stack


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Deployed:
    deployed = Deployed()
    monkeypatch.setattr(life, "_tools", lambda: None)
    monkeypatch.setattr(deploy, "deploy", deployed.deploy)
    monkeypatch.setattr(deploy, "destroy", deployed.destroy)
    monkeypatch.setattr(deploy, "fresh_stack", lambda profile: deployed.done.append("forget"))
    monkeypatch.setattr(drift, "lost_of_ours", lambda profile, api: [])
    monkeypatch.setattr(life, "state_file", lambda profile: tmp_path / "stack.json")
    return deployed


def kubeconfig(url: str) -> dict[str, Any]:
    """Two contexts, of which ours is not the current one."""
    return {
        "current-context": "other",
        "contexts": [
            {"name": "other", "context": {"cluster": "other", "user": "me"}},
            {"name": "shop", "context": {"cluster": "shop", "user": "me"}},
        ],
        "clusters": [
            {"name": "other", "cluster": {"server": "http://127.0.0.1:1"}},
            {"name": "shop", "cluster": {"server": url}},
        ],
        "users": [{"name": "me", "user": {"token": "t"}}],
    }


def refused(profile: Profile) -> str:
    """The sentence with which `scripts/up` ends."""
    with pytest.raises(PodpathError) as error:
        life.question(profile)
        life.bring_up(profile, [])
    assert error.value.exit_code == 3 and "\n" not in str(error.value)
    return str(error.value)


def rewrite(profile: Profile, **terms: Any) -> Profile:
    """The same stack on other terms."""
    written = {key: value for key, value in {**SHOP, **terms}.items() if value is not None}
    (profile.folder.parent.parent / "shop.yaml").write_text(yaml.safe_dump(written))
    return Profile("shop")


def test_one_context_is_copied_and_what_it_names_comes_with_it(shop: Profile, tmp_path: Path) -> None:
    theirs = kubeconfig("https://x")
    theirs["users"][0]["user"] = {
        "client-certificate": "me.crt",
        "tokenFile": "token",
        "client-key-data": "a2V5",
    }
    (tmp_path / "theirs").write_text(yaml.safe_dump(theirs))
    (tmp_path / "me.crt").write_text("certificate")
    copy = yaml.safe_load(access.kubeconfig_of(shop))
    assert [of["name"] for of in copy["contexts"]] == ["shop"] and copy["current-context"] == "shop"
    user = copy["users"][0]["user"]
    assert user["client-certificate-data"] == "Y2VydGlmaWNhdGU=" and user["client-key-data"] == "a2V5"
    assert user["tokenFile"] == str(tmp_path / "token") and "client-certificate" not in user


def test_what_is_asked_names_context_and_server_until_something_of_ours_is_there(
    shop: Profile, api: ApiServer
) -> None:
    asked = life.question(shop)
    assert "context shop" in asked and api.url in asked and api.done == []
    api.namespaces["podpath-egress"] = shop.owner
    assert life.question(shop) == ""


def test_the_labs_are_told_owner_run_and_images(shop: Profile, deployed: Deployed) -> None:
    assert life.bring_up(shop, []) and deployed.done == ["deploy"]
    terms = json.loads((shop.folder / "terms.json").read_text())
    run = terms["labels"]["podpath/run"]
    assert terms["labels"] == {**shop.owner, "podpath/run": run} and run and terms["agent"]
    assert (terms["balancer"], terms["ingress"], terms["gateway"]) == ("none", "none", "none")
    assert {*json.loads((shop.folder / "images.json").read_text())} == {*WORKLOADS}
    deployed.said = "54 unchanged"
    assert not life.bring_up(shop, [])
    assert json.loads((shop.folder / "terms.json").read_text()) == terms


def test_without_rights_no_agent_and_no_image_of_it(shop: Profile, deployed: Deployed) -> None:
    blind = rewrite(shop, rights="none")
    assert life.bring_up(blind, []) and not json.loads((shop.folder / "terms.json").read_text())["agent"]
    assert "node-agent" not in json.loads((shop.folder / "images.json").read_text())
    with pytest.raises(UsageError, match=r"^tier 0 makes nothing: type scripts/doctor shop"):
        life.bring_up(rewrite(shop, tier=0), [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"context": "nope"}, r"^there is no context 'nope' in .*theirs \(it has other, shop\): correct"),
        (
            {"context": "other"},
            r"^the cluster of stack shop does not answer at http://127\.0\.0\.1:1 \(.+\): ",
        ),
        ({"kubeconfig": "gone"}, r"gone, which stacks/shop\.yaml names, cannot be read: No such file"),
        ({"kubeconfig": "shop.yaml"}, r"^there is no context 'shop' in .*shop\.yaml \(it has none\)"),
    ],
)
def test_a_cluster_that_cannot_be_entered_is_one_sentence(
    shop: Profile, deployed: Deployed, change: dict[str, Any], said: str
) -> None:
    sentence = refused(rewrite(shop, **change))
    assert re.search(said, sentence), sentence
    assert deployed.done == []


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "does not accept the credentials of stack shop (401: missing, wrong or expired): renew them"),
        (403, 'the API server forbids it: namespaces is forbidden: User "dev" cannot list resource'),
    ],
)
def test_credentials_that_are_not_accepted_are_told(
    shop: Profile, api: ApiServer, deployed: Deployed, status: int, said: str
) -> None:
    api.refuses = status
    assert said in refused(shop) and deployed.done == []


def test_a_token_without_rights_is_told_by_verb_and_resource(
    shop: Profile, api: ApiServer, deployed: Deployed
) -> None:
    api.denied = {"create namespaces", "create pods", "list nodes", "watch events", "get secrets"}
    assert refused(shop) == (
        "context shop may not list nodes, create namespaces, create pods and 3 more: "
        "grant what `scripts/rights --tier 3 shop` prints."
    )
    assert deployed.done == []


def test_a_namespace_of_ours_that_somebody_else_made_is_left_alone(
    shop: Profile, api: ApiServer, deployed: Deployed
) -> None:
    api.namespaces["podpath-egress"] = {"podpath/owner": "alice-1"}
    told = refused(shop)
    assert told.startswith("the namespace podpath-egress is there already") and "its owner is alice-1" in told
    api.namespaces["podpath-egress"] = {}
    assert "it has no label podpath/owner" in refused(shop)
    life.tear_down(shop)
    assert deployed.done == [] and api.done == [] and "podpath-egress" in api.namespaces


def test_images_that_nobody_pushed_are_asked_for(shop: Profile, deployed: Deployed) -> None:
    (shop.folder / life.PUSHED).unlink()
    assert refused(shop).startswith(
        "stack shop has no image of client, database, datagram, nginx, node-agent, rest, webapp: run "
    )
    named = rewrite(shop, images={name: f"mirror/{name}:1" for name in WORKLOADS})
    assert life.bring_up(named, []) and life.images_of(named)["rest"] == "mirror/rest:1"


def test_an_image_that_a_node_cannot_pull_is_named_with_what_is_left(
    shop: Profile, api: ApiServer, deployed: Deployed
) -> None:
    def pull() -> None:
        api.namespaces["podpath-egress"] = shop.owner
        waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling: connection refused\nmore"}
        status = {"image": "registry.example/nginx", "state": {"waiting": waiting}}
        meta, spec = {"namespace": "podpath-egress", "name": "p"}, {"nodeName": "node-7"}
        api.pods = [{"metadata": meta, "spec": spec, "status": {"containerStatuses": [status]}}]

    deployed.then, deployed.fails = pull, "pulumi failed: 2 errors."
    told = refused(shop)
    assert told.startswith(
        "node node-7 cannot pull registry.example/nginx: Back-off pulling: connection refused"
    )
    assert told.endswith("Left there: namespaces podpath-egress; scripts/down shop removes them.")


def test_pods_that_admission_refuses_are_told_with_its_reason(
    shop: Profile, api: ApiServer, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "PATIENCE", 0.0)
    there = {"namespace": "podpath-system", "name": "node-agent"}
    status = {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3}
    api.namespaces["podpath-system"] = shop.owner
    api.daemon_sets = [{"metadata": there, "status": status}]
    assert life.bring_up(shop, [])
    status["currentNumberScheduled"] = 0
    message = 'Error creating: pods "a" is forbidden: violates PodSecurity "baseline": host namespaces.\nmore'
    api.events = [{"reason": "FailedCreate", "involvedObject": there, "message": message}]
    told = refused(shop)
    assert told.startswith('DaemonSet node-agent may make no Pods: Error creating: pods "a" is forbidden')
    assert "namespaces. Left there: namespaces podpath-system; scripts/down shop removes them." in told
    api.daemon_sets[0]["metadata"] = {**there, "namespace": "shop"}
    assert life.bring_up(shop, []), "what is not ours is not looked at"


def test_a_cluster_that_goes_away_in_the_middle_is_told_with_what_is_left(
    shop: Profile, api: ApiServer, deployed: Deployed
) -> None:
    deployed.then, deployed.fails = lambda: api.close(), "pulumi failed: connection refused."
    told = refused(shop)
    assert told.startswith("pulumi failed: connection refused. The cluster no longer answers; what was made")


def test_another_cluster_behind_the_context_is_noticed_and_the_old_one_forgotten(
    shop: Profile, api: ApiServer, deployed: Deployed, tmp_path: Path
) -> None:
    life.bring_up(shop, [])
    (tmp_path / "stack.json").touch()
    api.uid = "another"
    deployed.done.clear()
    assert "leads to another cluster" in refused(shop)
    (removed,) = life.tear_down(shop)
    assert deployed.done == ["forget"] and api.done == []
    assert f"podpath/owner={shop.owner['podpath/owner']}" in removed
    assert not (shop.folder / "cluster.json").exists()


def test_a_cluster_whose_context_is_gone_is_forgotten_and_one_that_is_silent_is_not(
    shop: Profile, api: ApiServer, deployed: Deployed, tmp_path: Path
) -> None:
    life.bring_up(shop, [])
    (tmp_path / "stack.json").touch()
    deployed.done.clear()
    api.close()
    with pytest.raises(PodpathError, match="does not answer"):
        life.tear_down(shop)
    assert deployed.done == [] and (shop.folder / "cluster.json").exists()
    (tmp_path / "theirs").unlink()
    (removed,) = life.tear_down(shop)
    assert deployed.done == ["forget"] and "what is left there has the label podpath/owner=" in removed


def test_what_a_killed_run_changed_is_restored_before_the_end_but_on_no_other_cluster(
    shop: Profile, api: ApiServer, deployed: Deployed, tmp_path: Path
) -> None:
    life.bring_up(shop, [])
    (tmp_path / "stack.json").touch()
    deployed.done.clear()
    uid, api.uid = api.uid, "another"
    life.tear_down(shop, lambda: deployed.done.append("restore"))
    assert deployed.done == ["forget"]
    api.uid = uid
    deployed.done.clear()
    life.tear_down(shop, lambda: deployed.done.append("restore"))
    assert deployed.done == ["restore", "destroy"]


def test_the_end_deletes_by_owner_and_nothing_else(
    shop: Profile, api: ApiServer, deployed: Deployed, tmp_path: Path
) -> None:
    life.bring_up(shop, [])
    api.namespaces |= {"podpath-system": shop.owner, "shop": {}, "podpath-x": {"podpath/owner": "alice-1"}}
    assert life.leftovers(shop) == ["namespace podpath-system"]
    (tmp_path / "stack.json").touch()
    assert life.tear_down(shop) == ["labs: 12 deleted", "namespace podpath-system"]
    assert api.done == ["DELETE podpath-system"] and deployed.done == ["deploy", "destroy"]
    api.namespaces["podpath-egress"] = shop.owner
    (tmp_path / "stack.json").unlink()
    assert life.tear_down(shop) == ["namespace podpath-egress"], "found again without the stack's folder"
    assert life.leftovers(shop) == [] and life.tear_down(shop) == []
    assert namespaces(access.enter(shop), shop) == []


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"contxt": "x"}, r"shop\.yaml has a setting 'contxt': it knows provider, kubeconfig, context"),
        ({"context": None}, r"shop\.yaml has no setting 'context': write one"),
        ({"rights": "root"}, r"rights in stacks/shop\.yaml is 'root': it should be 'privileged' or 'none'"),
        ({"tier": 7}, r"tier in stacks/shop\.yaml is 7: it should be 0, 1, 2, 3 or 4"),
        ({"registry": "https://r/p"}, r"registry in stacks/shop\.yaml is 'https://r/p': write it as images"),
        ({"clusterDomain": "A B"}, r"clusterDomain in stacks/shop\.yaml is 'A B': write a name"),
        ({"provider": "aws"}, r"provider in stacks/shop\.yaml is 'aws': write one of given, kind"),
    ],
)
def test_terms_that_are_wrong_are_told_by_name(shop: Profile, terms: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        assert rewrite(shop, **terms).terms


def test_doctor_shows_who_answers_what_is_lacking_and_every_feature_with_its_reason(
    shop: Profile, api: ApiServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "tools", lambda: doctor.Finding("tools", "ok", "there"))
    monkeypatch.setenv("COLUMNS", "300")
    rewrite(shop, rights="none")
    assert doctor.doctor("shop") == 0
    said = capsys.readouterr().out
    assert f"Kubernetes v1.30.4 at {api.url}" in said and "all that tier 2 (doors) needs" in said
    assert "rights: none: judged by client, server and API" in said
    api.denied = {"list pods"}
    assert doctor.doctor("shop") == 3
    said = capsys.readouterr().out
    assert "it lacks list pods" in said and "see scripts/rights --tier 2 shop" in said
    api.close()
    assert doctor.doctor("shop") == 3
    assert "the cluster of stack shop does not answer" in capsys.readouterr().out
    assert api.done == []


def test_a_trace_needs_a_kernel_to_look_at(shop: Profile) -> None:
    rewrite(shop, rights="none")
    with pytest.raises(UsageError, match=r"a trace needs tier 3 \(kernel view\), and stack shop allows less"):
        trace.trace("client-1", "pitfalls/server:80", "shop")


EXAMPLES = ROOT / "stacks" / "examples"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: str(file.name))
def test_an_example_can_be_copied_as_it_is(file: Path) -> None:
    assert read_terms(yaml.safe_load(file.read_text()), file.name).agent
    assert f"stacks/{file.name}" in file.read_text() and f"stacks/Pulumi.{file.name}" in file.read_text()


def test_the_page_tells_every_setting() -> None:
    page = (EXAMPLES / "README.md").read_text()
    assert [name for name in Terms.model_fields if f"`{name}`" not in page and name != "provider"] == []
