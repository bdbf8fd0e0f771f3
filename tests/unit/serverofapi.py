"""An API server over HTTP for tests of a given cluster: it answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

UID = "9e1f"
REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class ApiServer:
    """``namespaces`` are labels by name; ``denied`` are texts such as "list nodes".

    ``refuses`` is a status for all; ``pods`` and the like are items of lists. ``done`` is what was deleted.
    """

    def __init__(self) -> None:
        self.namespaces: dict[str, dict[str, str]] = {"kube-system": {}, "default": {}}
        self.pods: list[dict[str, Any]] = []
        self.daemon_sets: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.denied: set[str] = set()
        self.refuses, self.uid = 0, UID
        self.done: list[str] = []
        self.url = ""
        self.close: Callable[[], None] = lambda: None

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """The status and the object."""
        path = path.partition("?")[0]
        if self.refuses:
            who = 'namespaces is forbidden: User "dev" cannot list resource "namespaces" in API group ""'
            return self.refuses, {"kind": "Status", "message": who if self.refuses == 403 else "Unauthorized"}
        if path == "/version":
            return 200, {"gitVersion": "v1.30.4"}
        if path == REVIEW:
            asked = body["spec"]["resourceAttributes"]
            allowed = f"{asked['verb']} {asked['resource']}" not in self.denied
            return 201, {"status": {"allowed": allowed}}
        if path == "/api/v1/namespaces":
            items = [{"metadata": {"name": n, "labels": told}} for n, told in self.namespaces.items()]
            return 200, {"items": items}
        if path.startswith("/api/v1/namespaces/") and path.count("/") == 4:
            name = path.rpartition("/")[2]
            if method == "DELETE":
                self.done.append(f"DELETE {name}")
                del self.namespaces[name]
                return 200, {}
            return 200, {"metadata": {"name": name, "uid": self.uid}}
        lists = {"pods": self.pods, "daemonsets": self.daemon_sets, "events": self.events}
        if path in ("/api/v1/pods", "/api/v1/events", "/apis/apps/v1/daemonsets"):
            return 200, {"items": lists[path.rpartition("/")[2]]}
        return 404, {"kind": "Status", "message": f"there is no {path}"}


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as are made; one that finds no room is tried again a second later."""

    request_queue_size = 64


@contextmanager
def serving() -> Iterator[ApiServer]:
    """An API server that serves while the block runs, or until it is closed."""
    api = ApiServer()

    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if size else None
            status, said = api.answer(self.command, self.path, body)
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = handle_one

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    api.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()

    def close() -> None:
        server.shutdown()
        server.server_close()
        thread.join()
        api.close = lambda: None

    api.close = close
    try:
        yield api
    finally:
        api.close()
