"""The one place where secrets exist decrypted: a tenant's connections become clients here, and nowhere else.

Plain text goes into the clients' configurations, which keep it out of their reprs, and into no other variable that
outlives a call. Tokens fetched by a client are shared by all workers of the connection through ``SharedToken``.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypedDict, TypeVar, Unpack

import msgspec
import requests
from django.conf import settings
from django.db import connection as database

from connector.avidxchange.client import AvidXchangeClient, AvidXchangeConfig
from connector.avidxchange.profile import Profile
from connector.epicor.client import EpicorClient, EpicorConfig
from connector.transport.attempts import Attempt
from connector.transport.auth import Token
from connector.transport.errors import Misconfigured, System
from connector.transport.limits import Shared
from connector.transport.retry import ONCE, RetryPolicy
from tenants.models import AvidXchangeConnection, Connection, EpicorConnection, SharedToken, Tenant

OnAttempt = Callable[[Attempt], None]
C = TypeVar("C", bound=Connection)

#: How long a token read from the database is used without looking again. A look costs a query before every call.
_FRESH_S = 5.0
#: How long a ping waits for an answer, in seconds.
PING_S = 15.0


class Options(TypedDict, total=False):
    """What whoever wants a client may choose: see ``HttpClient``. ``retry`` takes the place of the system's own."""

    on_attempt: OnAttempt | None
    shared: Shared | None
    sleep: Callable[[float], None]
    session: requests.Session | None
    retry: RetryPolicy | None


def epicor_client(tenant: Tenant, *, longest_s: float = math.inf, **options: Unpack[Options]) -> EpicorClient:
    """Return a client of the tenant's Epicor company, that waits ``longest_s`` for an answer; close it when done.

    Raises ``Misconfigured`` where the connection is missing, incomplete or has an address that is not allowed.
    """
    config = epicor_config(tenant)
    config = replace(config, timeout_s=min(config.timeout_s, longest_s))
    return EpicorClient(config, **_everywhere(tenant, System.EPICOR), **options)


def avidxchange_client(tenant: Tenant, *, longest_s: float = math.inf, **options: Unpack[Options]) -> AvidXchangeClient:
    """Return a client of the tenant's AvidXchange customer; close it when done. Raises as ``epicor_client`` does."""
    config = avidxchange_config(tenant)
    config = replace(config, timeout_s=min(config.timeout_s, longest_s))
    return AvidXchangeClient(config, avidxchange_profile(tenant), **_everywhere(tenant, System.AVIDXCHANGE), **options)


def ping(tenant: Tenant, system: System, **options: Unpack[Options]) -> None:
    """Make the cheapest call to a system once, whatever is known of its connection; raises what came of it."""
    make = epicor_client if system is System.EPICOR else avidxchange_client
    options["retry"] = ONCE
    client = make(tenant, longest_s=PING_S, **options)
    try:
        client.ping()
    finally:
        client.close()


def _everywhere(tenant: Tenant, system: System) -> dict[str, Any]:
    """What every client of a connection has."""
    return {"allow_private_hosts": settings.ALLOW_PRIVATE_HOSTS, "token_cache": DatabaseTokenCache(tenant, system)}


def epicor_config(tenant: Tenant) -> EpicorConfig:
    """Return how the tenant's Epicor is reached, secrets included. Raises ``Misconfigured`` without a connection."""
    connection = _connection(EpicorConnection, tenant)
    return EpicorConfig(
        base_url=connection.base_url,
        instance=connection.instance,
        company=connection.company,
        auth_mode=connection.auth_mode,
        username=connection.username,
        password=_plain(connection, "password"),
        token_url=connection.token_url,
        client_id=connection.client_id,
        client_secret=_plain(connection, "client_secret"),
        scope=connection.scope,
        api_key=_plain(connection, "api_key"),
        page_size=connection.page_size,
        paging=connection.paging,
        max_concurrency=connection.max_concurrency,
        license_guid=connection.license_guid,
        plant=connection.plant,
        timeout_s=connection.timeout_s,
    )


def avidxchange_config(tenant: Tenant) -> AvidXchangeConfig:
    """Return how the tenant's AvidXchange is reached, secrets included. Raises as ``epicor_config`` does."""
    connection = _connection(AvidXchangeConnection, tenant)
    return AvidXchangeConfig(
        base_url=connection.base_url,
        auth_mode=connection.auth_mode,
        company_token=_plain(connection, "company_token"),
        user_token=_plain(connection, "user_token"),
        token_url=connection.token_url,
        client_id=connection.client_id,
        client_secret=_plain(connection, "client_secret"),
        company_id=connection.company_id,
        max_concurrency=connection.max_concurrency,
        timeout_s=connection.timeout_s,
    )


def avidxchange_profile(tenant: Tenant) -> Profile:
    """Return the settings of the tenant's AvidXchange interface. Raises ``Misconfigured`` where they are unusable."""
    try:
        return Profile.from_overrides(_connection(AvidXchangeConnection, tenant).profile)
    except ValueError as error:
        raise Misconfigured(
            f"The AvidXchange profile of {tenant} cannot be used: {'; '.join(str(error).splitlines())}.",
            system=System.AVIDXCHANGE,
            code="profile_unusable",
            hint="Correct the profile of the AvidXchange connection.",
        ) from None


def _connection(model: type[C], tenant: Tenant) -> C:
    # Asked anew each time: a cached relation would keep secrets that were changed meanwhile.
    found = model._default_manager.filter(tenant=tenant).first()
    if found is None:
        name = model.system.label
        raise Misconfigured(
            f"{tenant} has no {name} connection.",
            system=model.system,
            code="connection_missing",
            hint=f"Set up the {name} connection of this tenant.",
        )
    return found


def _plain(connection: Connection, name: str) -> str:
    sealed = getattr(connection, name)
    return "" if sealed is None else str(sealed.reveal())


class DatabaseTokenCache:
    """The transport's ``TokenCache`` over ``SharedToken``: one token for all threads and processes of a connection."""

    def __init__(self, tenant: Tenant, system: System, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._where: dict[str, Any] = {"tenant_id": tenant.pk, "system": str(system)}
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._recent: dict[str, tuple[float, Token]] = {}

    def __repr__(self) -> str:
        return f"DatabaseTokenCache({self._where['system']})"

    def get(self, key: str) -> Token | None:
        """Return the token last stored under ``key``, by whichever worker; one that no key of ours opens is none.

        A process that has been given other keys may have stored it; signing in once more costs less than a failed run.
        """
        with self._lock:
            read_at, token = self._recent.get(key, (0.0, None))
            if token is not None and self._monotonic() - read_at < _FRESH_S:
                return token
        with tidy_connection():
            stored = SharedToken.objects.filter(**self._where, key=key).first()
        if stored is None or stored.token is None or not stored.token.opens():
            return None
        value, expires_at = msgspec.json.decode(stored.token.reveal(), type=tuple[str, datetime])
        return self._remember(key, Token(value, expires_at))

    def put(self, key: str, token: Token) -> None:
        """Store a fetched token for everybody."""
        text = msgspec.json.encode((token.value, token.expires_at)).decode()
        with tidy_connection():
            SharedToken.objects.update_or_create(**self._where, key=key, defaults={"token": text})
        self._remember(key, token)

    def _remember(self, key: str, token: Token) -> Token:
        with self._lock:
            self._recent[key] = (self._monotonic(), token)
        return token


@contextmanager
def tidy_connection() -> Iterator[None]:
    """Close the database connection again if this thread had none.

    A client's own threads ask for tokens too, and nobody would close what they leave open.
    """
    had_one = database.connection is not None
    try:
        yield
    finally:
        if not had_one:
            database.close()
