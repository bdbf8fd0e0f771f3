"""The one question to the Docker Engine that its client has no command for: what a registry says of an image.

The engine asks as it pulls: by its own mirrors, proxies and certificates. ``docker manifest inspect`` asks
from the client's side instead.
"""

from __future__ import annotations

import socket
from http.client import HTTPConnection, HTTPException
from urllib.parse import quote


class _EngineConnection(HTTPConnection):
    """HTTP over the engine's socket, which no proxy is asked for."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connects to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def registry_status(path: str, image: str, timeout: float) -> int:
    """The HTTP status with which the engine at socket ``path`` tells what a registry says of ``image``.

    200: it has it; 0: nothing was heard within ``timeout`` seconds, or the engine does not answer.
    https://docs.docker.com/reference/api/engine/#tag/Distribution
    """
    connection = _EngineConnection(path, timeout)
    try:
        connection.request("GET", f"/distribution/{quote(image, safe='/:@')}/json")
        return connection.getresponse().status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()
