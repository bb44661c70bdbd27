"""What makes a tenant and its connections usable: one set of rules for forms and files.

A fault is a field and one plain sentence; it never contains a value, because the value may be a secret put in the wrong
place. Shapes (lengths, ranges, choices) come from the models' own fields; here is what needs more than one field.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import models

from connector.avidxchange.profile import Profile
from connector.epicor.config import DEFAULT_TOKEN_URL
from connector.transport import addresses
from connector.zones import is_zone
from tenants.models import AvidXchangeConnection, Connection, EpicorConnection, Tenant, TenantStatus
from tenants.options import option_faults

_SEGMENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_COMPANY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,7}\Z")
_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")

#: What each way of signing in needs, beside the address: (plain settings, secrets).
_NEEDS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    EpicorConnection.AuthMode.BASIC: (("username",), ("password", "api_key")),
    EpicorConnection.AuthMode.EPICOR_TOKEN: (("username",), ("password", "api_key")),
    EpicorConnection.AuthMode.OAUTH2: (("client_id",), ("client_secret", "api_key")),
    AvidXchangeConnection.AuthMode.TOKENS: ((), ("company_token", "user_token")),
    AvidXchangeConnection.AuthMode.CLIENT_CREDENTIALS: (("client_id", "company_id"), ("client_secret",)),
}


@dataclass(frozen=True, slots=True, order=True)
class FieldFault:
    """What is wrong with one field; ``field`` is "" for what concerns the whole."""

    field: str
    message: str


def field_faults(instance: models.Model, *, leave_out: Collection[str] = ()) -> list[FieldFault]:
    """Return what the model's own fields refuse (required, length, range, choice)."""
    try:
        instance.clean_fields(exclude=set(leave_out))
    except ValidationError as error:
        return [
            FieldFault("" if name == NON_FIELD_ERRORS else name, _plain(instance, name, one))
            for name, errors in error.error_dict.items()
            for one in errors
        ]
    return []


def _plain(instance: models.Model, name: str, error: ValidationError) -> str:
    """Return the sentence of a field's error; Django's own for a choice would repeat the value."""
    if error.code == "invalid_choice":
        # Only a field of our own can have failed its choices; the stubs also allow relations, which have none.
        choices = instance._meta.get_field(name).choices  # type: ignore[union-attr]
        return f"must be one of {', '.join(str(value) for value, _ in choices or ())}"
    return " ".join(error.messages)


def tenant_faults(tenant: Tenant, *, has_connections: bool) -> list[FieldFault]:
    """Return what is wrong with a tenant beyond its single fields."""
    faults = [FieldFault("options", line) for line in option_faults(tenant.options)]
    if not is_zone(tenant.time_zone):
        faults.append(FieldFault("time_zone", "is no time zone; write an IANA name, such as America/Chicago"))
    if tenant.status == TenantStatus.LIVE and not has_connections:
        faults.append(FieldFault("status", "a live tenant needs both connections, epicor and avidxchange"))
    return faults


def connection_faults(connection: Connection, *, given: Collection[str], stored: Connection | None) -> list[FieldFault]:
    """Return what is wrong with a connection beyond its single fields.

    ``given`` names the secrets that are being set now; ``stored`` is the connection as saved, if it is.
    """
    faults = [*_address_faults(connection), *_sign_in_faults(connection, given=given)]
    if isinstance(connection, EpicorConnection):
        faults += _epicor_faults(connection)
    if isinstance(connection, AvidXchangeConnection):
        faults += _profile_faults(connection)
    if stored is not None:
        faults += _moved_faults(connection, stored, given=given)
    return faults


def _address_faults(connection: Connection) -> Iterable[FieldFault]:
    for name in ("base_url", "token_url"):
        url = getattr(connection, name)
        if not url:
            continue  # whether it is needed is decided elsewhere
        reason = address_fault(url)
        if reason:
            yield FieldFault(name, reason)


def address_fault(url: str) -> str:
    """Return why an address cannot be used, or "": the transport's rules, and that it is nothing but an address."""
    if re.search(r"[\s\\]", url):
        return "an address contains neither blanks nor backslashes"
    reason = addresses.fault(url, allow_private_hosts=settings.ALLOW_PRIVATE_HOSTS)
    if reason:
        return reason
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        return "an address has neither a question mark nor a hash"
    if ".." in parts.path.split("/"):
        return "an address does not go up (..)"
    return ""


def _sign_in_faults(connection: Connection, *, given: Collection[str]) -> Iterable[FieldFault]:
    mode = str(getattr(connection, "auth_mode", ""))
    settings_needed, secrets_needed = _NEEDS.get(mode, ((), ()))
    for name in settings_needed:
        if not getattr(connection, name):
            yield FieldFault(name, f"is needed to sign in with {mode}")
    held = connection.secrets_held()
    for name in secrets_needed:
        if name not in held and name not in given:
            yield FieldFault(name, f"is needed to sign in with {mode}")


def _epicor_faults(connection: EpicorConnection) -> Iterable[FieldFault]:
    if connection.instance and not _SEGMENT.match(connection.instance):
        yield FieldFault("instance", "is one part of an address: letters, digits, dots, hyphens and underscores")
    if connection.company and not _COMPANY.match(connection.company):
        yield FieldFault("company", "is an Epicor company ID: up to 8 letters, digits, hyphens and underscores")
    if connection.license_guid and not _GUID.match(connection.license_guid):
        yield FieldFault("license_guid", "is a GUID: 32 hexadecimal digits in five groups")


def _profile_faults(connection: AvidXchangeConnection) -> Iterable[FieldFault]:
    if not isinstance(connection.profile, dict):
        return [FieldFault("profile", "must be an object of names and values")]
    try:
        profile = Profile.from_overrides(connection.profile)
    except ValueError as error:
        return [FieldFault("profile", line) for line in str(error).splitlines()]
    if any(char.isalnum() or char.isspace() for char in profile.vendor_id_separator):
        return [FieldFault("profile", "vendor_id_separator: must be neither letters nor digits nor blanks")]
    return []


def _moved_faults(connection: Connection, stored: Connection, *, given: Collection[str]) -> Iterable[FieldFault]:
    """Secrets stay with the host they were entered for: whoever moves the address must know them.

    Otherwise somebody who may edit a connection, but not see its secrets, could have them sent to a host of his own.
    """
    moved = [name for name in ("base_url", "token_url") if _origin(connection, name) != _origin(stored, name)]
    if not moved:
        return
    for name in sorted(stored.secrets_held() - set(given)):
        yield FieldFault(name, f"enter it again, because {' and '.join(moved)} leads to another host now")


def _origin(connection: Connection, name: str) -> tuple[str, str, int] | None:
    """Return where an address leads; None for none, and for one that is refused anyway."""
    url = getattr(connection, name)
    if name == "token_url" and not url and isinstance(connection, EpicorConnection):
        url = DEFAULT_TOKEN_URL
    try:
        return addresses.origin(url)
    except ValueError:
        return None
