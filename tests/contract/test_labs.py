"""Every lab keeps the contract: its files are there, and its probes are fit to run without a cluster."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import pytest

from labs import LABS, module_of, probes_of
from labs.claims import CLAIMS
from scripts.checks.answers import AnsweredBy, NameUnknown, NoAnswer
from scripts.checks.base import Probe
from scripts.checks.destinations import Localhost, Name, Pod
from scripts.checks.peers import Client, Container, Outside
from scripts.checks.plain import Plain
from scripts.checks.replace import Replace
from scripts.checks.request import Get
from scripts.paths import ROOT
from scripts.suite.follow import step_of
from scripts.suite.peername import destination_of, source_of
from scripts.suite.questions import questions_of
from tests.contract.rules import faults
from tests.unit import atlas

EACH_LAB = pytest.mark.parametrize("lab", LABS)
SERVER = Pod("pod-to-service", "frontend", 80)
ANSWERED = Get(SERVER, (AnsweredBy("pod-to-service", "frontend", "nginx"),))
NOBODY = Get(SERVER, (NoAnswer(),))
ALIVE = Probe("P1-alive", "P1", Client(), ANSWERED)
LATE = Probe("P1-late", "P1", Client(), Replace("pod-to-service", "x", "x", 80))
SILENT = Probe("P1-silent", "P1", Client(), NOBODY, ("P1-alive",))


@EACH_LAB
@pytest.mark.parametrize("file", ["__init__.py", "component.py", "probes.py", "README.md"])
def test_lab_has_its_files(lab: str, file: str) -> None:
    path = ROOT / module_of(lab).replace(".", "/") / file
    assert path.is_file(), f"{path.relative_to(ROOT)} is missing"
    assert path.read_text().strip(), f"{path.relative_to(ROOT)} is empty"


@EACH_LAB
def test_the_lesson_of_a_lab_speaks_of_each_of_its_claims(lab: str) -> None:
    lesson = (ROOT / module_of(lab).replace(".", "/") / "README.md").read_text()
    assert len(lesson.splitlines()) > 50, "a stub"
    told = {"F1", *re.findall(r"\b[CPSEIK]\d+\b", lesson)}  # the fence is no lesson's matter
    assert {probe.claim for probe in probes_of(lab)} - told == set()


@EACH_LAB
def test_the_lesson_of_a_lab_begins_its_claims_with_a_question_to_predict(lab: str) -> None:
    lesson = (ROOT / module_of(lab).replace(".", "/") / "README.md").read_text()
    first = lesson.split("\n## ")[1]
    assert first.startswith("Predict first\n") and "?" in first
    asked = re.search(r"scripts/trace (\S+) (\S+) --predict", first)
    assert asked, "the command is not named"
    source, to = asked[1], asked[2]
    assert lab in (source.split("/")[0], to.split("/")[0])
    view = atlas.view()
    step = step_of(source_of(source, view), destination_of(to, view), "/whoami", view)
    assert len(questions_of(step, view)) >= 2


def test_every_folder_of_a_lab_is_registered() -> None:
    folders = {path.parent.name.replace("_", "-") for path in (ROOT / "labs").glob("*/component.py")}
    assert folders == {*LABS}
    assert len(LABS) == len({*LABS})


@EACH_LAB
def test_lab_has_probes(lab: str) -> None:
    assert probes_of(lab)
    assert all(isinstance(probe, Probe) for probe in probes_of(lab))


def test_claims_are_those_of_the_article_of_what_it_leaves_out_and_the_fence() -> None:
    article = {"C": 4, "P": 6, "S": 10, "E": 5, "I": 12}
    ids = {f"{section}{n}" for section, last in article.items() for n in range(1, last + 1)}
    assert {*CLAIMS} == ids | {f"K{n}" for n in range(1, 9)} | {"F1"}
    assert all(claim.id == name and claim.sentence.endswith(".") for name, claim in CLAIMS.items())


def test_probes_keep_the_rules() -> None:
    assert faults({lab: probes_of(lab) for lab in LABS}) == []


def test_probes_are_listed_without_pulumi_and_without_a_client() -> None:
    code = (
        "import sys, labs\n"
        "assert all(labs.probes_of(lab) for lab in labs.LABS)\n"
        "print(sorted({'pulumi', 'pulumi_kubernetes', 'kubernetes'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ((ALIVE, ALIVE), "P1-alive is the id of 2 probes"),
        ((Probe("X1", "X1", Client(), ANSWERED),), "X1 judges X1, which is no claim"),
        ((Probe("S1", "P1", Client(), ANSWERED),), "S1 does not start with its claim P1"),
        ((Probe("P1", "P1", Client(), Get(SERVER, ())),), "P1 expects nothing"),
        (
            (Probe("P1", "P1", Client(), NOBODY),),
            "P1 is negative and has no positive control",
        ),
        ((SILENT,), "P1-silent is controlled by P1-alive, which its lab does not have"),
        (
            (ALIVE, SILENT, Probe("P1-x", "P1", Client(), NOBODY, ("P1-silent",))),
            "P1-x is controlled by P1-silent, which is negative itself",
        ),
        (
            (ALIVE, Probe("P1-x", "P1", Outside(), NOBODY, ("P1-alive",))),
            "P1-x has no control from its own source outside",
        ),
        (
            (Probe("P1", "P1", Client(), Get(Name("no.such"), (NameUnknown(),))),),
            "P1 is negative and has no positive control",
        ),
        (
            (Probe("P1", "P1", Client(), Plain(SERVER)),),
            "P1 is negative and has no positive control",
        ),
        (
            (LATE, Probe("P1-x", "P1", Client(), NOBODY, ("P1-late",))),
            "P1-x is controlled by P1-late, which runs after it",
        ),
        (
            (dataclasses.replace(LATE, rests_on=("P1-alive",)),),
            "P1-late rests on P1-alive, which its lab does not have",
        ),
        (
            (dataclasses.replace(LATE, rests_on=("P1-later",)), dataclasses.replace(LATE, id="P1-later")),
            "P1-late rests on P1-later, which runs after it",
        ),
        (
            (ALIVE, dataclasses.replace(ALIVE, id="P1-x", rests_on=("P1-alive",))),
            "P1-x rests on P1-alive, which runs after it",
        ),
        (
            (Probe("P1", "P1", Container("nope", "a", "b"), Get(Localhost(80), ANSWERED.expect)),),
            "P1 of pod-to-service speaks of lab nope",
        ),
    ],
)
def test_a_broken_rule_is_noticed(bad: tuple[Probe, ...], said: str) -> None:
    assert said in faults({"pod-to-service": bad})


def test_a_negative_probe_with_its_control_is_fine() -> None:
    assert faults({"pod-to-service": (ALIVE, SILENT)}) == []


def test_a_scenario_may_rest_on_what_is_asked_before_it() -> None:
    later = dataclasses.replace(LATE, id="P1-later", rests_on=("P1-alive", "P1-late"))
    assert faults({"pod-to-service": (ALIVE, LATE, later)}) == []
