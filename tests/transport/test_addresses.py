"""Which addresses a tenant may make us call: public ones over https, checked by name and again when connected."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from connector.transport import addresses
from connector.transport.auth import BasicAuth
from connector.transport.client import HttpClient
from connector.transport.errors import Misconfigured, System


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("https://epicor.example.com/saas1", ""),
        ("https://203.0.114.7:8443/x", ""),
        ("http://epicor.example.com", "an address begins with https://"),
        ("ftp://epicor.example.com", "an address begins with https://"),
        ("epicor.example.com", "an address begins with https://"),
        ("https://", "an address needs a host name"),
        ("https://user:secret@epicor.example.com", "an address must not carry a user name or password"),
        ("https://localhost/x", "localhost is a private host name"),
        ("https://db.internal", "db.internal is a private host name"),
        ("https://127.0.0.1", "127.0.0.1 is a private address"),
        ("https://169.254.169.254/latest", "169.254.169.254 is a private address"),
        ("https://10.1.2.3", "10.1.2.3 is a private address"),
        ("https://[::1]/", "::1 is a private address"),
        ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1 is a private address"),
    ],
)
def test_an_address_is_judged_by_its_text(url: str, reason: str) -> None:
    assert addresses.fault(url, allow_private_hosts=False) == reason


def test_private_addresses_and_http_can_be_allowed() -> None:
    assert addresses.fault("http://127.0.0.1:8080/x", allow_private_hosts=True) == ""
    assert addresses.fault("ftp://127.0.0.1/x", allow_private_hosts=True) == "an address begins with https://"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True), ("2606:4700::1111", True), ("192.168.1.1", False), ("0.0.0.1", False), ("100.64.0.1", False),
        ("224.0.0.1", False), ("fe80::1%eth0", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False),
        ("::ffff:8.8.8.8", True),
    ],
)  # fmt: skip
def test_addresses_are_seen_through_their_disguises(address: str, public: bool) -> None:
    assert addresses.is_public(address) is public


def test_origins_are_compared_without_case_and_with_their_port() -> None:
    assert addresses.origin("HTTPS://Host.Example/x") == ("https", "host.example", 443)
    assert addresses.origin("http://host:8080") == ("http", "host", 8080)


def client(url: str) -> HttpClient:
    return HttpClient(
        system=System.EPICOR, base_url=url, auth=BasicAuth("u", "p"), classify=lambda *_: None, sleep=lambda _: None
    )


def test_a_client_of_a_private_address_is_not_made() -> None:
    with pytest.raises(Misconfigured) as caught:
        client("https://127.0.0.1/x")
    assert caught.value.code == "address_refused"


def test_a_public_name_that_leads_home_is_refused_before_a_byte_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as home:
        port = home.getsockname()[1]

        def answer(*_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        mine = client("https://rebound.example.com")
        with pytest.raises(Misconfigured) as caught:
            mine.read("https://rebound.example.com/x", operation="read")
        mine.close()
        home.settimeout(0.05)
        with pytest.raises(TimeoutError):
            home.accept()
    assert caught.value.code == "address_refused"


def test_a_name_that_changes_after_the_check_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS answers with a public address to the check and with ours to the connection."""
    with socket.create_server(("127.0.0.1", 0)) as home:
        port = home.getsockname()[1]
        answers = iter(["8.8.8.8", "127.0.0.1"])

        def answer(*_: Any, **__: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

        monkeypatch.setattr(socket, "getaddrinfo", answer)
        mine = client("https://rebound.example.com")
        with pytest.raises(Misconfigured) as caught:
            mine.read("https://rebound.example.com/x", operation="read")
        mine.close()
        connection, _ = home.accept()
        with connection:
            assert connection.recv(100) == b""
    assert caught.value.code == "address_refused"
