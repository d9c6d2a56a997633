"""URLs that the server itself opens: whose address is public, and which is then the one that is connected to.

Looking a name up twice would let its owner answer with a public address first and a private one after; so it is looked
up once, every address must be allowed, and the connection goes to that address under the name's own certificate.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from media import UsageError

Lookup = Callable[[str, int], Sequence[str]]
_PORTS = {"https": 443, "http": 80}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LONGEST = 2_000


class TargetRefused(UsageError):
    """The server does not open this URL."""


@dataclass(frozen=True)
class Openable:
    """Which URLs the server opens: https at public addresses, and what the settings add to that."""

    http: bool = False
    private: bool = False
    lookup: Lookup | None = None  # for tests; None: the system's resolver


@dataclass(frozen=True)
class Target:
    """A URL, and the address to connect to. `pinned` goes to an HTTP client, `host` into Host and the TLS handshake."""

    url: str
    host: str
    netloc: str
    pinned: str


def target(url: str, allowed: Openable) -> Target:
    """The URL with the address that was looked at; TargetRefused says why it is not opened."""
    parts, port = _parts(url, allowed)
    host = parts.hostname or ""
    addresses = _looked_up(host, port, allowed)
    if not addresses:
        raise TargetRefused(f"the host {host!r:.100} has no address")
    for address in addresses:
        if not allowed.private and not is_public(address):
            raise TargetRefused(
                f"the host {host!r:.100} is at an address that is not public; only public ones are opened"
            )
    first = addresses[0]
    shown = f"[{first}]" if ":" in first else first
    pinned = parts._replace(netloc=f"{shown}:{port}", fragment="").geturl()
    return Target(url, host, parts.netloc, pinned)


def is_public(address: str) -> bool:
    """True for an address of the public internet, in whatever notation it is wrapped."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


def _parts(url: str, allowed: Openable) -> tuple[SplitResult, int]:
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise TargetRefused(f"the URL must be plain ASCII of at most {_LONGEST} characters")
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise TargetRefused("the URL cannot be read") from error
    schemes = ("https", "http") if allowed.http else ("https",)
    if parts.scheme not in schemes:
        raise TargetRefused(f"the URL must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise TargetRefused("the URL must name a host, and no user or password")
    return parts, port


def _looked_up(host: str, port: int, allowed: Openable) -> Sequence[str]:
    if allowed.lookup is not None:
        return allowed.lookup(host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise TargetRefused(f"the host {host!r:.100} cannot be looked up") from error
    return [str(address[4][0]) for address in found]
