"""Fetching what a client names by URL, without becoming its tunnel into our network. Off unless a setting allows it.

A name is resolved once, every address it has must be public, and the connection goes to that very address: what was
examined is what is spoken to. Redirects are followed a few times, each examined like the first. No cookies, no
credentials, no proxy of the environment, and an end in time and bytes.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import SplitResult, urljoin, urlsplit

from media import UsageError

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = 3
_MOVED = {301, 302, 303, 307, 308}
_CHUNK = 1 << 16


class FetchRefused(UsageError):
    """A URL that is not fetched, or whose answer is not taken."""


@dataclass(frozen=True)
class Bounds:
    """How much and how long."""

    most_bytes: int
    seconds: float = 30.0


def fetch(url: str, target: BinaryIO, bounds: Bounds) -> int:
    """Writes what is at a public http(s) URL into `target`; the number of bytes. Raises FetchRefused."""
    until = time.monotonic() + bounds.seconds
    for _ in range(_REDIRECTS + 1):
        parts = _examined(url)
        with closing(_connected(parts, _public_address(parts), bounds.seconds)) as connection:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            try:
                connection.request("GET", path, headers={"User-Agent": "assay", "Accept-Encoding": "identity"})
                answer = connection.getresponse()
                if answer.status not in _MOVED:
                    return _copied(answer, target, bounds.most_bytes, until)
                url = urljoin(url, answer.getheader("location") or "")
            except (OSError, http.client.HTTPException) as error:
                raise FetchRefused(f"the URL could not be fetched: {type(error).__name__}") from error
    raise FetchRefused(f"the URL leads on more than {_REDIRECTS} times")


def _examined(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise FetchRefused("the URL cannot be read") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise FetchRefused("only http and https URLs with a host are fetched")
    if port is not None and port != _PORTS[parts.scheme]:
        raise FetchRefused("only the usual ports, 80 and 443, are fetched from")
    if parts.username is not None or parts.password is not None:
        raise FetchRefused("a URL with credentials is not fetched")
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise FetchRefused("the URL has spaces or control characters")
    return parts


def _public_address(parts: SplitResult) -> str:
    """The first address of the host, where all of them are public."""
    assert parts.hostname is not None
    try:
        found = socket.getaddrinfo(parts.hostname, _PORTS[parts.scheme], type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchRefused("the URL's host is not known") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise FetchRefused("the URL's host is not on the public internet")
    return addresses[0]


def is_public(address: str) -> bool:
    """True for an address that anybody could reach; an IPv4 address in IPv6's clothes counts as what it is."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    inner = None
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in ipaddress.ip_network("64:ff9b::/96"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if inner is not None:
        ip = inner
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _connected(parts: SplitResult, address: str, seconds: float) -> http.client.HTTPConnection:
    """A connection to that address, speaking to that name."""
    host, port = parts.hostname or "", _PORTS[parts.scheme]
    try:
        stream = socket.create_connection((address, port), timeout=min(10.0, seconds))
        if parts.scheme == "https":
            stream = ssl.create_default_context().wrap_socket(stream, server_hostname=host)
    except OSError as error:
        raise FetchRefused(f"the URL could not be fetched: {type(error).__name__}") from error
    connection = http.client.HTTPConnection(host, port)
    connection.sock = stream
    return connection


def _copied(answer: http.client.HTTPResponse, target: BinaryIO, most: int, until: float) -> int:
    if answer.status != 200:
        raise FetchRefused(f"the URL answered {answer.status}")
    done = 0
    while chunk := answer.read1(_CHUNK):
        done += len(chunk)
        if done > most:
            raise FetchRefused(f"what is at the URL is larger than {most} bytes")
        if time.monotonic() > until:
            raise FetchRefused("the URL's server took too long")
        target.write(chunk)
    return done
