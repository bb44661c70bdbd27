"""One tenant's AvidXchange connection: what it is made of, and the HTTP client and login made from it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import requests

from connector.avidxchange import faults, urls
from connector.avidxchange.profile import Profile
from connector.transport.attempts import Attempt
from connector.transport.auth import Auth, BearerTokenAuth, TokenCache, TokenHeadersAuth
from connector.transport.client import Answer, HttpClient
from connector.transport.errors import ConnectorError, Misconfigured, System
from connector.transport.limits import Limits, Shared
from connector.transport.redact import Redactor
from connector.transport.retry import RetryPolicy
from connector.transport.tokens import ClientCredentials

TOKENS = "tokens"
CLIENT_CREDENTIALS = "client_credentials"


@dataclass(frozen=True, slots=True, kw_only=True)
class AvidXchangeConfig:
    """Addresses, login and limits. ``auth_mode`` is ``tokens`` (company and user token) or ``client_credentials``.

    ``token_url`` "" means the profile's token path below ``base_url``. ``timeout_s`` in seconds.
    """

    base_url: str
    auth_mode: str
    company_token: str = field(default="", repr=False)
    user_token: str = field(default="", repr=False)
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    company_id: str = ""
    max_concurrency: int = 2
    timeout_s: float = 60


def authenticate(
    config: AvidXchangeConfig, profile: Profile, *, token_cache: TokenCache | None, now: Callable[[], datetime]
) -> Auth:
    """Return the login of a connection. Raises ``Misconfigured`` (code ``credentials_missing``)."""
    if config.auth_mode == TOKENS:
        _need(company_token=config.company_token, user_token=config.user_token)
        templates = {
            profile.header_company_token: profile.company_token_template,
            profile.header_user_token: profile.user_token_template,
        }
        return TokenHeadersAuth(templates, {"company_token": config.company_token, "user_token": config.user_token})
    if config.auth_mode == CLIENT_CREDENTIALS:
        _need(client_id=config.client_id, client_secret=config.client_secret, company_id=config.company_id)
        source = ClientCredentials(
            system=System.AVIDXCHANGE,
            token_url=config.token_url
            or urls.build(urls.root(config.base_url, profile.path_prefix), profile.paths["token"], {}),
            client_id=config.client_id,
            client_secret=config.client_secret,
        )
        return BearerTokenAuth(source, cache=token_cache, now=now)
    raise Misconfigured(
        f"The AvidXchange connection's way to log in is unknown: {config.auth_mode!r}.",
        system=System.AVIDXCHANGE,
        code="credentials_missing",
        hint=f"Choose {TOKENS} or {CLIENT_CREDENTIALS}.",
    )


def _need(**settings: str) -> None:
    missing = [name for name, value in settings.items() if not value]
    if missing:
        raise Misconfigured(
            f"The AvidXchange connection has no {' and no '.join(missing)}.",
            system=System.AVIDXCHANGE,
            code="credentials_missing",
            hint="Enter it in the tenant's AvidXchange connection.",
        )


def connect(
    config: AvidXchangeConfig,
    profile: Profile,
    *,
    on_attempt: Callable[[Attempt], None] | None = None,
    allow_private_hosts: bool = False,
    token_cache: TokenCache | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
    session: requests.Session | None = None,
    shared: Shared | None = None,
    retry: RetryPolicy | None = None,
) -> HttpClient:
    """Return the HTTP client of a connection. Raises ``Misconfigured`` for settings that cannot work."""
    redactor = Redactor([config.company_token, config.user_token, config.client_secret])

    def classify(answer: Answer, operation: str) -> ConnectorError | None:
        return faults.classify(answer, operation, redactor.text)

    fixed = {profile.header_company_id: config.company_id, profile.header_tenant: profile.tenant}
    return HttpClient(
        system=System.AVIDXCHANGE,
        base_url=config.base_url,
        auth=authenticate(config, profile, token_cache=token_cache, now=now),
        classify=classify,
        retry=retry or profile.retry,
        limits=Limits(max_concurrency=config.max_concurrency, max_rps=profile.max_rps, timeout_read_s=config.timeout_s),
        redactor=redactor,
        default_headers={name: value for name, value in fixed.items() if name and value},
        allow_private_hosts=allow_private_hosts,
        on_attempt=on_attempt,
        now=now,
        sleep=sleep,
        session=session,
        request_id_header=profile.header_request_id,
        shared=shared,
    )
