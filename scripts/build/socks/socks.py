"""SOCKS 5 (RFC 1928, and RFC 1929 for a password) for pip, which looks for a module of this name.

pip's HTTP library speaks to a SOCKS proxy by the functions of PySocks that are here, under their names, and
has no such module itself: where ALL_PROXY names such a proxy, nothing could be installed, PySocks included.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

PROXY_TYPE_SOCKS4, PROXY_TYPE_SOCKS5 = 1, 2
VERSION, CONNECT, NO_LOGIN, PASSWORD = 5, 1, 0, 2
IPV4, NAME, IPV6 = 1, 3, 4


class ProxyError(OSError):
    """The proxy refused, or is none; ``socket_err`` is the error of the socket, if it was one."""

    def __init__(self, msg: str, socket_err: OSError | None = None) -> None:
        super().__init__(msg)
        self.msg, self.socket_err = msg, socket_err


def create_connection(
    dest_pair: tuple[str, int],
    timeout: Any = None,
    source_address: tuple[str, int] | None = None,
    proxy_type: int = PROXY_TYPE_SOCKS5,
    proxy_addr: str = "",
    proxy_port: int | None = None,
    proxy_rdns: bool = True,
    proxy_username: str | None = None,
    proxy_password: str | None = None,
    socket_options: Any = None,
) -> socket.socket:
    """A connection to ``dest_pair`` by a proxy; ``proxy_rdns``: the proxy looks up the name.

    Raises ProxyError when the proxy cannot be reached or refuses. ``timeout`` is in seconds.
    """
    if proxy_type != PROXY_TYPE_SOCKS5:
        raise ProxyError("only SOCKS 5 is supported")
    limit = timeout if isinstance(timeout, int | float) else None
    try:
        link = socket.create_connection((proxy_addr, proxy_port or 1080), limit, source_address)
    except OSError as error:
        raise ProxyError(f"the SOCKS proxy {proxy_addr}:{proxy_port} cannot be reached", error) from error
    try:
        for option in socket_options or ():
            link.setsockopt(*option)
        _greet(link, proxy_username or "", proxy_password or "")
        _connect(link, *dest_pair, proxy_rdns)
    except BaseException:
        link.close()
        raise
    return link


def _greet(link: socket.socket, user: str, password: str) -> None:
    methods = bytes([NO_LOGIN, PASSWORD] if user else [NO_LOGIN])
    link.sendall(bytes([VERSION, len(methods)]) + methods)
    version, method = _read(link, 2)
    if version != VERSION or method not in methods:
        raise ProxyError("the SOCKS proxy wants another login")
    if method == PASSWORD:
        name, secret = user.encode(), password.encode()
        link.sendall(bytes([1, len(name)]) + name + bytes([len(secret)]) + secret)
        if _read(link, 2)[1] != 0:
            raise ProxyError("the SOCKS proxy refuses the login")


def _connect(link: socket.socket, host: str, port: int, by_name: bool) -> None:
    where = host if by_name else str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    link.sendall(bytes([VERSION, CONNECT, 0]) + _address(where) + struct.pack(">H", port))
    _, reply, _, kind = _read(link, 4)
    if reply != 0:
        raise ProxyError(f"the SOCKS proxy cannot reach {host}:{port} (reply {reply})")
    _read(link, {IPV4: 4, IPV6: 16}.get(kind) or _read(link, 1)[0])
    _read(link, 2)


def _address(host: str) -> bytes:
    for kind, family in ((IPV4, socket.AF_INET), (IPV6, socket.AF_INET6)):
        try:
            return bytes([kind]) + socket.inet_pton(family, host)
        except OSError:
            continue
    name = host.encode("idna")
    return bytes([NAME, len(name)]) + name


def _read(link: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            raise ProxyError("the SOCKS proxy ended the connection")
        data += more
    return data
