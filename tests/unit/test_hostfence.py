"""The fence's half on the engine's host: its table, the container that puts it, and what is left of it."""

from __future__ import annotations

import subprocess

import pytest

from scripts.clusters.kind import hostfence
from scripts.clusters.kind.hostfence import STANDS, UNREADABLE, close_host, fence_left, host_table, open_host
from scripts.stack.profile import Profile

AGENT, TABLE, HOST = "podpath/node-agent:1", "podpath-fence-podpath-own", "podpath-own-host"
WHOLE = """table inet podpath-fence-podpath-own {
	chain forward {
		type filter hook forward priority filter - 10; policy accept;
		iifname "podpath-own-net" oifname != "podpath-own-net" counter reject with icmpx admin-prohibited
		oifname "podpath-own-net" iifname != "podpath-own-net" counter reject with icmpx admin-prohibited
		iifname "podpath-own-out" oifname != "podpath-own-out" counter reject with icmpx admin-prohibited
		oifname "podpath-own-out" iifname != "podpath-own-out" counter reject with icmpx admin-prohibited
	}
}"""
LIST = ("nft", "--stateless", "list", "table", "inet", TABLE)
LESS = "\n".join(line for line in WHOLE.splitlines() if 'oifname "podpath-own-out"' not in line)


class Docker:
    """A host with these tables, the container that looks at it, and the images that Docker has."""

    def __init__(self, table: str = "", container: str = f"true {AGENT}", images: str = AGENT) -> None:
        self.table, self.container, self.images = table, container, images
        self.done: list[tuple[str, ...]] = []
        self.fed: list[str] = []

    def run(self, argv: list[str], check: bool = True) -> subprocess.CompletedProcess[str]:
        assert argv == ["docker", "exec", HOST, *LIST] and not check
        readable = self.table and self.container.startswith("true")
        return subprocess.CompletedProcess(
            argv, 0 if readable else 1, f"{self.table}\n" if readable else "", ""
        )

    def __call__(self, *argv: str, stdin: str = "", check: bool = True) -> str:
        match argv:
            case ("images", *_):
                return self.images
            case ("inspect", *_):
                return self.container
            case ("run", "--rm", *_, "list", "tables", "inet"):
                return f"table inet podpath-fence-podpath-own-2\ntable inet {TABLE}" if self.table else ""
            case ("run", "--rm", *_, "--entrypoint", "nft", image, "delete", "table", "inet", name):
                assert (image, name) == (AGENT, TABLE)
                self.table = ""
                self.done.append(("delete", name))
            case ("run", "--detach", "--name", name, *_, image):
                self.container = f"true {image}"
                self.done.append(("run", name))
            case ("rm", *_, name):
                self.done.append(("rm", name))
            case ("exec", "--interactive", name, "nft", "-f", "-"):
                self.done.append(("put", name))
                self.table = WHOLE
                self.fed.append(stdin)
            case _:
                raise AssertionError(argv)
        return ""


def under(monkeypatch: pytest.MonkeyPatch, docker: Docker) -> Docker:
    """``docker`` in place of Docker."""
    monkeypatch.setattr(hostfence, "docker", docker)
    monkeypatch.setattr(hostfence, "run", docker.run)
    return docker


def test_the_table_closes_both_bridges_both_ways(stack: Profile) -> None:
    assert host_table(stack) == WHOLE


@pytest.mark.parametrize(
    ("table", "container", "done"),
    [
        (WHOLE, f"true {AGENT}", []),
        (LESS, f"true {AGENT}", ["put"]),
        (WHOLE.replace("reject", "drop"), f"true {AGENT}", ["put"]),
        ("", f"true {AGENT}", ["put"]),
        (WHOLE, f"false {AGENT}", ["rm", "run"]),
        (WHOLE, "true podpath/node-agent:0", ["rm", "run"]),
        (WHOLE, "", ["rm", "run"]),
        ("", "", ["rm", "run", "put"]),
    ],
    ids=[
        "it stands", "a rule less", "another verdict", "no table",
        "a container that ended", "of another image", "no container", "nothing",
    ],
)  # fmt: skip
def test_only_what_does_not_stand_is_made(
    table: str, container: str, done: list[str], stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker(table, container))
    close_host(stack, AGENT)
    assert docker.done == [(what, HOST) for what in done]
    assert hostfence.host_closed(stack)


def test_the_table_is_put_in_one_go_in_place_of_what_there_is(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker(LESS))
    close_host(stack, AGENT)
    assert docker.fed == [f"add table inet {TABLE}\ndelete table inet {TABLE}\n{WHOLE}\n"]


def test_a_host_that_cannot_be_asked_is_not_closed(stack: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    under(monkeypatch, Docker(WHOLE, container=""))
    assert not hostfence.host_closed(stack)


# --- what is left ---------------------------------------------------------------------------------


@pytest.mark.parametrize("images", [AGENT, f"{AGENT}\npodpath/node-agent:0", ""])
@pytest.mark.parametrize("once_put", [True, False])
@pytest.mark.parametrize("table", [WHOLE, LESS, ""])
def test_what_cannot_be_read_is_not_clean_where_a_table_was_put(
    images: str, once_put: bool, table: str, stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(monkeypatch, Docker(table if once_put else "", images=images))
    if once_put:
        (stack.folder / "fence").touch()
    unread = UNREADABLE if once_put else ""
    assert fence_left(stack) == (unread if not images else STANDS if once_put and table else "")


def test_a_table_whose_name_only_begins_with_ours_is_not_ours(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker(WHOLE))
    monkeypatch.setattr(hostfence, "_once", lambda *argv: f"table inet {TABLE}-2\ntable inet other")
    assert fence_left(stack) == "" and open_host(stack) == [] and docker.table == WHOLE


def test_a_fence_that_was_put_is_taken_away_whole(stack: Profile, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = under(monkeypatch, Docker())
    close_host(stack, AGENT)
    assert fence_left(stack) == STANDS
    assert open_host(stack) == ["the fence on the host"]
    assert fence_left(stack) == docker.table == "" and docker.done[-1] == ("rm", HOST)
    docker.images = ""
    assert fence_left(stack) == "", "it was seen to be gone"


def test_where_the_image_is_gone_it_is_told_until_it_can_be_read_again(
    stack: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = under(monkeypatch, Docker())
    close_host(stack, AGENT)
    docker.images = ""
    assert open_host(stack) == [] and fence_left(stack) == UNREADABLE and docker.table == WHOLE
    docker.images = AGENT
    assert open_host(stack) == ["the fence on the host"] and fence_left(stack) == ""
