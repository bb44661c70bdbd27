"""Changing tenants: what forms, files and commands call, so that all of them check, save and audit alike.

Each function is one transaction. A change that changes nothing writes nothing, not even an audit row, so loading the
same document again leaves no trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from tenants import audit
from tenants.audit import Actor
from tenants.documents import plan
from tenants.fields import Sealed
from tenants.models import Connection, Membership, Role, SharedToken, Tenant

_TENANT_FIELDS = ("name", "time_zone", "currency", "status", "options")


class Invalid(Exception):
    """A document that cannot be applied; ``faults`` has one line for each reason. Nothing was changed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def faults(document: Mapping[str, Any]) -> list[str]:
    """Return one line for everything that is wrong with a document (without ``stages``); none if it can be applied."""
    return plan(document).faults


def apply(document: Mapping[str, Any], *, actor: Actor) -> Tenant:
    """Create or update a tenant and its connections from a document (without ``stages``), all or nothing.

    Raises ``Invalid``. Inside the caller's transaction, if there is one, so that a schedule can be part of it.
    """
    with transaction.atomic():
        # Two loads of one tenant follow each other; two that create it meet at the slug's unique constraint.
        list(Tenant.objects.select_for_update().filter(slug=str(document.get("slug", ""))))
        planned = plan(document)
        if planned.faults:
            raise Invalid(planned.faults)
        tenant = save_tenant(planned.tenant, actor=actor)
        for one in planned.connections:
            one.connection.tenant_id = tenant.pk
            save_connection(one.connection, secrets=one.secrets, actor=actor)
    return tenant


@transaction.atomic
def save_tenant(tenant: Tenant, *, actor: Actor, reason: str = "") -> Tenant:
    """Save a checked tenant and audit what changed."""
    stored = None if tenant._state.adding else Tenant.objects.select_for_update().get(pk=tenant.pk)
    before = {name: getattr(stored, name) for name in _TENANT_FIELDS} if stored else {}
    after = {name: getattr(tenant, name) for name in _TENANT_FIELDS}
    changed = _changed(before, after)
    if stored is not None and not changed:
        return tenant
    tenant.save()
    _tell(tenant, "tenant", tenant.slug, before, after, changed, actor=actor, reason=reason)
    return tenant


@transaction.atomic
def save_connection(
    connection: Connection, *, secrets: Mapping[str, str], actor: Actor, reason: str = ""
) -> Connection:
    """Save a checked connection with the secrets that are given, and audit what changed.

    A secret that is not given stays as it is stored now, whatever it was when ``connection`` was read: another person,
    or a rotation of the keys, may have written it meanwhile. Of a secret the trail tells that it was set or changed,
    never what it is. Tokens fetched with what was there before are forgotten.
    """
    kind = type(connection)
    tenant = connection.tenant
    stored = None if connection._state.adding else kind._default_manager.select_for_update().get(pk=connection.pk)
    before = _audited(stored) if stored else {}
    after = _audited(connection)
    changed = _changed(before, after)
    new_secrets = {name: text for name, text in secrets.items() if text and not _same(stored, name, text)}
    if stored is not None and not changed and not new_secrets:
        return connection
    if stored is not None:
        connection.take_secrets(stored)
    at = timezone.now()
    for name, text in new_secrets.items():
        connection.set_secret(name, text, by=actor.name, at=at)
    connection.save()
    SharedToken.objects.filter(tenant=tenant, system=connection.system).delete()
    subject = f"{connection.system}_connection"
    if changed or stored is None:
        _tell(tenant, subject, tenant.slug, before, after, changed, actor=actor, reason=reason)
    for name in sorted(new_secrets):
        action = "credential.changed" if getattr(stored, name, None) else "credential.set"
        audit.record(tenant, action, actor=actor, subject=(subject, name), reason=reason)
    return connection


@transaction.atomic
def set_membership(tenant: Tenant, user: User, role: Role, *, actor: Actor) -> Membership:
    """Give a person a role with a tenant, in place of the one held before, and audit it."""
    membership, created = Membership.objects.select_for_update().get_or_create(
        tenant=tenant, user=user, defaults={"role": role}
    )
    before = None if created else {"role": membership.role}
    if not created and membership.role == role:
        return membership
    membership.role = role
    membership.save()
    action = "membership.granted" if created else "membership.changed"
    subject = ("user", user.get_username())
    audit.record(tenant, action, actor=actor, subject=subject, before=before, after={"role": str(role)})
    return membership


@transaction.atomic
def remove_membership(membership: Membership, *, actor: Actor) -> None:
    """Take a person's role with a tenant away, and audit it."""
    subject, before = ("user", membership.user.get_username()), {"role": membership.role}
    membership.delete()
    audit.record(membership.tenant, "membership.revoked", actor=actor, subject=subject, before=before)


def _same(stored: Connection | None, name: str, text: str) -> bool:
    held: Sealed | None = getattr(stored, name) if stored else None
    return held is not None and held.holds(text)


def _audited(connection: Connection) -> dict[str, Any]:
    """Return a connection's plain settings under names that masking leaves alone.

    Where tokens are fetched is no secret, and an auditor must see it change.
    """
    return {name.replace("token_url", "oauth_address"): value for name, value in connection.plain_values().items()}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [name for name, value in after.items() if name not in before or before[name] != value]


def _tell(
    tenant: Tenant,
    kind: str,
    key: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    changed: list[str],
    *,
    actor: Actor,
    reason: str,
) -> None:
    """Audit the changed fields of one row; a row without a before was created."""
    audit.record(
        tenant,
        f"{kind}.changed" if before else f"{kind}.created",
        actor=actor,
        subject=(kind, key),
        before={name: before[name] for name in changed} if before else None,
        after={name: after[name] for name in changed},
        reason=reason,
    )
