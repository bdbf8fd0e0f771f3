"""Bodies of any size (claim K1): what large packets that vanish one way turn red, and how it is told."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from scripts.checks.size import DOWN, UP
from scripts.checks.verdict import Failure, Verdict
from scripts.evidence.identity import HEADER_NONCE
from scripts.paths import ROOT
from tests.unit import atlas
from tests.unit.curls import TIMED_OUT
from tests.unit.lies import Lies
from tests.unit.runs import F, Faltering, I, P, finding, not_passed, results
from tests.unit.world import World

SERVER_1, SERVER_2 = (atlas.PODS[name][2] for name in ("server-1", "server-2"))


def across(way: str) -> set[str]:
    """The probes of claim K1 whose bodies pass from node to node."""
    return {f"K1-{way}-{n}-{to}" for n in (1, 2) for to in ("other", "service")} | {f"K1-{way}-balancer"}


def test_large_answers_that_vanish_between_nodes_turn_only_the_downloads_red() -> None:
    seen = not_passed(Lies(answers_up_to=1300))
    assert {*seen} == across("get")
    assert {record.failure for record in seen.values()} == {Failure.SIZE_LOST}
    assert seen["K1-get-1-other"].why == (
        "answers of Pod server:80 on the other node with bodies of up to 600 octets arrive, from 900 octets "
        "on they are lost: none was whole within 4 s (seen from client-a/client)"
    )
    assert "podpath-outside" in (seen["K1-get-balancer"].why or "")


def test_large_requests_that_vanish_between_nodes_turn_only_the_uploads_red() -> None:
    seen = not_passed(Lies(requests_up_to=1300))
    assert {*seen} == across("post")
    assert seen["K1-post-2-other"].why == (
        "requests to Pod server:80 on the other node with bodies of up to 1000 octets arrive, from 1400 "
        "octets on they are lost: none was whole within 4 s (seen from client-b/client)"
    )


def test_a_service_with_one_pod_near_and_one_far_has_no_threshold() -> None:
    """Half of the large bodies meet the near Pod and arrive: to name a size would be false."""
    why = results(Lies(answers_up_to=1300), "K1-get-1-service")["K1-get-1-service"].why or ""
    lost, whole = re.findall(r"bodies of ([\d, ]+) octets were lost, those of ([\d, ]+) not", why)[0]
    assert max(map(int, whole.split(", "))) > min(map(int, lost.split(", ")))
    assert {*map(int, f"{lost}, {whole}".split(", "))} == {*DOWN}


def test_what_a_person_types_is_what_was_lost_and_not_the_first_that_arrived() -> None:
    seen = results(Lies(answers_up_to=1300, requests_up_to=1300), "K1-get-1-other K1-post-1-other")
    assert "--range 0-899 " in seen["K1-get-1-other"].command
    sent = seen["K1-post-1-other"].command
    assert sent.count("kubectl") == 1 and " sh 1400 curl " in sent
    whole = results(ids="K1-post-1-other")["K1-post-1-other"].command
    assert whole.count("kubectl") == 5


@pytest.mark.parametrize("probe", ["K1-get-1-other", "K1-post-1-other"])
def test_where_no_size_passes_no_size_is_named(probe: str) -> None:
    seen = finding(Lies(answers_up_to=100, requests_up_to=100), probe)
    assert seen.failure is Failure.TIMED_OUT
    assert seen.why.startswith("client-a/client ") and f" {SERVER_2}:80" in seen.why
    assert seen.why.endswith("; the same for every size")


@pytest.mark.parametrize("probe", ["K1-get-1-other", "K1-post-1-other"])
@pytest.mark.parametrize(
    ("lies", "failure", "told"),
    [
        (Lies(silent={SERVER_2}), Failure.REFUSED, f" {SERVER_2}:80 "),
        (Lies(status={SERVER_2: 413}), Failure.WRONG_STATUS, "HTTP status 413 for 200 octets"),
        (Lies(headers={HEADER_NONCE: "K1.0.0"}), Failure.WRONG_NONCE, "carries the nonce K1.0.0"),
    ],
)
def test_another_fault_is_not_called_a_matter_of_size(
    probe: str, lies: Lies, failure: Failure, told: str
) -> None:
    seen = finding(lies, probe)
    assert (seen.verdict, seen.failure) == (F, failure) and told in seen.why


def test_one_size_whose_connection_did_not_come_about_is_no_threshold() -> None:
    seen = results(ids="K1-get-1-same", made=Faltering("K1-get-1-same", len(DOWN), TIMED_OUT))
    assert seen["K1-get-1-same"].failure is Failure.TIMED_OUT


class Otherwise(World):
    """A world whose curl reports uploads otherwise."""

    def __init__(self, report: Callable[[str], str]) -> None:
        super().__init__()
        self.report = report

    def _posted(self, place: object, size: int, argv: object) -> tuple[str, int]:
        text, code = super()._posted(place, size, argv)  # type: ignore[arg-type]
        return self.report(text), code


@pytest.mark.parametrize(
    ("report", "verdict", "failure"),
    [
        (lambda text: "", I, Failure.LOST_EXIT_CODE),
        (lambda text: text.partition("\t")[0][:-3], I, Failure.LOST_EXIT_CODE),
        (lambda text: "5\tnonce\n", I, Failure.LOST_EXIT_CODE),
        (lambda text: '{"exitcode": 0}\tnonce\n', I, Failure.LOST_EXIT_CODE),
        (lambda text: text.replace('"http_code": 200', '"http_code": "200"'), I, Failure.LOST_EXIT_CODE),
        (lambda text: text.partition("\t")[0] + "\t\n", F, Failure.WRONG_NONCE),
        (lambda text: text.rstrip("\n") + "\tanother\n", F, Failure.WRONG_NONCE),
        (lambda text: text.replace('"size_upload": 1400', '"size_upload": 7'), F, Failure.UNEXPECTED_ANSWER),
        (lambda text: text + "a word on stderr\n", P, None),
    ],
)
def test_an_upload_counts_by_curls_whole_report(
    report: Callable[[str], str], verdict: Verdict, failure: Failure | None
) -> None:
    seen = results(ids="K1-post-1-same", made=Otherwise(report))["K1-post-1-same"]
    assert (seen.verdict, seen.failure) == (verdict, failure), seen.why


def test_sizes_that_curl_did_not_report_leave_the_probe_open() -> None:
    assert finding(Lies(dropped="K1-get-1-same."), "K1-get-1-same").failure is Failure.LOST_EXIT_CODE


def test_a_body_can_be_asked_for_and_sent_by_hand() -> None:
    seen = results(ids="K1-get-1-same K1-post-1-same")
    assert seen["K1-get-1-same"].command.endswith(
        f"--range 0-199 --output /dev/null http://{SERVER_1}:80/bytes"
    )
    assert 'head -c "$size" /dev/zero | "$@"' in seen["K1-post-1-same"].command


def test_the_server_has_and_takes_the_largest_body() -> None:
    """What the workload nginx makes at its start, and its limit, hold the sizes that are asked for."""
    folder = ROOT / "labs" / "workloads" / "nginx"
    made = re.search(r"head -c (\d+) /dev/zero > /tmp/bytes", (folder / "serve").read_text())
    assert made and int(made[1]) == max(DOWN)
    limit = re.search(r"client_max_body_size (\d+)m;", (folder / "nginx.conf.in").read_text())
    assert limit and int(limit[1]) << 20 > max(UP)
