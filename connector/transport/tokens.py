"""Where bearer tokens come from: an OAuth2 token URL with client credentials, or Epicor's own TokenResource.

A refusal is ``Misconfigured`` (every record would fail), anything that may pass is ``Retry``. Messages are ours; of
the answer only the status and OAuth's own error word are shown.
"""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from xml.etree import ElementTree as ET

import msgspec
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from connector.transport.auth import SendToken, Token, TokenReply, TokenRequest, expiry
from connector.transport.errors import ConnectorError, Misconfigured, Retry, System
from connector.transport.retry import retry_after

#: Lifetime assumed where the answer gives none (epicor-unknowns A4).
DEFAULT_TTL_S = 3000
_OAUTH_WORD = re.compile(rb'"error"\s*:\s*"([a-z_]{3,40})"')


class ClientCredentials:
    """OAuth2 client credentials against any token URL, secret in the form body (epicor.md 2.1)."""

    def __init__(self, *, system: System, token_url: str, client_id: str, client_secret: str, scope: str = "") -> None:
        self._system = system
        self._url = token_url
        self._client_id = client_id
        self._secret = client_secret
        self._scope = scope

    def __repr__(self) -> str:
        return f"ClientCredentials({self._url})"

    @property
    def identity(self) -> str:
        """Whose token this is, from where and for what."""
        return "\n".join(("client_credentials", self._url, self._client_id, self._scope))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The client secret."""
        return (self._secret,)

    def fetch(self, send: SendToken, *, now: datetime) -> Token:
        """Ask for a token. Raises ``Misconfigured`` (code ``login_refused``) or ``Retry``."""
        # The scope is given to the request only: a server that answers with more or fewer scopes has still let us in,
        # and oauthlib would raise.
        client = BackendApplicationClient(self._client_id)
        form = client.prepare_request_body(
            scope=self._scope or None, include_client_id=True, client_secret=self._secret
        )
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        reply = send(TokenRequest(url=self._url, headers=headers, body=form.encode()))
        refusal = _refusal(self._system, reply)
        if refusal is not None:
            raise refusal
        fields: dict[str, object] = {}
        with contextlib.suppress(OAuth2Error, ValueError, TypeError, AttributeError):
            fields = dict(client.parse_request_body_response(reply.body.decode("utf-8", "replace")))
        value = fields.get("access_token")
        if not isinstance(value, str) or not value:
            raise _unreadable(self._system, reply)
        return Token(value, expiry(now, _seconds(fields.get("expires_in"))))


class EpicorTokenResource:
    """Epicor's ``TokenResource.svc/``: name and password as headers, JSON or XML back (epicor.md 2.1)."""

    def __init__(self, *, root: str, username: str, password: str, api_key: str = "") -> None:
        self._url = f"{root}/TokenResource.svc/"
        self._username = username
        self._password = password
        self._api_key = api_key

    def __repr__(self) -> str:
        return f"EpicorTokenResource({self._url})"

    @property
    def identity(self) -> str:
        """Whose token this is, and from where."""
        return "\n".join(("token_resource", self._url, self._username))

    @property
    def secrets(self) -> tuple[str, ...]:
        """Password and API key."""
        return tuple(value for value in (self._password, self._api_key) if value)

    def fetch(self, send: SendToken, *, now: datetime) -> Token:
        """Ask for a token. Raises ``Misconfigured`` (code ``login_refused``) or ``Retry``."""
        headers = {"username": self._username, "password": self._password, "Accept": "application/json"}
        if self._api_key:
            headers["x-api-key"] = self._api_key
        reply = send(TokenRequest(url=self._url, headers=headers))
        refusal = _refusal(System.EPICOR, reply)
        if refusal is not None:
            raise refusal
        value, seconds = _epicor_token(reply.body)
        if not value:
            raise _unreadable(System.EPICOR, reply)
        return Token(value, expiry(now, _seconds(seconds)))


def _epicor_token(body: bytes) -> tuple[str, object]:
    """Return token and lifetime from ``{"AccessToken": …}`` or ``<Token><AccessToken>``; an empty token if neither."""
    try:
        if body.lstrip().startswith(b"<"):
            # The reply is small and from the host that has just been sent the password. Entities are refused all the
            # same: a doctype has no business here.
            if b"<!" in body:
                return "", None
            tags = {item.tag.rpartition("}")[2]: item.text or "" for item in ET.fromstring(body).iter()}  # noqa: S314
            return tags.get("AccessToken", ""), tags.get("ExpiresIn")
        fields = msgspec.json.decode(body, type=dict[str, object])
    except (ET.ParseError, msgspec.DecodeError, UnicodeDecodeError):
        return "", None
    return str(fields.get("AccessToken") or ""), fields.get("ExpiresIn")


def _seconds(written: object) -> float:
    try:
        seconds = float(str(written))
    except ValueError:
        return DEFAULT_TTL_S
    return seconds if 0 < seconds < 10**9 else DEFAULT_TTL_S


def _refusal(system: System, reply: TokenReply) -> ConnectorError | None:
    if 200 <= reply.status < 300:
        return None
    word = _OAUTH_WORD.search(reply.body[:4000])
    said = f" ({word.group(1).decode()})" if word else ""
    if reply.status in {408, 425, 429} or reply.status >= 500:
        return Retry(
            f"The token address answered {reply.status}{said}.",
            system=system,
            code="token_unavailable",
            status=reply.status,
            delay_s=retry_after(reply.headers),
        )
    return Misconfigured(
        f"The token address refused the login with {reply.status}{said}.",
        system=system,
        code="login_refused",
        status=reply.status,
        hint="Check the user or client id, its password or secret, and the token address of this connection.",
    )


def _unreadable(system: System, reply: TokenReply) -> ConnectorError:
    return Misconfigured(
        "The token address answered, but not with a token.",
        system=system,
        code="login_refused",
        status=reply.status,
        hint="Check the token address of this connection: it should be the one that issues tokens.",
    )
