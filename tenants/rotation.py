"""Rotate the keys: every secret and every trail's head under exactly the keys in ``FERNET_KEYS``.

Run once a new key is in front of the list, and everything opens with it alone, so that the old one can go; run again
when it has gone, and nothing is left that it could open. Workers may be at work meanwhile, with the old list or the new
one. Works in batches, each committed by itself, and may be repeated at any time: what is as it should be is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from tenants import audit
from tenants.audit import Actor
from tenants.chain import sign, signed_by_us
from tenants.fields import Sealed
from tenants.models import (
    AuditHead,
    Authenticator,
    AvidXchangeConnection,
    Connection,
    EpicorConnection,
    SharedToken,
    Tenant,
)

BATCH = 200
Holder = Connection | SharedToken | Authenticator


@dataclass(slots=True)
class Rotation:
    """What was done: secrets written anew and left as they were, heads signed anew, and what could not be."""

    rotated: int = 0
    current: int = 0
    heads: int = 0
    faults: list[str] = field(default_factory=list)


def rotate(*, actor: Actor) -> Rotation:
    """Bring everything under the keys in force. What none of them opens is a fault and stays as it is.

    A cached token that none opens is thrown away instead: whoever needs one signs in again.
    """
    done = Rotation()
    for model in (EpicorConnection, AvidXchangeConnection, SharedToken, Authenticator):
        for keys in _batches(model):
            with transaction.atomic():
                _rotate_rows(model, keys, done, actor)
    for keys in _batches(AuditHead):
        with transaction.atomic():
            _sign_heads(keys, done)
    return done


def _batches(model: type[Holder | AuditHead]) -> Iterator[list[int]]:
    keys = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), BATCH):
        yield keys[start : start + BATCH]


def _rotate_rows(model: type[Holder], keys: list[int], done: Rotation, actor: Actor) -> None:
    names = model.SECRETS if issubclass(model, Connection) else ("key",) if model is Authenticator else ("token",)
    changed: list[Any] = []
    per_tenant: dict[int, int] = {}
    for row in model._default_manager.select_for_update().filter(pk__in=keys):
        count = sum(_rotate_one(row, name, done) for name in names)
        if count:
            changed.append(row)
            if isinstance(row, Connection):
                per_tenant[row.tenant_id] = per_tenant.get(row.tenant_id, 0) + count
    model._default_manager.bulk_update(changed, names)
    if not issubclass(model, Connection):
        return
    for tenant in Tenant.objects.filter(pk__in=per_tenant).order_by("pk"):
        subject = (f"{model.system}_connection", tenant.slug)
        audit.record(tenant, "key.rotated", actor=actor, subject=subject, after={"count": per_tenant[tenant.pk]})


def _rotate_one(row: Holder, name: str, done: Rotation) -> int:
    sealed: Sealed | None = getattr(row, name)
    if sealed is None:
        return 0
    if sealed.is_current():
        done.current += 1
        return 0
    if not sealed.opens() and isinstance(row, SharedToken):
        setattr(row, name, None)
        return 1
    if not sealed.opens():
        done.faults.append(f"{row._meta.model_name} {row.pk}, {name}: opens with none of the keys in FERNET_KEYS")
        return 0
    setattr(row, name, sealed.sealed_anew())
    done.rotated += 1
    return 1


def _sign_heads(keys: list[int], done: Rotation) -> None:
    """Sign heads anew. One whose signature is not ours is left: signing it would hide that it was tampered with."""
    for head in AuditHead.objects.select_for_update().filter(pk__in=keys).select_related("tenant"):
        if not signed_by_us(head.tenant_id, head.sequence, head.hash, head.signature):
            done.faults.append(
                f"audit trail of {head.tenant.slug}: not signed with a key of this site; run verify_audit"
            )
            continue
        newest = sign(head.tenant_id, head.sequence, head.hash)
        if head.signature != newest:
            head.signature = newest
            head.save(update_fields=["signature"])
            done.heads += 1
