"""Exec in a Pod over a websocket, with an error channel that is read and not guessed.

``kubernetes.stream`` is not used: ``stream()`` swaps a method of the shared ApiClient
(https://github.com/kubernetes-client/python/issues/928), the client's ``returncode`` breaks on an empty or
unusual error channel (https://github.com/kubernetes-client/python/issues/1840), its ``update()`` reads for
as long as there is something to read, whatever the deadline, and its handshake has none.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from scripts.transport.executor import (
    CompletedExec,
    Place,
    PodExecError,
    PodExecLimit,
    fed,
    printable,
    text_of,
)

if TYPE_CHECKING:
    from kubernetes.client.configuration import Configuration

STDIN, STDOUT, STDERR, ERROR = range(4)
FRAME = 32 * 1024
ATTEMPTS = 3
PROTOCOLS = "v5.channel.k8s.io,v4.channel.k8s.io"
HANDSHAKE = 10.0
"""Seconds until the API server has accepted the exec."""
MOST = 64 << 20
"""Bytes of all output of one exec; a batch of 5,000 requests reports 9 MiB."""


class Overflow(Exception):
    """The program printed more than ``MOST`` bytes."""


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
        raise PodExecError(text_of(data).strip()[:300]) from None
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
    raise PodExecError(_first_line(str(status.get("message") or status)))


def exec_in_pod(
    configuration: Configuration, place: Place, argv: Sequence[str], stdin: bytes = b"", timeout: float = 60
) -> CompletedExec:
    """Runs ``argv`` in a container to its end; failures of the transport are tried again, shortly.

    Raises PodExecError for the transport, never for an exit code; PodExecLimit, which is not tried again,
    for a program that takes longer than ``timeout`` seconds or prints more than ``MOST`` bytes.
    """
    from tenacity import retry, retry_if_exception, stop_after_attempt, wait_fixed

    again = retry(
        retry=retry_if_exception(lambda e: isinstance(e, PodExecError) and not isinstance(e, PodExecLimit)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    done: CompletedExec = again(_exec_once)(configuration, place, argv, stdin, timeout)
    return done


def _exec_once(
    configuration: Configuration, place: Place, argv: Sequence[str], stdin: bytes, timeout: float
) -> CompletedExec:
    import websocket

    begun = time.monotonic()
    command = fed(argv, stdin) if stdin else [*argv]
    url = _url(configuration, place, command, bool(stdin))
    try:
        socket = _connected(configuration, url, min(HANDSHAKE, timeout))
        try:
            for start in range(0, len(stdin), FRAME):
                socket.settimeout(timeout)
                socket.send(bytes([STDIN]) + stdin[start : start + FRAME], websocket.ABNF.OPCODE_BINARY)
            channels = _received(socket, begun + timeout)
        finally:
            socket.close(timeout=1)
            socket.shutdown()  # close() leaves the connection open once the other side's close was answered
    except websocket.WebSocketTimeoutException:
        raise PodExecLimit(f"{argv[0]} in {place} did not end within {timeout:.0f} s") from None
    except websocket.WebSocketBadStatusException as error:
        raise PodExecError(f"exec in {place}: {_refusal(error.status_code, error.resp_body)}") from error
    except (websocket.WebSocketException, OSError) as error:
        raise PodExecError(f"exec in {place}: {_first_line(str(error))}") from error
    except Overflow:
        raise PodExecLimit(f"{argv[0]} in {place} printed more than {MOST >> 20} MiB") from None
    out, err, state = (bytes(channels.get(channel, b"")) for channel in (STDOUT, STDERR, ERROR))
    return CompletedExec(tuple(argv), out, err, parse_error_channel(state), time.monotonic() - begun)


def _refusal(status: int, body: Any) -> str:
    """Why the API server refused an exec: the message of its Status object, else the HTTP status."""
    try:
        said = json.loads(body)["message"]
    except (ValueError, TypeError, KeyError):
        said = f"the API server refused it with HTTP status {status}"
    return _first_line(str(said))


def _first_line(said: str) -> str:
    """The first line of an error, printable and short."""
    return printable(said.strip()).splitlines()[0][:300] if said.strip() else "no word"


def _received(socket: Any, deadline: float) -> dict[int, bytearray]:
    """What arrives on each channel until the other side closes, each frame within the deadline.

    Raises WebSocketTimeoutException after it, and Overflow for more than ``MOST`` bytes.
    """
    import websocket

    channels: dict[int, bytearray] = {}
    size = 0
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise websocket.WebSocketTimeoutException
        socket.settimeout(left)
        opcode, frame = socket.recv_data_frame(True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return channels
        if opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT) and frame.data:
            size += len(frame.data)
            if size > MOST:
                raise Overflow
            channels.setdefault(frame.data[0], bytearray()).extend(frame.data[1:])


def _url(configuration: Configuration, place: Place, argv: Sequence[str], stdin: bool) -> str:
    query = [("container", place.container), ("stdin", str(stdin).lower()), ("stdout", "true")]
    query += [("stderr", "true"), *(("command", arg) for arg in argv)]
    host = str(configuration.host).replace("http", "ws", 1)
    return f"{host}/api/v1/namespaces/{place.namespace}/pods/{place.pod}/exec?{urlencode(query)}"


def _connected(configuration: Any, url: str, timeout: float) -> Any:
    """A websocket that the API server has accepted within ``timeout`` seconds for each of its steps."""
    import websocket

    trust = {"cert_reqs": ssl.CERT_REQUIRED, "ca_certs": configuration.ssl_ca_cert}
    own = {
        "certfile": configuration.cert_file,
        "keyfile": configuration.key_file,
        "server_hostname": configuration.tls_server_name,
    }
    options = trust if configuration.verify_ssl else {"cert_reqs": ssl.CERT_NONE}
    options |= {name: value for name, value in own.items() if value}
    settings = configuration.auth_settings()
    header = [f"sec-websocket-protocol: {PROTOCOLS}"]
    if "BearerToken" in settings:
        header.append(f"authorization: {settings['BearerToken']['value']}")
    make: Any = websocket.WebSocket
    socket = make(sslopt=options, skip_utf8_validation=True)
    socket.connect(url, header=header, timeout=timeout)
    return socket
