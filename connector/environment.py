"""What the site needs from its environment (design section 7), read once and complained about in one sentence.

Production (``DEBUG`` off) has no defaults for anything that is secret or an address: a missing name refuses to start
and says how to make the value. With ``DEBUG`` on, a developer's machine gets local stand-ins, none of them secret.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

#: Every name that production must be given, and how a person makes its value.
REQUIRED: dict[str, str] = {
    "SECRET_KEY": 'python3 -c "import secrets; print(secrets.token_urlsafe(64))"',
    "FERNET_KEYS": 'python3 -c "import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())"',
    "DATABASE_URL": "postgres://USER:PASSWORD@HOST:5432/NAME",
    "BROKER_URL": "redis://HOST:6379/0",
    "ALLOWED_HOSTS": "the site's host names, separated by commas",
}

#: Stand-ins while DEBUG is on. Not secret: a site that holds real credentials runs with DEBUG off.
DEVELOPMENT: dict[str, str] = {
    "SECRET_KEY": "development-only-" + "0" * 50,
    "FERNET_KEYS": base64.urlsafe_b64encode(b"development-only".ljust(32, b".")).decode(),
    "DATABASE_URL": "postgres://postgres@127.0.0.1:5432/ml_connector",
    "BROKER_URL": "redis://127.0.0.1:6379/0",
    "ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]",
}

#: Names that only this machine can answer to. No certificate exists for them, so a site that has no other name
#: (bin/demo) serves plain HTTP; any other site redirects to HTTPS and marks its cookies.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

FERNET_KEY_BYTES = 32


@dataclass(frozen=True)
class Environment:
    """The site's own configuration; secrets stay out of the repr."""

    debug: bool
    secret_key: str = field(repr=False)
    fernet_keys: list[str] = field(repr=False)
    database: dict[str, Any] = field(repr=False)
    broker_url: str = field(repr=False)
    broker_options: dict[str, Any]
    allowed_hosts: list[str]
    allow_private_hosts: bool
    require_second_factor: bool

    @property
    def https(self) -> bool:
        """Whether people reach the site over HTTPS: everywhere but on names that only this machine answers to."""
        return not self.debug and not self.loopback

    @property
    def loopback(self) -> bool:
        """Whether the site has no name that another machine could ask for."""
        return LOOPBACK_NAMES.issuperset(self.allowed_hosts)


def read_environment(variables: Mapping[str, str], *, visibility_timeout_s: int) -> Environment:
    """Return the configuration that ``variables`` describe.

    Raises ``ImproperlyConfigured`` with one sentence that names everything missing or unusable.
    """
    debug = _flag(variables, "DEBUG")
    given = {name: variables.get(name, "").strip() for name in REQUIRED}
    if debug:
        given = {name: value or DEVELOPMENT[name] for name, value in given.items()}
    missing = [name for name, value in given.items() if not value]
    if missing:
        ways = "; ".join(f"{name} ({REQUIRED[name]})" for name in missing)
        raise ImproperlyConfigured(f"Set these environment variables before starting with DEBUG off: {ways}.")
    environment = Environment(
        debug=debug,
        secret_key=given["SECRET_KEY"],
        fernet_keys=_fernet_keys(given["FERNET_KEYS"]),
        database=_database(given["DATABASE_URL"]),
        broker_url="filesystem://" if given["BROKER_URL"].startswith("filesystem:") else given["BROKER_URL"],
        broker_options=_broker_options(given["BROKER_URL"], visibility_timeout_s=visibility_timeout_s),
        allowed_hosts=_listed(given["ALLOWED_HOSTS"]),
        allow_private_hosts=_flag(variables, "ALLOW_PRIVATE_HOSTS"),
        require_second_factor=_flag(variables, "REQUIRE_SECOND_FACTOR", "1"),
    )
    if not (environment.require_second_factor or environment.debug or environment.loopback):
        raise ImproperlyConfigured(
            "REQUIRE_SECOND_FACTOR may be 0 only on a site that no other machine reaches: with DEBUG on, or with no "
            f"other ALLOWED_HOSTS than {', '.join(sorted(LOOPBACK_NAMES))}."
        )
    return environment


def _flag(variables: Mapping[str, str], name: str, default: str = "") -> bool:
    value = (variables.get(name, "").strip() or default).lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"", "0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def _listed(value: str) -> list[str]:
    return [part.strip() for part in value.split(",") if part.strip()]


def _fernet_keys(value: str) -> list[str]:
    """Return the keys, newest first; a passphrase is refused, because it would be guessed."""
    keys = _listed(value)
    for position, key in enumerate(keys, start=1):
        try:
            size = len(base64.urlsafe_b64decode(key))
        except (binascii.Error, ValueError):
            size = 0
        if size != FERNET_KEY_BYTES:
            raise ImproperlyConfigured(
                f"FERNET_KEYS: key {position} of {len(keys)} is not {FERNET_KEY_BYTES} bytes in URL-safe base64; "
                f"make one with: {REQUIRED['FERNET_KEYS']}."
            )
    return keys


def _database(url: str) -> dict[str, Any]:
    """Return Django's settings for one PostgreSQL database; other engines are refused, their semantics differ."""
    if urlsplit(url).scheme not in {"postgres", "postgresql", "psql", "pgsql"}:
        raise ImproperlyConfigured(f"DATABASE_URL must name a PostgreSQL database: {REQUIRED['DATABASE_URL']}.")
    database: dict[str, Any] = dict(environ.Env.db_url_config(url))
    database["CONN_MAX_AGE"] = 60
    database["CONN_HEALTH_CHECKS"] = True
    database["OPTIONS"] = {"connect_timeout": 10, **database.get("OPTIONS", {})}
    return database


def _broker_options(url: str, *, visibility_timeout_s: int) -> dict[str, Any]:
    """Return kombu's transport options for a broker's address.

    Redis gives a lost task back only when it looks often enough (measured: 22 s with these two, not within 45 s
    without). ``filesystem:///folder`` is the one-machine broker of bin/demo: a folder for messages, one for queues.
    """
    parts = urlsplit(url)
    if parts.scheme == "filesystem":
        if not parts.path.startswith("/"):
            raise ImproperlyConfigured("BROKER_URL: write a filesystem broker as filesystem:///absolute/folder.")
        folder = Path(unquote(parts.path))
        messages, control = folder / "messages", folder / "control"
        for place in (messages, control):
            place.mkdir(parents=True, exist_ok=True)
        return {
            "data_folder_in": str(messages),
            "data_folder_out": str(messages),
            "control_folder": str(control),
            "polling_interval": 0.1,
        }
    if parts.scheme in {"redis", "rediss"}:
        return {
            "visibility_timeout": visibility_timeout_s,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
        }
    return {}
