"""One end of a connection as text: "ip:port", and "[ip]:port" for IPv6 (RFC 3986, section 3.2.2)."""

from __future__ import annotations


def family_of(address: str) -> int:
    """The version of IP of an address: 4 or 6."""
    return 6 if ":" in address else 4


def end_of(ip: str, port: int | str) -> str:
    """An address with its port."""
    return f"[{ip}]:{port}" if family_of(ip) == 6 else f"{ip}:{port}"


def parted(end: str) -> tuple[str, str]:
    """An end's address and port; where it has no port, that is all it is."""
    ip, _, port = end.rpartition(":")
    return ip.strip("[]"), port


def ip_of(end: str) -> str:
    """The address of an end; empty where it has no port."""
    return parted(end)[0]
