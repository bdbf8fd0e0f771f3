"""The real commands, run in environments of many kinds: none breaks them, and none ends in a traceback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.cli.__main__ import COMMANDS
from tests.unit.hostile import (
    DOCKER,
    ELSEWHERE,
    HOSTILE,
    NO_CONTEXT,
    PODMAN,
    PODMANS_ENGINE,
    Checkout,
    checkout,
)

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: k, user: u}}]
users: [{name: u, user: {token: t}}]
clusters: [{name: k, cluster: {server: "WHERE"}}]
"""
Done = subprocess.CompletedProcess[str]
WORK: dict[tuple[str, ...], int] = {
    ("env",): 0,
    ("probe", "--list"): 0,
    ("probe",): 3,
    ("trace", "client-1", "outside"): 3,
    ("bench",): 3,
    ("down",): 0,
    ("doctor",): 3,
    ("up",): 3,
}
"""What commands end with where nothing runs and the engine is a rootless one."""
WITHOUT_A_CLUSTER = WORK | {(name, "--help"): 0 for name in COMMANDS if all(name != argv[0] for argv in WORK)}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return checkout(tmp_path_factory.mktemp("hostile"), "a lab/mit Ümlaut, 100% #1")


def told(done: Done, code: int) -> str:
    """The one sentence of a command that ended with ``code``."""
    assert done.returncode == code, done.stderr
    assert done.stdout == "" and done.stderr.startswith("podpath: ") and done.stderr.count("\n") == 1, done
    assert "bug in podpath" not in done.stderr
    return done.stderr


# --- variables ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("argv", "code"), WITHOUT_A_CLUSTER.items(), ids=str)
def test_no_variable_breaks_a_command(
    argv: tuple[str, ...], code: int, ours: Checkout, tmp_path: Path
) -> None:
    for name in ("yaml", "typing_extensions", "socket", "scripts", "typer", "sitecustomize", "hashlib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    modules = {"PYTHONPATH": str(tmp_path), "PYTHONHOME": str(tmp_path), "PYTHONSTARTUP": "yaml.py"}
    done = ours.run(*argv, env={**HOSTILE, **modules}, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "bug in podpath" not in done.stderr
    if code == 0 or argv == ("doctor",):
        assert done.stdout
    else:
        told(done, code)


@pytest.mark.parametrize(("own", "said"), [("", "False {cache}/podpath/bytecode"), ("/p", "True /p")])
def test_bytecode_that_is_not_wanted_beside_the_sources_is_in_the_cache(
    own: str, said: str, ours: Checkout
) -> None:
    code = "import sys; print(sys.dont_write_bytecode, sys.pycache_prefix)"
    env = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": own}
    assert ours.run("python", "-c", code, env=env).stdout == f"{said.format(cache=ours.cache)}\n"


@pytest.fixture
def server(ours: Checkout) -> Iterator[list[str]]:
    """An API server that says 500 to everything, in place of the stack's; gives what it was asked."""
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(500, "no")

        def log_message(self, format: str, *args: object) -> None:
            pass

    folder = ours.root / ".podpath"
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{listening.server_port}"
        ours.put("kind/kubeconfig", KUBECONFIG.replace("WHERE", where))
        ours.put("kind/exports.json", '{"labs": {"egress": {}}}')
        ours.put("state/.pulumi/stacks/podpath/kind.json", '{"checkpoint": {}}')
        (folder / "kind" / "exports.json").touch()
        yield asked
        listening.shutdown()
    shutil.rmtree(folder)


@pytest.mark.parametrize("argv", [("probe",), ("trace", "client-1", "outside"), ("bench",)], ids=str)
def test_the_api_server_is_reached_by_no_proxy(
    argv: tuple[str, ...], ours: Checkout, server: list[str]
) -> None:
    done = ours.run(*argv, env=HOSTILE)
    assert re.search(r"podpath: the API server answered GET \S+ with 500", done.stderr), done.stderr
    assert done.returncode == 3 and any(path.startswith("/api/v1/pods?") for path in server)


@pytest.mark.parametrize(
    ("variables", "signs"),
    [
        ({}, "–✗"),
        ({"LC_ALL": "C"}, "–✗"),
        ({"LC_ALL": "POSIX", "PYTHONUTF8": "0"}, "–✗"),
        ({"PYTHONIOENCODING": "utf-8:strict"}, "–✗"),
        ({"PYTHONIOENCODING": "ascii"}, "-x"),
        ({"PYTHONIOENCODING": "latin-1"}, "-x"),
        ({"PYTHONIOENCODING": "cp1251:strict"}, "–x"),
    ],
)
def test_signs_that_an_encoding_lacks_are_plain(
    variables: dict[str, str], signs: str, ours: Checkout
) -> None:
    """cp1251 has a dash and no cross."""
    code = "from scripts.streams import print_anywhere; print_anywhere(); print('\u2013\u2717')"
    done = ours.run("python", "-c", code, env=variables)
    name = variables.get("PYTHONIOENCODING", "utf-8").partition(":")[0]
    text = done.stdout.encode(errors="surrogateescape").decode(name)
    assert done.returncode == 0 and text == f"{signs}\n", text


def test_a_command_prints_plain_signs_where_it_has_to(ours: Checkout) -> None:
    """The first column of `scripts/doctor`."""
    done = ours.run("doctor", env={"PYTHONIOENCODING": "ascii"})
    firsts = {line[0] for line in done.stdout.splitlines() if line[:1].strip() and line[1:3] == "  "}
    assert done.returncode == 3 and {*"-x"} <= firsts <= {*"-x+"}, done.stdout


def test_a_latin_1_terminal_gets_what_it_can_print(ours: Checkout, tmp_path: Path) -> None:
    """Files and their names are what they are all the same: the labs, and what `scripts/env` prints."""
    made = ["localedef", "--inputfile=en_US", "--charmap=ISO-8859-1", f"{tmp_path}/en_US.ISO-8859-1"]
    try:
        subprocess.run(made, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no such locale can be made here")
    latin = {"LOCPATH": str(tmp_path), "LC_ALL": "en_US.ISO-8859-1"}
    for variables in (latin, {"PYTHONIOENCODING": "ascii"}):
        assert str(ours.root) in ours.run("env", env=variables).stdout
    listed, plain = ours.run("probe", "--list", env=latin), ours.run("probe", "--list")
    assert (listed.returncode, listed.stdout.isascii()) == (0, True)
    assert len(listed.stdout.splitlines()) == len(plain.stdout.splitlines()) > 100
    assert "Ã" not in ours.run("doctor", env=latin).stdout.encode(errors="surrogateescape").decode("latin-1")


# --- streams, limits and places -------------------------------------------------------------------


@pytest.mark.parametrize(("unbuffered", "said"), [("1", "out\nerr\nout\n"), ("", "err\nout\nout\n")])
def test_both_streams_in_one_file_are_in_order_where_python_is_told_so(
    unbuffered: str, said: str, ours: Checkout, tmp_path: Path
) -> None:
    file = tmp_path / "both"
    code = f"import os, sys; fd = os.open({str(file)!r}, os.O_CREAT | os.O_WRONLY)"
    code += "; os.dup2(fd, 1); os.dup2(fd, 2)"
    code += "; from scripts.streams import print_anywhere; print_anywhere()"
    code += "; print('out'); print('err', file=sys.stderr); print('out')"
    done = ours.run("python", "-c", code, env={"PYTHONUNBUFFERED": unbuffered} if unbuffered else {})
    assert done.returncode == 0 and file.read_text() == said, done.stderr


@pytest.mark.parametrize(
    ("argv", "shell"),
    [
        (("probe", "--list"), '"$@" >&-'),
        (("down",), '"$@" 2>&-'),
        (("env",), '"$@" <&-'),
        (("down",), '"$@" <&- >&- 2>&-'),
        (("probe", "--list"), 'ulimit -n 64; exec "$@"'),
        (("env",), 'umask 077; exec "$@"'),
        (("env",), 'umask 777; exec "$@"'),
        (("env",), 'd=$(mktemp -d) && cd "$d" && rmdir "$d" && exec "$@"'),
        (("env",), 'cd / && exec "$@"'),
        (("env",), 'l=$(mktemp -d)/link && ln -s "$1" "$l" && shift && "$l" "$@"'),
        (("env",), 'cd "$(dirname "$1")" && n=./$(basename "$1") && shift && exec "$n" "$@"'),
        (("down",), '{ "$@"; echo $? >&3; } 3>&1 >&2 2>/dev/null | grep -qx 0'),
        (
            ("probe", "--list"),
            '{ "$@"; echo $? >&3; } 3>"$0.$$" | true; grep -qx 0 "$0.$$"; e=$?; rm "$0.$$"; exit $e',
        ),
        (
            ("down",),
            '{ "$@" 2>&1; echo $? >&3; } 3>"$0.$$" | true; grep -qx 0 "$0.$$"; e=$?; rm "$0.$$"; exit $e',
        ),
    ],
)
def test_no_stream_limit_or_place_breaks_a_command(argv: tuple[str, ...], shell: str, ours: Checkout) -> None:
    """`scripts/down` reports on both streams while it works, `scripts/probe --list` prints much."""
    done = ours.run(*argv, by=shell)
    assert done.returncode == 0, done.stderr
    assert not re.search("Traceback|Exception|Error|podpath:", done.stderr), done.stderr


def test_output_that_finds_no_room_is_told(ours: Checkout) -> None:
    assert "No space left on device" in told(ours.run("env", by='"$@" >/dev/full'), 3)
    assert ours.run("env", "none", by='"$@" 2>/dev/full').returncode == 2


HOMELESS = r"HOME nor XDG_CACHE_HOME is set to a folder's whole path: type export HOME=\.\.\. with"
CACHELESS = r"podpath cannot be created: type export XDG_CACHE_HOME=\.\.\. with a folder of yours\."


@pytest.mark.parametrize(
    ("home", "said"),
    [
        (None, HOMELESS),
        ("", HOMELESS),
        ("relative/path", HOMELESS),
        ("/dev/null", CACHELESS),
        ("/proc", CACHELESS),
        ("/proc/none\n", CACHELESS),
    ],
)
@pytest.mark.parametrize("argv", [("env",), ("up", "--no-probe"), ("test", "--help")], ids=str)
def test_a_home_that_is_none_is_one_sentence(
    argv: tuple[str, ...], home: str | None, said: str, ours: Checkout, tmp_path: Path
) -> None:
    """Without a cache of its own; a relative one counts for nothing."""
    unset = ["HOME"] if home is None else []
    env = {"XDG_CACHE_HOME": "a/b", **({} if home is None else {"HOME": home})}
    if home == "/proc/none\n":
        env["HOME"] = str(tmp_path / "file")
        (tmp_path / "file").touch()
    assert re.search(said, told(ours.run(*argv, env=env, without=unset, cwd=tmp_path), 3))
    assert {*tmp_path.iterdir()} <= {tmp_path / "file"}


@pytest.mark.parametrize("home", [None, "", "relative", "/dev/null", "/proc/none"])
def test_a_cache_of_its_own_needs_no_home(home: str | None, ours: Checkout) -> None:
    env, unset = ({}, ["HOME"]) if home is None else ({"HOME": home}, [])
    done = ours.run("env", env=env, without=unset)
    assert done.returncode == 0 and done.stderr == "" and str(ours.cache) in done.stdout


UNPRIVILEGED = 'exec setpriv --bounding-set=-dac_override,-dac_read_search "$@"' if os.geteuid() == 0 else ""
"""Root can write anywhere; without these capabilities it is a user as any other."""


@pytest.mark.parametrize(
    ("part", "mode", "argv"),
    [
        (".podpath", 0o000, ("env",)),
        (".podpath", 0o000, ("probe",)),
        (".podpath/kind", 0o000, ("probe",)),
        ("requirements.txt", 0o000, ("env",)),
        ("stacks/kind.yaml", 0o000, ("env",)),
        ("stacks/Pulumi.kind.yaml", 0o000, ("up",)),
    ],
)
def test_what_another_user_keeps_to_himself_is_told(
    part: str, mode: int, argv: tuple[str, ...], ours: Checkout
) -> None:
    if not (ours.root / ".venv").is_symlink():
        assert ours.run("env").returncode == 0
    place = ours.root / part
    place.parent.mkdir(exist_ok=True)
    if part.startswith(".podpath"):
        place.mkdir(exist_ok=True)
    before = place.stat().st_mode
    place.chmod(mode)
    try:
        said = told(ours.run(*argv, by=UNPRIVILEGED), 3)
    finally:
        place.chmod(before)
        shutil.rmtree(ours.root / ".podpath", ignore_errors=True)
    assert part.partition("/")[0] in said and "clone podpath to a folder of yours" in said


def test_a_checkout_that_cannot_be_written_is_told(ours: Checkout) -> None:
    (ours.root / ".venv").unlink(missing_ok=True)
    ours.root.chmod(0o500)
    try:
        said = told(ours.run("env", by=UNPRIVILEGED), 3)
    finally:
        ours.root.chmod(0o755)
    assert said.endswith("podpath keeps its state in its own checkout, so clone it to a folder of yours.\n")


# --- the engine's place ---------------------------------------------------------------------------

CLIENTS = [
    ("up", DOCKER, "tcp://192.0.2.1:2376", "the Docker Engine is at tcp://192.0.2.1:2376, and podpath needs"),
    ("down", PODMAN, "", "`docker` on PATH is Podman's (podman version 4.3.1), and podpath needs"),
    ("doctor", NO_CONTEXT, "", 'docker cannot tell where its engine is (context "none": context not found'),
    *((command, PODMANS_ENGINE, "", "is Podman 28.2.2, and podpath needs") for command in ("up", "down")),
    ("doctor", ELSEWHERE, "", "(far, kernel 6.10"),
]


@pytest.mark.parametrize(("command", "client", "host", "said"), CLIENTS)
def test_an_engine_that_podpath_cannot_work_with_is_one_sentence(
    command: str, client: str, host: str, said: str, ours: Checkout
) -> None:
    """See test_engineplace.py for the others."""
    ours.program("docker", client)
    try:
        done = ours.run(command, env={"DOCKER_HOST": host, "COLUMNS": "1000"})
    finally:
        ours.program("docker", DOCKER)
    assert done.returncode == 3 and said in (done.stdout if command == "doctor" else told(done, 3))
