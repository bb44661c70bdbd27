"""How one tenant's Epicor is reached, checked before the first call is made.

A call without a company segment is answered from the user's default company, so a configuration without a company or
an instance is refused here, whatever the form and ``load_tenant`` have checked before (design section 4).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from connector.transport.auth import Auth, BasicAuth, BearerTokenAuth, TokenCache
from connector.transport.errors import Misconfigured, System
from connector.transport.retry import RetryPolicy
from connector.transport.tokens import ClientCredentials, EpicorTokenResource

#: Epicor's identity provider; regional ones differ, so a tenant may name another (epicor.md 2.1).
DEFAULT_TOKEN_URL = "https://login.epicor.com/connect/token"  # noqa: S105  (an address)
AUTH_MODES = ("basic", "oauth2", "epicor_token")
PAGING_MODES = ("keyset", "skip")

#: How Epicor is asked again. It publishes no rate limit: 429 and 503 come from gateways, and licences used up mean that
#: calls wait some 20 s (epicor.md 8), so "slow down" is answered by longer waits and not by many.
RETRY = RetryPolicy(attempts=5, base_s=0.5, throttle_attempts=5, throttle_base_s=5)

_NAME = re.compile(r"[A-Za-z0-9._~-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class EpicorConfig:
    """One tenant's Epicor. ``page_size`` in rows, ``timeout_s`` in seconds of silence; ``plant`` and ``license_guid``
    are sent only when set. Secrets are kept out of the repr."""

    base_url: str
    instance: str
    company: str
    auth_mode: str = "basic"
    username: str = ""
    password: str = field(default="", repr=False)
    token_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    scope: str = "epicor_erp"
    api_key: str = field(default="", repr=False)
    page_size: int = 100
    paging: str = "keyset"
    max_concurrency: int = 2
    license_guid: str = ""
    plant: str = ""
    timeout_s: float = 60

    @property
    def root(self) -> str:
        """The address up to and with the instance, without a slash at the end; the instance is not added twice."""
        base = self.base_url.strip().rstrip("/")
        last = urlsplit(base).path.rpartition("/")[2]
        return base if last.lower() == self.instance.lower() else f"{base}/{self.instance}"

    def check(self) -> None:
        """Raise ``Misconfigured`` naming the first thing that is missing or cannot be right."""
        login = ("client_id", "client_secret") if self.auth_mode == "oauth2" else ("username", "password")
        for name in ("base_url", "instance", "company", "api_key", *login):
            if not str(getattr(self, name)).strip():
                raise _fault(f"{name}_missing", f"The Epicor connection has no {name.replace('_', ' ')}.")
        for name, known in (("auth_mode", AUTH_MODES), ("paging", PAGING_MODES)):
            if getattr(self, name) not in known:
                raise _fault(f"{name}_unknown", f"The Epicor connection's {name} is none of {', '.join(known)}.")
        for name in ("instance", "company"):
            if not _NAME.fullmatch(getattr(self, name)):
                raise _fault(f"{name}_invalid", f"The Epicor connection's {name} holds characters that no URL takes.")
        for name in ("page_size", "max_concurrency"):
            if getattr(self, name) < 1:
                raise _fault(f"{name}_invalid", f"The Epicor connection's {name} must be at least 1.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every value that must never be shown."""
        return tuple(value for value in (self.password, self.client_secret, self.api_key) if value)

    def headers(self) -> dict[str, str]:
        """Return what goes with every call: the API key, and licence and site where the tenant set them (2.2, 2.3)."""
        headers = {"x-api-key": self.api_key}
        if self.license_guid:
            headers["License"] = json.dumps({"ClaimedLicense": self.license_guid})
        if self.plant:
            headers["CallSettings"] = json.dumps({"Company": self.company, "Plant": self.plant})
        return headers

    def auth(self, cache: TokenCache | None, now: Callable[[], datetime]) -> Auth:
        """Return the login; bearer tokens are shared through ``cache``."""
        if self.auth_mode == "basic":
            return BasicAuth(self.username, self.password)
        if self.auth_mode == "epicor_token":
            resource = EpicorTokenResource(
                root=self.root, username=self.username, password=self.password, api_key=self.api_key
            )
            return BearerTokenAuth(resource, cache=cache, now=now)
        credentials = ClientCredentials(
            system=System.EPICOR,
            token_url=self.token_url or DEFAULT_TOKEN_URL,
            client_id=self.client_id,
            client_secret=self.client_secret,
            scope=self.scope,
        )
        return BearerTokenAuth(credentials, cache=cache, now=now)


def _fault(code: str, message: str) -> Misconfigured:
    return Misconfigured(
        message, system=System.EPICOR, code=code, hint="Complete the Epicor connection of this tenant."
    )
