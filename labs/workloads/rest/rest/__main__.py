"""Serves ``/orders`` out of the database, and ``/whoami`` without it, on port 8000."""

from __future__ import annotations

import json
import signal
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .database import Database, Unreachable
from .identity import identity

PORT = 8000
CONTAINER = "rest"
SELF = identity()
DATABASE = Database.of()


class Server(ThreadingHTTPServer):
    """A thread for each connection; of those that wait to be accepted, as many as of our other servers.

    It listens on the Pod's addresses of both families, where there are such.
    """

    request_queue_size = 4096
    address_family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET

    def server_bind(self) -> None:
        """Takes IPv4 by the same socket (ipv6(7), IPV6_V6ONLY)."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Handler(BaseHTTPRequestHandler):
    """Says on each answer, errors too, who answered and whom it saw; closes the connection after it."""

    timeout = 10

    def do_GET(self) -> None:
        """Answers the two paths there are."""
        path = self.path.partition("?")[0]
        if path == "/whoami":
            self.answer(HTTPStatus.OK, {})
        elif path == "/orders":
            self.orders()
        else:
            self.answer(HTTPStatus.NOT_FOUND, {"error": "there are /orders and /whoami"})

    def orders(self) -> None:
        """The orders, and what the database saw of the request for them; 503 without it."""
        try:
            self.answer(HTTPStatus.OK, DATABASE.visit(self.nonce()))
        except Unreachable as error:
            self.log_error("%s", error)
            self.answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error)})

    def answer(self, status: HTTPStatus, more: dict[str, Any]) -> None:
        """Answers with JSON: this server's identity and ``more``."""
        said = {
            "pod": SELF.pod,
            "node": SELF.node,
            "container": CONTAINER,
            "peer": self.peer(),
            "nonce": self.nonce(),
            **more,
        }
        body = json.dumps(said, separators=(",", ":")).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        """Adds the identity to every answer's headers; what has no value is left out."""
        headers = {
            "X-Podpath-Pod": SELF.pod,
            "X-Podpath-Node": SELF.node,
            "X-Podpath-Container": CONTAINER,
            "X-Podpath-Peer": self.peer(),
            "X-Podpath-Nonce": self.nonce(),
        }
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        super().end_headers()

    def peer(self) -> str:
        """The TCP peer as ``address:port``; an IPv6 address in brackets."""
        ip, port = self.client_address[0].removeprefix("::ffff:"), self.client_address[1]
        return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

    def nonce(self) -> str | None:
        """The request's nonce; a request that could not be read has none, and a folded one is none."""
        nonce = self.headers.get("X-Podpath-Nonce") if hasattr(self, "headers") else None
        return nonce if nonce and nonce.isprintable() else None

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: only errors are logged."""


def main() -> None:
    """Serves until SIGTERM or SIGINT, then ends at once: as process 1 it would ignore the first."""
    for ending in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ending, lambda *_: sys.exit())
    Server(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
