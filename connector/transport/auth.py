"""Who we say we are, for every way of saying it that the two systems know.

An ``Auth`` hands out headers and is told when they were refused; it answers whether sending again makes sense. That
makes "refresh once on a 401" one rule in the client for all of them. A bearer token belongs to the connection, not to
a worker: it lives in a ``TokenCache`` that the workers of a connection share, and a worker that was refused first
looks whether another one has fetched a new token meanwhile.

Bodies of token calls are never logged, stored or quoted: an error body may echo the password (avidxchange.md 1).
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Protocol

#: Share of a token's life after which a new one is fetched before anybody is refused (epicor-unknowns A4).
REFRESH_AT = 0.8


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token; ``expires_at`` is when to stop using it (UTC-aware), a while before the server does."""

    value: str = field(repr=False)
    expires_at: datetime


class TokenCache(Protocol):
    """Where the workers of a connection share a token. Implementations must be safe across threads and processes."""

    def get(self, key: str) -> Token | None: ...

    def put(self, key: str, token: Token) -> None: ...


class MemoryTokenCache:
    """A token cache for one process: for tests, the connection form and scripts."""

    def __init__(self) -> None:
        self._tokens: dict[str, Token] = {}

    def get(self, key: str) -> Token | None:
        return self._tokens.get(key)

    def put(self, key: str, token: Token) -> None:
        self._tokens[key] = token


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """One token call, to any absolute URL."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class TokenReply:
    """What a token call answered; the body never leaves this module's users."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


#: Sends a token call under the client's rules (addresses, limits, attempts); raises ``Retry`` when no answer came.
SendToken = Callable[[TokenRequest], TokenReply]


class TokenSource(Protocol):
    """Fetches a token. ``identity`` names whose token it is (no secret in it), ``secrets`` are to be redacted."""

    @property
    def identity(self) -> str: ...

    @property
    def secrets(self) -> tuple[str, ...]: ...

    def fetch(self, send: SendToken, *, now: datetime) -> Token: ...


class Auth(Protocol):
    """Headers for a call, and what to do when they were refused."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must never be shown, as far as known now."""

    def headers(self, send: SendToken) -> Mapping[str, str]:
        """Return the headers of one call; may fetch a token with ``send``."""

    def refused(self, used: Mapping[str, str], send: SendToken) -> bool:
        """Told that a call with the headers ``used`` got 401; return whether other headers are now to be had."""


class BasicAuth:
    """User name and password on every call."""

    def __init__(self, username: str, password: str) -> None:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"}
        self.secrets: tuple[str, ...] = (password, pair)

    def __repr__(self) -> str:
        return "BasicAuth()"

    def headers(self, send: SendToken) -> Mapping[str, str]:
        """Return the ``Authorization`` header; nothing is fetched."""
        return self._headers

    def refused(self, used: Mapping[str, str], send: SendToken) -> bool:
        """A password does not become right by asking again."""
        return False


class TokenHeadersAuth:
    """Long-lived tokens in headers, each header made from a template such as ``Bearer {company_token}``."""

    def __init__(self, templates: Mapping[str, str], values: Mapping[str, str]) -> None:
        try:
            self._headers = {name: template.format_map(dict(values)) for name, template in templates.items() if name}
        except (KeyError, IndexError, ValueError, AttributeError):
            raise ValueError(f"a header template may only name: {', '.join(sorted(values))}") from None
        self.secrets: tuple[str, ...] = tuple(value for value in values.values() if value)

    def __repr__(self) -> str:
        return f"TokenHeadersAuth({', '.join(sorted(self._headers))})"

    def headers(self, send: SendToken) -> Mapping[str, str]:
        """Return the headers; nothing is fetched."""
        return self._headers

    def refused(self, used: Mapping[str, str], send: SendToken) -> bool:
        """These tokens are given by a person; there is nothing to refresh."""
        return False


class BearerTokenAuth:
    """A fetched bearer token, shared by the workers of a connection through ``cache``."""

    def __init__(
        self,
        source: TokenSource,
        *,
        cache: TokenCache | None = None,
        header: str = "Authorization",
        template: str = "Bearer {token}",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._source = source
        self._cache: TokenCache = MemoryTokenCache() if cache is None else cache
        self._header = header
        self._template = template
        self._now = now
        self._lock = threading.Lock()
        self._seen: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"BearerTokenAuth({type(self._source).__name__})"

    @cached_property
    def key(self) -> str:
        """The token's name in the cache: whose it is, and a fingerprint of the secret, so that a changed secret is
        tried and not hidden by an old token. Slow to compute on purpose, because caches may be stored."""
        salt = hashlib.sha256(self._source.identity.encode()).digest()
        secret = "\n".join(self._source.secrets).encode()
        return hashlib.scrypt(secret, salt=salt, n=2**14, r=8, p=1, dklen=16).hex()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The source's secrets and the last few tokens seen."""
        return (*self._source.secrets, *self._seen)

    def headers(self, send: SendToken) -> Mapping[str, str]:
        """Return the header with a token that is not about to expire, fetching one if there is none."""
        with self._lock:
            token = self._cache.get(self.key)
            if token is None or token.expires_at <= self._now():
                token = self._fetch(send)
            return self._written(token)

    def refused(self, used: Mapping[str, str], send: SendToken) -> bool:
        """Take the token another worker fetched meanwhile, or fetch one: once, whoever of the threads comes first."""
        with self._lock:
            token = self._cache.get(self.key)
            if token is None or self._written(token) == dict(used):
                self._fetch(send)
            return True

    def _fetch(self, send: SendToken) -> Token:
        token = self._source.fetch(send, now=self._now())
        self._cache.put(self.key, token)
        return token

    def _written(self, token: Token) -> dict[str, str]:
        if token.value not in self._seen:
            self._seen = (*self._seen[-3:], token.value)
        return {self._header: self._template.format(token=token.value)}


def expiry(now: datetime, seconds: float) -> datetime:
    """Return when to stop using a token that the server said lives so many seconds."""
    return now + timedelta(seconds=max(0.0, seconds) * REFRESH_AT)
