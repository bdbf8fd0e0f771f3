"""Who this container is: the Pod and node named by the payload of its service account token."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import dataclass
from pathlib import Path

TOKEN = Path("/var/run/podpath/token")


@dataclass(frozen=True)
class Identity:
    """The names of ``kubernetes.io.pod`` and ``.node`` (KEP-4193); without a token the host's and none."""

    pod: str
    node: str


def identity(token: Path = TOKEN) -> Identity:
    """Reads the token's payload; its signature is the API server's business."""
    try:
        payload = token.read_text().split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["kubernetes.io"]
        return Identity(str(claims["pod"]["name"]), str(claims.get("node", {}).get("name", "")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return Identity(socket.gethostname(), "")
