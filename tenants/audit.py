"""Writing the audit trail: explicit calls, no signals (style rule 21).

``record`` is for what a person or a command does, ``record_many`` for what a stage does to a page of rows. Both number
and chain the rows (``tenants/chain.py``) under one lock on the tenant's ``AuditHead``, which is held until the caller's
transaction ends. So call them last in a transaction, and never across HTTP. Everything is masked before it is hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Self
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import connection, transaction
from django.utils import timezone
from msgspec import json

from tenants.chain import UNSIGNED, Fault, Verdict, event_hash, sign, signed_by_us, verify
from tenants.masking import Mask, storable_text
from tenants.models import AuditEvent, AuditHead, Tenant

__all__ = ["Actor", "Entry", "Fault", "Verdict", "record", "record_many", "verify"]

Subject = tuple[str, str]
Run = int | str | UUID | None

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_COPY_ROWS = 5000
_COLUMNS = (
    "tenant_id", "sequence", "at", "actor_id", "actor_name", "action", "subject_kind", "subject_key", "run", "before",
    "after", "reason", "prev_hash", "hash",
)  # fmt: skip
_BEFORE, _REASON = _COLUMNS.index("before"), _COLUMNS.index("reason")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: a user with id and a copy of the name, or a part of the system that has a name only."""

    name: str
    id: int | None = None

    @classmethod
    def for_user(cls, user: AbstractBaseUser | AnonymousUser) -> Self:
        """Return a person. Raises ``ValueError`` for somebody who is not logged in."""
        if user.pk is None:
            raise ValueError("an action needs a person who is logged in")
        return cls(name=user.get_username(), id=int(user.pk))

    @classmethod
    def system(cls, name: str) -> Self:
        """Return a part of the system, such as "schedule" or the name of a command."""
        return cls(name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One row to be: ``subject`` is (kind, key); ``before`` and ``after`` are JSON-like, masked when written."""

    action: str
    subject: Subject
    before: Any = None
    after: Any = None
    reason: str = ""


def record(
    tenant: Tenant,
    action: str,
    *,
    actor: Actor,
    subject: Subject,
    before: Any = None,
    after: Any = None,
    run: Run = None,
    reason: str = "",
) -> AuditEvent:
    """Write one row and return it; inside the caller's transaction if there is one."""
    entry = Entry(action=action, subject=subject, before=before, after=after, reason=reason)
    with transaction.atomic():
        head = _locked_head(tenant)
        row = next(_rows(head, [entry], actor=actor, run=run, at=timezone.now()))
        event = AuditEvent(**dict(zip(_COLUMNS, row, strict=True)))
        event.save()
        _store_head(head)
    return event


def record_many(tenant: Tenant, entries: Iterable[Entry], *, actor: Actor, run: Run) -> int:
    """Write a row for each entry, by COPY, and return how many.

    Must be called inside the caller's ``transaction.atomic``, so that the trail and what it tells of are committed
    together; raises ``TransactionManagementError`` otherwise.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("record_many belongs into the transaction of the rows it tells of")
    waiting = iter(entries)
    page = list(islice(waiting, _COPY_ROWS))
    if not page:
        return 0
    count, at, head = 0, timezone.now(), _locked_head(tenant)
    while page:
        _copy(_rows(head, page, actor=actor, run=run, at=at))
        count += len(page)
        page = list(islice(waiting, _COPY_ROWS))
    _store_head(head)
    return count


def _locked_head(tenant: Tenant) -> AuditHead:
    heads = AuditHead.objects.select_for_update()
    head = heads.filter(tenant=tenant).first()
    if head is None:
        AuditHead.objects.bulk_create([_new_head(tenant)], ignore_conflicts=True)
        head = heads.get(tenant=tenant)
    if not signed_by_us(tenant.pk, head.sequence, head.hash, head.signature):
        _distrust(head)
    return head


def _distrust(head: AuditHead) -> None:
    """Mark a head that is not ours, and go on after the last row, wherever the head was moved to."""
    head.signature = UNSIGNED
    last = AuditEvent.objects.filter(tenant_id=head.tenant_id).order_by("-sequence").first()
    if last is not None and last.sequence >= head.sequence:
        head.sequence, head.hash = last.sequence, last.hash


def _new_head(tenant: Tenant) -> AuditHead:
    """Return the head of a new trail; that of a trail whose head is gone goes on from its last row, unsigned."""
    last = AuditEvent.objects.filter(tenant=tenant).order_by("-sequence").first()
    if last is None:
        return AuditHead(tenant=tenant, signature=sign(tenant.pk, 0, ""))
    return AuditHead(tenant=tenant, sequence=last.sequence, hash=last.hash, signature=UNSIGNED)


def _store_head(head: AuditHead) -> None:
    """Sign and save, unless the head was not ours when we found it: a new signature would hide that."""
    if head.signature != UNSIGNED:
        head.signature = sign(head.tenant_id, head.sequence, head.hash)
    head.save(update_fields=["sequence", "hash", "signature"])


def _rows(
    head: AuditHead, entries: Iterable[Entry], *, actor: Actor, run: Run, at: datetime
) -> Iterator[tuple[Any, ...]]:
    """Yield the masked, numbered and chained rows, values in the order of ``_COLUMNS``, moving ``head`` along."""
    mask = Mask()
    microseconds = (at - _EPOCH) // _MICROSECOND
    run_text = "" if run is None else str(run)
    for entry in entries:
        prev_hash, head.sequence = head.hash, head.sequence + 1
        told = (
            actor.id, actor.name, entry.action, entry.subject[0], storable_text(entry.subject[1]), run_text,
            mask.json(entry.before), mask.json(entry.after), mask.text(entry.reason),
        )  # fmt: skip
        head.hash = event_hash(head.tenant_id, (head.sequence, microseconds, *told), prev_hash)
        yield (head.tenant_id, head.sequence, at, *told, prev_hash, head.hash)


def _copy(rows: Iterable[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{name}"' for name in _COLUMNS)
    with connection.cursor() as cursor, cursor.copy(f"COPY tenants_auditevent ({names}) FROM STDIN") as copy:
        for row in rows:
            before, after = (None if value is None else json.encode(value).decode() for value in row[_BEFORE:_REASON])
            copy.write_row((*row[:_BEFORE], before, after, *row[_REASON:]))
