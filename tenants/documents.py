"""The shape of a ``load_tenant`` document (design section 7), and how its values become model instances.

Nothing here saves. Keys that are left out keep what is stored, or get the default of a new row; ``options`` and
``profile`` are replaced as a whole. A secret is a text or ``{"env": "NAME"}``; faults name fields, never values.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import UNSET, Struct, UnsetType

from tenants.models import AvidXchangeConnection, Connection, EpicorConnection, Tenant, TenantStatus
from tenants.parsing import convert_fields
from tenants.validation import FieldFault, connection_faults, field_faults, tenant_faults


class EnvironmentSecret(Struct, frozen=True, forbid_unknown_fields=True):
    """A secret that the environment of the command holds."""

    env: str


Secret = str | EnvironmentSecret


class ConnectionDocument(Struct, kw_only=True):
    """Keys that both connections have."""

    base_url: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: Secret = ""
    max_concurrency: int = 2
    timeout_s: int = 60
    auth_mode: str = ""


class EpicorDocument(ConnectionDocument, kw_only=True):
    """``epicor``."""

    instance: str = ""
    company: str = ""
    username: str = ""
    password: Secret = ""
    scope: str = ""
    api_key: Secret = ""
    page_size: int = 100
    paging: str = ""
    license_guid: str = ""
    plant: str = ""
    coa_code: str = ""
    bank_account_id: str = ""
    payment_method_id: int | None = None
    ap_group_prefix: str = ""
    post_payments: bool = False
    void_mode: str = ""


class AvidXchangeDocument(ConnectionDocument, kw_only=True):
    """``avidxchange``."""

    company_token: Secret = ""
    user_token: Secret = ""
    company_id: str = ""
    profile: dict[str, Any] = {}


class TenantDocument(Struct, kw_only=True):
    """A whole document, without ``stages``: those belong to the schedule."""

    slug: str
    name: str = ""
    time_zone: str = ""
    currency: str = ""
    status: str | UnsetType = UNSET
    options: dict[str, Any] = {}
    epicor: dict[str, Any] = {}
    avidxchange: dict[str, Any] = {}


@dataclass(slots=True)
class PlannedConnection:
    """A connection as it would be saved, and the secrets that would be set."""

    connection: Connection
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class Plan:
    """What a document asks for, and everything that is wrong with it."""

    tenant: Tenant
    connections: list[PlannedConnection]
    faults: list[str]


_SYSTEMS: tuple[tuple[str, type[ConnectionDocument], type[EpicorConnection | AvidXchangeConnection]], ...] = (
    ("epicor", EpicorDocument, EpicorConnection),
    ("avidxchange", AvidXchangeDocument, AvidXchangeConnection),
)


def plan(document: Mapping[str, Any], *, environment: Mapping[str, str] = os.environ) -> Plan:
    """Return what a document would do, over what is stored now."""
    values, faults = convert_fields(TenantDocument, document)
    slug = values.get("slug", "")
    tenant = Tenant.objects.filter(slug=slug).first() or Tenant(slug=slug)
    connections = [
        _connection(name, shape, model, values[name], tenant=tenant, faults=faults, environment=environment)
        for name, shape, model in _SYSTEMS
        if name in values
    ]
    kinds = {type(planned.connection) for planned in connections}
    complete = all(model in kinds or _stored(model, tenant) is not None for _, _, model in _SYSTEMS)
    for key in ("name", "time_zone", "currency", "options"):
        if key in values:
            setattr(tenant, key, values[key])
    if tenant._state.adding and complete:
        # A whole document with its schedule is an onboarding; each stage has a switch of its own there.
        tenant.status = TenantStatus.LIVE
    tenant.status = values.get("status", tenant.status)
    broken = _keys(faults)
    found = [*field_faults(tenant, leave_out=broken), *tenant_faults(tenant, has_connections=complete)]
    return Plan(tenant=tenant, connections=connections, faults=[*faults, *_lines(found, broken)])


def _connection(
    name: str,
    shape: type[ConnectionDocument],
    model: type[EpicorConnection | AvidXchangeConnection],
    given: Mapping[str, Any],
    *,
    tenant: Tenant,
    faults: list[str],
    environment: Mapping[str, str],
) -> PlannedConnection:
    """Plan one connection, adding to ``faults``."""
    prefix = f"{name}."
    values, wrong = convert_fields(shape, given, prefix=prefix)
    secrets = _secrets(values, model.SECRETS, prefix=prefix, faults=wrong, environment=environment)
    stored = _stored(model, tenant)
    connection = _stored(model, tenant) or model(tenant=tenant)
    connection.assign({key: value for key, value in values.items() if key not in model.SECRETS})
    broken = _keys(wrong, prefix=prefix)
    found = [
        *field_faults(connection, leave_out={"tenant", *broken}),
        *connection_faults(connection, given=secrets.keys() | broken, stored=stored),
    ]
    faults.extend([*wrong, *_lines(found, broken, prefix=prefix)])
    return PlannedConnection(connection, secrets)


def _stored(
    model: type[EpicorConnection | AvidXchangeConnection], tenant: Tenant
) -> EpicorConnection | AvidXchangeConnection | None:
    return None if tenant.pk is None else model.objects.filter(tenant=tenant).first()


def _secrets(
    values: Mapping[str, Any],
    names: Collection[str],
    *,
    prefix: str,
    faults: list[str],
    environment: Mapping[str, str],
) -> dict[str, str]:
    """Return the given secrets in plain text, looked up where they are named; an empty one keeps what is stored."""
    secrets = {}
    for name in names:
        given: Secret = values.get(name, "")
        if isinstance(given, EnvironmentSecret):
            found = environment.get(given.env, "")
            if not found:
                faults.append(f"{prefix}{name}: environment variable {given.env} is not set")
            given = found
        if given:
            secrets[name] = given
    return secrets


def _keys(lines: Collection[str], *, prefix: str = "") -> set[str]:
    """Return the fields that already have a fault, so that none is told twice."""
    return {line.partition(":")[0].removeprefix(prefix) for line in lines}


def _lines(faults: Collection[FieldFault], broken: Collection[str], *, prefix: str = "") -> list[str]:
    """Return a line for each field's first fault; options and profiles have a line for each of their own settings."""
    lines, told = [], set(broken)
    for fault in faults:
        if fault.field in told:
            continue
        if fault.field in {"options", "profile"}:
            lines.append(f"{prefix}{fault.field}.{fault.message}")
        else:
            told.add(fault.field)
            lines.append(f"{prefix}{fault.field}: {fault.message}")
    return lines
