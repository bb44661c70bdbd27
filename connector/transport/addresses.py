"""Which addresses a tenant may make us call.

A base URL is typed by a tenant, so without a check it could point at the metadata service or a database next to us
(SSRF). The name is resolved and every answer checked at the moment of connecting, and the address really connected to
is checked again before a byte is sent, so a name that changes between check and use gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(HTTPError):
    """A host name leads to an address that tenants may not make us call."""


def origin(url: str) -> tuple[str, str, int]:
    """Return (scheme, host, port) of an absolute http(s) URL in lower case. Raises ``ValueError`` with the reason."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("an address begins with https://")
    if not parts.hostname:
        raise ValueError("an address needs a host name")
    if parts.username or parts.password:
        raise ValueError("an address must not carry a user name or password")
    return parts.scheme, parts.hostname.lower(), parts.port or (443 if parts.scheme == "https" else 80)


def fault(url: str, *, allow_private_hosts: bool) -> str:
    """Return why a URL may not be called, as far as its text tells, or an empty text. Names are not resolved here."""
    try:
        scheme, host, _ = origin(url)
    except ValueError as reason:
        return str(reason)
    if allow_private_hosts:
        return ""
    if scheme != "https":
        return "an address begins with https://"
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return f"{host} is a private host name"
    if _is_number(host) and not is_public(host):
        return f"{host} is a private address"
    return ""


def is_public(address: str) -> bool:
    """Tell whether an IP address belongs to the public Internet, looking through IPv6 forms that carry an IPv4 one."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _check_name(host: str, port: int) -> None:
    try:
        answers = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):
        return  # urllib3 will fail to resolve it too, and says so better
    for *_, address in answers:
        if not is_public(str(address[0])):
            raise AddressRefused(f"{host} leads to a private address")


def _check_peer(connected: socket.socket, host: str) -> socket.socket:
    if not is_public(str(connected.getpeername()[0])):
        connected.close()
        raise AddressRefused(f"{host} leads to a private address")
    return connected


class _PublicHTTPConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        _check_name(self.host, self.port)
        return _check_peer(super()._new_conn(), self.host)


class _PublicHTTPSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        _check_name(self.host, self.port)
        return _check_peer(super()._new_conn(), self.host)


class _PublicHTTPPool(HTTPConnectionPool):
    ConnectionCls = _PublicHTTPConnection


class _PublicHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _PublicHTTPSConnection


class PublicAdapter(HTTPAdapter):
    """The ``requests`` adapter that connects to public addresses only."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pool manager hand out checking connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PublicHTTPPool, "https": _PublicHTTPSPool}
