"""Exec in a Pod over a websocket, with an error channel that is read and not guessed.

``kubernetes.stream`` is not used: it swaps a method of the shared ApiClient
(https://github.com/kubernetes-client/python/issues/928) and its ``returncode`` breaks on an empty or
unusual error channel (https://github.com/kubernetes-client/python/issues/1840).
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from scripts.probing.executor import CompletedExec, Place, PodExecError, fed

if TYPE_CHECKING:
    from kubernetes.client.configuration import Configuration

STDIN, STDOUT, STDERR, ERROR = range(4)
FRAME = 32 * 1024
ATTEMPTS = 3


def parse_error_channel(data: bytes) -> int | None:
    """The exit code that the error channel states; None when it states nothing.

    The channel carries a metav1.Status: Success, or a Failure whose cause with reason ``ExitCode``
    has the code as its message. Any other failure is the transport's: PodExecError with its message.
    """
    if not data.strip():
        return None
    try:
        status = json.loads(data)
    except ValueError:
        raise PodExecError(data.decode(errors="replace").strip()[:300]) from None
    if not isinstance(status, dict):
        raise PodExecError(f"the error channel holds no status: {status!r}"[:300])
    if status.get("status") == "Success":
        return 0
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else []:
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            code = str(cause.get("message", ""))
            if code.isascii() and code.isdigit():
                return int(code)
    raise PodExecError(str(status.get("message") or status)[:300])


def exec_in_pod(
    configuration: Configuration, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
) -> CompletedExec:
    """Runs ``argv`` in a container to its end; transport failures are tried again, shortly.

    Raises PodExecError for the transport, never for an exit code.
    """
    from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

    again = retry(
        retry=retry_if_exception_type(PodExecError),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    done: CompletedExec = again(_exec_once)(configuration, place, argv, stdin, timeout)
    return done


def _exec_once(
    configuration: Configuration, place: Place, argv: Sequence[str], stdin: bytes, timeout: float
) -> CompletedExec:
    from kubernetes.stream.ws_client import WSClient
    from websocket import WebSocketException

    begun = time.monotonic()
    command = fed(argv, stdin) if stdin else [*argv]
    try:
        client: Any = WSClient(  # type: ignore[no-untyped-call]
            configuration,
            _url(configuration, place, command, bool(stdin)),
            _headers(configuration),
            False,
            True,
        )
        try:
            client.sock.settimeout(timeout)
            for start in range(0, len(stdin), FRAME):
                client.write_channel(STDIN, stdin[start : start + FRAME])
            while client.is_open():
                left = begun + timeout - time.monotonic()
                if left <= 0:
                    raise PodExecError(f"{argv[0]} in {place} did not end within {timeout:.0f} s")
                client.update(timeout=left)
            out, err, state = (client.read_channel(channel) for channel in (STDOUT, STDERR, ERROR))
        finally:
            client.close()
    except (WebSocketException, OSError) as error:
        raise PodExecError(f"exec in {place}: {str(error).splitlines()[0][:200]}") from error
    return CompletedExec(tuple(argv), out, err, parse_error_channel(state), time.monotonic() - begun)


def _url(configuration: Configuration, place: Place, argv: Sequence[str], stdin: bool) -> str:
    query = [("container", place.container), ("stdin", str(stdin).lower()), ("stdout", "true")]
    query += [("stderr", "true"), *(("command", arg) for arg in argv)]
    host = str(configuration.host).replace("http", "ws", 1)
    return f"{host}/api/v1/namespaces/{place.namespace}/pods/{place.pod}/exec?{urlencode(query)}"


def _headers(configuration: Any) -> dict[str, str]:
    settings = configuration.auth_settings()
    return {"authorization": settings["BearerToken"]["value"]} if "BearerToken" in settings else {}
