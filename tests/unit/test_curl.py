from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.evidence import curl
from scripts.evidence.curl import Answer, Request, parse, render
from scripts.evidence.identity import HEADER_NONCE, HEADER_PEER, HEADER_POD

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


class Whoami(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Host"]))
        first, _, last = self.headers.get("Range", "bytes=0-1").removeprefix("bytes=").partition("-")
        body = b"ok" * 50
        body = body[int(first) : int(last) + 1]
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header(HEADER_POD, "frontend-1")
        self.send_header(HEADER_PEER, "{}:{}".format(*self.client_address))
        self.send_header(HEADER_NONCE, self.headers[HEADER_NONCE])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


class Server(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


@pytest.fixture
def server() -> Iterator[str]:
    Whoami.seen = []
    with Server(("127.0.0.1", 0), Whoami) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def ask(*requests: Request) -> dict[str, Answer | str]:
    done = subprocess.run(curl.argv(), input=render(requests), capture_output=True, timeout=30)
    return parse(done.stdout, requests)


def answer(of: Answer | str) -> Answer:
    assert isinstance(of, Answer), of
    return of


@needs_curl
def test_the_first_free_of_some_source_ports_is_taken(server: str) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        only = Request("only", f"{server}/whoami", port=port)
        answers = ask(only, Request("any", f"{server}/whoami", port=port, ports=100))
    assert answer(answers["only"]).exitcode == 45
    assert port < answer(answers["any"]).local[1] < port + 100


@needs_curl
def test_each_of_many_requests_has_a_connection_of_its_own(server: str) -> None:
    requests = [Request(f"n{n}", f"{server}/whoami") for n in range(300)]
    answers = [answer(of) for of in ask(*requests).values()]
    assert [a.server[HEADER_NONCE] for a in answers] == [r.nonce for r in requests]
    assert all(a.server[HEADER_PEER] == "{}:{}".format(*a.local) for a in answers)
    assert {a.client["num_connects"] for a in answers} == {1} and all(
        a.client["time_connect"] for a in answers
    )
    assert {(a.exitcode, a.status, a.connected) for a in answers} == {(0, 200, True)}


@needs_curl
def test_each_request_has_its_own_host_and_path(server: str) -> None:
    ask(Request("a", f"{server}/x/../y", "shop.test"), Request("b", f"{server}/{{1,2}}", "blog.test"))
    assert sorted(Whoami.seen) == [("/x/../y", "shop.test"), ("/{1,2}", "blog.test")]


@needs_curl
def test_a_part_of_a_body_is_asked_for_and_measured(server: str) -> None:
    asked = [Request(f"n{n}", server, range=f"0-{n - 1}") for n in (1, 7, 100)]
    seen = [answer(of).client["size_download"] for of in ask(*asked, Request("all", server)).values()]
    assert seen == [1, 7, 100, 2]
    by_hand = Request("n", "http://10.0.0.2/bytes", range="0-6").argv()
    assert by_hand[-5:] == ["--range", "0-6", "--output", "/dev/null", "http://10.0.0.2/bytes"]


@needs_curl
def test_failures_keep_curls_own_exit_code_beside_successes(server: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/"
        seen = ask(
            Request("refused", closed),
            Request("fine", server),
            Request("missing", f"{server}/missing"),
            Request("tls", server.replace("http:", "https:"), total=1),
        )
    refused, fine, missing, tls = map(answer, seen.values())
    assert (refused.exitcode, refused.connected, refused.status) == (7, False, 0)
    assert "Couldn't connect" in refused.error
    assert (fine.exitcode, missing.exitcode, missing.status) == (0, 0, 404)
    assert tls.exitcode != 0 and tls.connected  # a TCP connection without an answer is a connection


@needs_curl
def test_a_connection_that_never_comes_about_times_out() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        silent = answer(ask(Request("t", f"http://127.0.0.1:{full.getsockname()[1]}/", connect=0.3))["t"])
        for one in waiting:
            one.close()
    assert (silent.exitcode, silent.connected) == (28, False)


@needs_curl
def test_a_kept_connection_is_noticed(server: str) -> None:
    """Without `Connection: close` curl uses a connection again; such an answer must not count."""
    requests = [Request(f"n{n}", server) for n in range(5)]
    config = render(requests).replace(b'header="Connection: close"\n', b"")
    serial = [option for option in curl.argv() if not option.startswith("--parallel") and option != "100"]
    done = subprocess.run(serial, input=config, capture_output=True, timeout=30)
    seen = [*parse(done.stdout, requests).values()]
    assert isinstance(seen[0], Answer)
    assert set(seen[1:]) == {"the request shared a connection with another one"}


FORGETFUL = """
import socket, subprocess, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as dns:
    dns.bind(("127.0.0.1", 53))
    asking = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)
    asking.stdin.write(sys.stdin.buffer.read())
    asking.stdin.close()
    dns.settimeout(5)
    lost = set()
    try:
        while asking.poll() is None:
            query, client = dns.recvfrom(512)
            if query[:2] not in lost:
                lost.add(query[:2])
                continue
            wants_address = query[-4:-2] == bytes([0, 1])
            head = query[:2] + bytes([0x81, 0x80]) + query[4:6] + bytes([0, wants_address, 0, 0, 0, 0])
            record = bytes([0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 1])
            dns.sendto(head + query[12:] + record * wants_address, client)
            dns.settimeout(1)
    except TimeoutError:
        asking.wait()
"""
"""A DNS that knows every name as 127.0.0.1, and of whose queries the first ones are lost."""
OWN_NETWORK = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c"]


@needs_curl
@pytest.mark.skipif(
    bool(
        shutil.which("unshare") is None
        or subprocess.run([*OWN_NETWORK, "ip link"], capture_output=True).returncode
    ),
    reason="this user may have no network of its own",
)
def test_a_lost_query_is_sent_again_within_the_limit(tmp_path: Path) -> None:
    """As a lost SYN is: one lost packet is no evidence that nobody answers."""
    resolv = tmp_path / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    own = f'ip link set lo up; mount --bind {resolv} /etc/resolv.conf; exec "$@"'
    asked = Request("n", "http://frontend.example:9/")
    argv = [*OWN_NETWORK, own, "sh", sys.executable, "-c", FORGETFUL, *curl.argv()]
    done = subprocess.run(argv, input=render([asked]), capture_output=True, timeout=30)
    seen = answer(parse(done.stdout, [asked])["n"])
    assert seen.exitcode == 7 and "Resolving" not in seen.error, seen.error


GOOD = {name: 1 for name in curl.KEPT} | {
    "exitcode": 0, "errormsg": None, "http_code": 200, "local_ip": "10.0.0.1", "local_port": 40000,
    "remote_ip": "10.0.0.2", "remote_port": 80,
}  # fmt: skip
ONE = [Request("n", "http://10.0.0.2/")]


def line(nonce: str = "n", **changed: Any) -> bytes:
    return "\t".join([nonce, json.dumps(GOOD | changed), *("" for _ in curl.HEADERS)]).encode() + b"\n"


def test_a_port_that_is_used_again_makes_no_shared_connection() -> None:
    two = [Request("n", "http://10.0.0.2/"), Request("m", "http://10.0.0.2/")]
    assert all(isinstance(seen, Answer) for seen in parse(line() + line("m"), two).values())


def test_a_good_line_is_an_answer() -> None:
    assert isinstance(parse(line(), ONE)["n"], Answer)


@pytest.mark.parametrize(
    ("stdout", "why"),
    [
        (b"", "did not report"),
        (line()[:-20], "did not report"),
        (line("other"), "did not report"),
        (line() + line(), "twice"),
        (line(errormsg="boom"), "claims success"),
        (line(http_code=0), "claims success"),
        (line(local_port=0), "claims success"),
        (line(exitcode=7), "without its message"),
        (line(exitcode="0"), "text where a number"),
        (line(num_connects=0), "shared a connection"),
        (line(time_connect=0), "shared a connection"),
    ],
)
def test_what_cannot_be_believed_is_no_answer(stdout: bytes, why: str) -> None:
    seen = parse(stdout, ONE)["n"]
    assert isinstance(seen, str) and why in seen


@given(st.binary())
def test_anything_can_be_parsed(stdout: bytes) -> None:
    assert isinstance(parse(stdout, ONE)["n"], str)


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"]), max_size=40))
def test_quoting_survives(text: str) -> None:
    try:
        quoted = curl._quoted(text)
    except ValueError:
        return
    assert quoted[1:-1].replace('\\"', '"').replace("\\\\", "\\") == text


def test_a_line_break_cannot_smuggle_an_option() -> None:
    with pytest.raises(ValueError, match="not printable"):
        render([Request("n", 'http://x/"\noutput="/etc/passwd')])


def test_a_thousand_answers_are_read_in_no_time() -> None:
    requests = [Request(f"n{n}", "http://10.0.0.2/") for n in range(1000)]
    stdout = b"".join(line(f"n{n}", local_port=20000 + n) for n in range(1000))
    begun = time.process_time()
    render(requests)
    assert all(isinstance(of, Answer) for of in parse(stdout, requests).values())
    assert time.process_time() - begun < 0.5
