"""What is taken out of the user's environment, and what downloads get back."""

from __future__ import annotations

import os
import pwd
import resource
from pathlib import Path

import pytest

from scripts import environment
from scripts.environment import build_arguments, downloading, make_harmless

PROXY = "http://proxy.example:3128"
PLAIN = {"PATH": ":".join(["/bin", *environment.SBIN]), "HOME": "/root", **environment.SET}


@pytest.mark.parametrize(
    ("name", "stays", "kept"),
    [
        ("KIND_EXPERIMENTAL_PROVIDER", False, False),
        ("KIND_EXPERIMENTAL_DOCKER_NETWORK", False, False),
        ("KIND_CLUSTER_NAME", False, False),
        ("KINDLY", True, False),
        ("http_proxy", False, True),
        ("HTTP_PROXY", False, True),
        ("https_proxy", False, True),
        ("HTTPS_PROXY", False, True),
        ("Https_Proxy", False, True),
        ("ftp_proxy", False, True),
        ("all_proxy", False, True),
        ("ALL_PROXY", False, True),
        ("no_proxy", False, True),
        ("NO_PROXY", False, True),
        ("PROXY", True, False),
        ("grpc_proxy", False, False),
        ("NO_GRPC_PROXY", False, False),
        ("DOCKER_HOST", True, False),
        ("DOCKER_CONTEXT", True, False),
        ("DOCKER_CONFIG", True, False),
        ("DOCKER_API_VERSION", False, False),
        ("DOCKER_TLS_VERIFY", False, False),
        ("DOCKER_DEFAULT_PLATFORM", False, False),
        ("BUILDX_BUILDER", False, False),
        ("PULUMI_SELF_MANAGED_STATE_GZIP", False, False),
        ("PULUMI_CONFIG_PASSPHRASE", True, False),
        ("PULUMI_CONFIG_PASSPHRASE_FILE", True, False),
        ("KUBECONFIG", False, False),
        ("KUBECTL_KUBERC", False, False),
        ("LANGUAGE", False, False),
        ("SSLKEYLOGFILE", False, False),
        ("PODPATH_LABS", False, False),
        ("SSL_CERT_FILE", True, False),
        ("GOPROXY", True, False),
        ("PIP_INDEX_URL", True, False),
        ("PATH", True, False),
    ],
)
def test_each_variable_stays_or_is_kept_for_downloads_or_goes(name: str, stays: bool, kept: bool) -> None:
    environ = {**PLAIN, name: PROXY}
    make_harmless(environ)
    assert (environ.get(name, "").startswith(PROXY)) == stays
    assert {*environ} - {*PLAIN} == ({name} - {*PLAIN} if stays else set())
    assert downloading().get(name) == (PROXY if kept else None)
    assert (f"{name}={PROXY}" in build_arguments()) == kept


def test_both_cases_of_a_proxy_are_kept_as_they_were() -> None:
    environ = {**PLAIN, "http_proxy": PROXY, "HTTP_PROXY": "http://other:1", "NO_PROXY": "a, b"}
    make_harmless(environ)
    assert environ == PLAIN
    assert downloading() == {"http_proxy": PROXY, "HTTP_PROXY": "http://other:1", "NO_PROXY": "a,b"}
    assert build_arguments()[::2] == ["--build-arg"] * 3


def test_a_second_time_takes_nothing_back() -> None:
    environ = {**PLAIN, "http_proxy": PROXY}
    make_harmless(environ)
    make_harmless(environ)
    assert environ == PLAIN and downloading() == {"http_proxy": PROXY}


def test_who_downloads_cannot_change_what_is_known() -> None:
    make_harmless({"http_proxy": PROXY})
    downloading().clear()
    assert downloading() == {"http_proxy": PROXY}


def test_a_proxy_for_everything_is_one_for_each_protocol_that_has_none() -> None:
    """Go's programs know no ALL_PROXY."""
    make_harmless({"ALL_PROXY": "socks5h://127.0.0.1:9", "HTTPS_PROXY": PROXY})
    told = downloading()
    assert (told["http_proxy"], told["HTTPS_PROXY"]) == ("socks5h://127.0.0.1:9", PROXY)
    assert "https_proxy" not in told


@pytest.mark.parametrize("written", ["a, b", " a ,b,", "a b", "a,b"])
def test_addresses_without_a_proxy_are_separated_by_commas_alone(written: str) -> None:
    make_harmless({"NO_PROXY": written})
    assert downloading() == {"NO_PROXY": "a,b"}


def test_proxies_from_elsewhere_count_where_the_environment_names_none() -> None:
    make_harmless({"HTTPS_PROXY": PROXY})
    environment.also_download_by({"https_proxy": "http://other:1", "http_proxy": "http://other:2"})
    assert downloading() == {"HTTPS_PROXY": PROXY, "http_proxy": "http://other:2"}


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({"PATH": "/sbin:/bin"}, {"PATH": "/sbin:/bin:/usr/local/sbin:/usr/sbin"}),
        ({"PATH": ""}, {"PATH": "/bin:/usr/bin:/usr/local/sbin:/usr/sbin:/sbin"}),
        ({"HOME": "/somewhere"}, {"HOME": "/somewhere"}),
        ({"HOME": "relative"}, {"HOME": pwd.getpwuid(os.getuid()).pw_dir}),
        (
            {"TMPDIR": "/proc/none", "TMP": "tmp", "TEMP": "/dev/null"},
            {"TMPDIR": None, "TMP": None, "TEMP": None},
        ),
        ({"TMPDIR": "/tmp"}, {"TMPDIR": "/tmp"}),
        ({"COLUMNS": "20", "LINES": "9"}, {"COLUMNS": "20", "LINES": "9"}),
        ({"COLUMNS": "²", "LINES": "0"}, {"COLUMNS": None, "LINES": None}),
        ({"COLUMNS": "-1", "LINES": ""}, {"COLUMNS": None, "LINES": None}),
        ({"COLUMNS": "9" * 9000}, {"COLUMNS": None}),
        ({"TERM": "dumb"}, {"NO_COLOR": "1"}),
        ({"TERM": "xterm", "NO_COLOR": ""}, {"NO_COLOR": None}),
        ({"TERM": "xterm", "NO_COLOR": "x"}, {"NO_COLOR": "x"}),
    ],
)
def test_what_programs_rely_on_is_made_usable(given: dict[str, str], left: dict[str, str | None]) -> None:
    environ = {**PLAIN, **given}
    make_harmless(environ)
    assert {name: environ.get(name) for name in left} == left


def test_a_process_leaves_a_folder_that_is_gone_and_may_open_more_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, limits = tmp_path / "gone", resource.getrlimit(resource.RLIMIT_NOFILE)
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, limits[1]))
        environment.stand_firmly()
        assert Path.cwd() == Path("/")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert soft == (min(environment.FILES, hard) if hard >= 0 else environment.FILES)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
