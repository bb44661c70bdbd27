"""Token addresses: what is sent, what is read, and what their refusals mean."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from connector.transport.auth import Token, TokenReply, TokenRequest
from connector.transport.errors import ConnectorError, Misconfigured, Retry, System
from connector.transport.tokens import ClientCredentials, EpicorTokenResource

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Wire:
    """Answers every token call the same way and remembers what was sent."""

    def __init__(self, status: int, body: bytes, **headers: str) -> None:
        self.reply = TokenReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        self.sent: list[TokenRequest] = []

    def __call__(self, request: TokenRequest) -> TokenReply:
        self.sent.append(request)
        return self.reply


def credentials(scope: str = "epicor_erp") -> ClientCredentials:
    return ClientCredentials(
        system=System.EPICOR, token_url="https://login.example/connect/token", client_id="id 1",
        client_secret="s&cret", scope=scope,
    )  # fmt: skip


def resource() -> EpicorTokenResource:
    return EpicorTokenResource(root="https://e.example/inst", username="user", password="pa ss", api_key="key")


def test_client_credentials_send_a_form_and_read_a_token() -> None:
    wire = Wire(200, b'{"access_token": "t1", "token_type": "Bearer", "expires_in": 3600, "scope": "other"}')
    token = credentials().fetch(wire, now=NOW)
    assert token == Token("t1", NOW + timedelta(seconds=2880))  # 80 % of its life
    [sent] = wire.sent
    assert sent.url == "https://login.example/connect/token"
    assert parse_qs(sent.body.decode()) == {
        "grant_type": ["client_credentials"], "client_id": ["id 1"], "client_secret": ["s&cret"],
        "scope": ["epicor_erp"],
    }  # fmt: skip
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_no_scope_is_sent_where_none_is_set() -> None:
    wire = Wire(200, b'{"access_token": "t1", "token_type": "Bearer"}')
    token = credentials(scope="").fetch(wire, now=NOW)
    assert "scope" not in parse_qs(wire.sent[0].body.decode())
    assert token.expires_at == NOW + timedelta(seconds=2400)  # 80 % of the assumed 3,000 s


def test_the_token_resource_gets_headers_and_answers_json() -> None:
    wire = Wire(200, b'{"AccessToken": "t2", "ExpiresIn": 28800}')
    assert resource().fetch(wire, now=NOW) == Token("t2", NOW + timedelta(seconds=23040))
    [sent] = wire.sent
    assert sent.url == "https://e.example/inst/TokenResource.svc/"
    assert sent.headers == {"username": "user", "password": "pa ss", "Accept": "application/json", "x-api-key": "key"}
    assert sent.body == b""


@pytest.mark.parametrize(
    "body",
    [
        b"<Token><AccessToken>t3</AccessToken><ExpiresIn>100</ExpiresIn></Token>",
        b'<?xml version="1.0"?><Token xmlns="urn:x"><AccessToken>t3</AccessToken><ExpiresIn>100</ExpiresIn></Token>',
    ],
)
def test_the_token_resource_may_answer_xml(body: bytes) -> None:
    assert resource().fetch(Wire(200, body), now=NOW) == Token("t3", NOW + timedelta(seconds=80))


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b"<html>sign in</html>", b"<Token", b'{"AccessToken": ""}', b"\xff\xfe",
        b'<!DOCTYPE x [<!ENTITY a "aaaa">]><Token><AccessToken>&a;</AccessToken></Token>',
    ],
)  # fmt: skip
def test_an_answer_without_a_token_is_a_wrong_address(body: bytes) -> None:
    for source in (resource(), credentials()):
        with pytest.raises(Misconfigured) as caught:
            source.fetch(Wire(200, body), now=NOW)
        assert caught.value.code == "login_refused"
        assert caught.value.message == "The token address answered, but not with a token."


@pytest.mark.parametrize("lifetime", ['"soon"', "-1", "0", "1e400", "null"])
def test_a_senseless_lifetime_falls_back(lifetime: str) -> None:
    wire = Wire(200, f'{{"AccessToken": "t", "ExpiresIn": {lifetime}}}'.encode())
    if lifetime == "1e400":
        with pytest.raises(Misconfigured):
            resource().fetch(wire, now=NOW)
    else:
        assert resource().fetch(wire, now=NOW).expires_at == NOW + timedelta(seconds=2400)


@pytest.mark.parametrize(
    ("status", "body", "error", "code", "message"),
    [
        (400, b'{"error":"invalid_client","error_description":"secret pa ss wrong"}', Misconfigured, "login_refused",
         "The token address refused the login with 400 (invalid_client)."),
        (401, b"pa ss is wrong", Misconfigured, "login_refused", "The token address refused the login with 401."),
        (404, b"<html>pa ss</html>", Misconfigured, "login_refused", "The token address refused the login with 404."),
        (302, b"", Misconfigured, "login_refused", "The token address refused the login with 302."),
        (503, b"user=user&password=pa ss", Retry, "token_unavailable", "The token address answered 503."),
        (429, b"", Retry, "token_unavailable", "The token address answered 429."),
    ],
)  # fmt: skip
def test_refusals_say_the_status_and_oauths_word_and_no_more(
    status: int, body: bytes, error: type[ConnectorError], code: str, message: str
) -> None:
    for source in (resource(), credentials()):
        with pytest.raises(error) as caught:
            source.fetch(Wire(status, body, Retry_After="12"), now=NOW)
        assert (caught.value.code, caught.value.message, caught.value.status) == (code, message, status)
        if isinstance(caught.value, Retry):
            assert caught.value.delay_s == 12.0


def test_sources_show_no_secret() -> None:
    assert "s&cret" not in repr(credentials()) + credentials().identity
    assert "pa ss" not in repr(resource()) + resource().identity
