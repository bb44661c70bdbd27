"""Logins: tokens shared by a connection's workers, fetched in time, and refreshed once when refused."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from connector.transport.auth import (
    BasicAuth,
    BearerTokenAuth,
    MemoryTokenCache,
    SendToken,
    Token,
    TokenHeadersAuth,
    TokenReply,
    TokenRequest,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Source:
    """Hands out token-1, token-2, … of an hour each."""

    identity = "source"
    secrets = ("source-secret",)

    def __init__(self) -> None:
        self.fetched = 0

    def fetch(self, send: SendToken, *, now: datetime) -> Token:
        self.fetched += 1
        return Token(f"token-{self.fetched}", now + timedelta(hours=1))


def send(_: TokenRequest) -> TokenReply:
    raise AssertionError("nothing is sent here")


def bearer(value: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {value}"}


def test_basic_never_asks_again() -> None:
    auth = BasicAuth("user", "pass")
    assert auth.headers(send) == {"Authorization": "Basic dXNlcjpwYXNz"}
    assert auth.refused(auth.headers(send), send) is False
    assert auth.secrets == ("pass", "dXNlcjpwYXNz")


def test_token_headers_are_made_from_templates_and_empty_names_left_out() -> None:
    auth = TokenHeadersAuth(
        {"Authorization": "Bearer {company_token}", "AvidAuthorization": "Bearer {user_token}", "": "{user_token}"},
        {"company_token": "c1", "user_token": "u1"},
    )
    assert auth.headers(send) == {"Authorization": "Bearer c1", "AvidAuthorization": "Bearer u1"}
    assert auth.refused({}, send) is False
    assert "c1" not in repr(auth)


@pytest.mark.parametrize("template", ["{password}", "{0}", "{", "{user_token.x}"])
def test_a_template_that_names_anything_else_is_refused_without_showing_a_value(template: str) -> None:
    with pytest.raises(ValueError, match=r"^a header template may only name: user_token$"):
        TokenHeadersAuth({"A": template}, {"user_token": "u1-canary"})


def test_a_token_is_fetched_once_and_kept_until_shortly_before_its_end() -> None:
    now = NOW
    source = Source()
    auth = BearerTokenAuth(source, now=lambda: now)
    assert auth.headers(send) == auth.headers(send) == bearer("token-1")
    now += timedelta(hours=1)
    assert auth.headers(send) == bearer("token-2")
    assert source.fetched == 2


def test_workers_of_a_connection_share_a_token() -> None:
    cache, source = MemoryTokenCache(), Source()
    first, second = (BearerTokenAuth(source, cache=cache, now=lambda: NOW) for _ in range(2))
    assert first.headers(send) == second.headers(send) == bearer("token-1")
    assert source.fetched == 1


def test_a_refused_token_is_replaced_once_for_all_workers() -> None:
    cache, source = MemoryTokenCache(), Source()
    first, second = (BearerTokenAuth(source, cache=cache, now=lambda: NOW) for _ in range(2))
    used = first.headers(send)
    second.headers(send)
    assert first.refused(used, send) is True
    assert second.refused(used, send) is True  # the other one's new token is taken, none fetched
    assert first.headers(send) == second.headers(send) == bearer("token-2")
    assert source.fetched == 2


def test_a_changed_secret_does_not_hide_behind_an_old_token() -> None:
    cache = MemoryTokenCache()
    old, new = Source(), Source()
    new.secrets = ("another-secret",)
    BearerTokenAuth(old, cache=cache, now=lambda: NOW).headers(send)
    BearerTokenAuth(new, cache=cache, now=lambda: NOW).headers(send)
    assert (old.fetched, new.fetched) == (1, 1)


def test_the_caches_key_tells_neither_identity_nor_secret() -> None:
    key = BearerTokenAuth(Source()).key
    assert len(key) == 32
    assert set(key) <= set("0123456789abcdef")


def test_seen_tokens_are_secrets_and_nothing_shows_them() -> None:
    source = Source()
    auth = BearerTokenAuth(source, now=lambda: NOW)
    auth.headers(send)
    assert auth.secrets == ("source-secret", "token-1")
    assert "token-1" not in repr(auth) + repr(Token("token-1", NOW))
    request = TokenRequest(url="https://x", headers={"password": "pw-canary"}, body=b"body-canary")
    assert "canary" not in repr(request) + repr(TokenReply(200, {"x": "h-canary"}, b"reply-canary"))
