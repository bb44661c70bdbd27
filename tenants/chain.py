"""What makes tampering with the audit trail visible: hashes that chain its rows, and a signed end.

Each row's hash covers its content and the hash before it, so an edit, a deletion, an insertion or a changed order
breaks the chain at that row. Whoever can write to the database could recompute every hash after it, and could cut the
end off; therefore the head (last sequence and hash) is signed with keys made from ``FERNET_KEYS``, which the database
does not hold: with each of them, so that while keys are rotated a process with the old list and one with the new list
recognise each other's heads. What this cannot show: a whole database put back to an older state, head included. A head
that is kept elsewhere shows that too (``tenants/heads.py``).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from django.conf import settings
from django.db import connection, transaction

from tenants.models import AuditHead, Tenant

#: One row as ``_ROWS`` reads it: what ``event_hash`` calls content (before and after as JSON text), the hash before it
#: and its own, and the head.
Row = tuple[Any, ...]
#: Put first into every hash, so that a later format cannot be taken for this one.
_FORMAT = 1
_FETCH_ROWS = 5000
_MAX_FAULTS = 100
_ENCODER = msgspec.json.Encoder(order="sorted")
#: Stands for a signature that was wrong when somebody looked, and stays.
UNSIGNED = ""
_PURPOSE = b"ml-connector audit head"

_ROWS = """
SELECT e.sequence, (extract(epoch FROM e.at) * 1000000)::bigint, e.actor_id, e.actor_name, e.action, e.subject_kind,
       e.subject_key, e.run, e.before::text, e.after::text, e.reason, e.prev_hash, e.hash,
       h.sequence, h.hash, h.signature
FROM tenants_auditevent e LEFT JOIN tenants_audithead h ON h.tenant_id = e.tenant_id
WHERE e.tenant_id = %s ORDER BY e.sequence
"""


def event_hash(tenant_id: int, content: tuple[Any, ...], prev_hash: str) -> str:
    """Return the SHA-256 (hex) of one row.

    ``content`` is sequence, time in microseconds since 1970, actor id and name, action, subject kind and key, run,
    before, after (JSON values) and reason, in this order.
    """
    return hashlib.sha256(_ENCODER.encode((_FORMAT, tenant_id, prev_hash, *content))).hexdigest()


def sign(tenant_id: int, sequence: int, last_hash: str) -> str:
    """Return the signatures of a head under each of the site's keys, separated by blanks."""
    return " ".join(_signature(key, tenant_id, sequence, last_hash) for key in _signing_keys())


def signed_by_us(tenant_id: int, sequence: int, last_hash: str, signatures: str) -> bool:
    """Whether one of this site's keys, newest or older, made one of a head's signatures."""
    ours = [_signature(key, tenant_id, sequence, last_hash) for key in _signing_keys()]
    return any(hmac.compare_digest(mine, given) for given in signatures.split() for mine in ours)


def _signing_keys() -> list[bytes]:
    return [hmac.digest(base64.urlsafe_b64decode(key), _PURPOSE, "sha256") for key in settings.FERNET_KEYS]


def _signature(key: bytes, tenant_id: int, sequence: int, last_hash: str) -> str:
    return hmac.new(key, f"{tenant_id}:{sequence}:{last_hash}".encode(), "sha256").hexdigest()


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the trail is not what was written. ``kind`` is changed, missing, inserted, cut or head."""

    sequence: int
    kind: str
    detail: str


@dataclass(slots=True)
class Verdict:
    """What ``verify`` found. ``faults`` holds the first hundred, ``fault_count`` counts all."""

    events: int = 0
    last_sequence: int = 0
    last_hash: str = ""
    fault_count: int = 0
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the trail is exactly what was written."""
        return self.fault_count == 0

    def add(self, sequence: int, kind: str, detail: str) -> None:
        """Note a fault."""
        self.fault_count += 1
        if len(self.faults) < _MAX_FAULTS:
            self.faults.append(Fault(sequence, kind, detail))


@dataclass(frozen=True, slots=True)
class _Head:
    sequence: int
    hash: str
    signature: str


def verify(tenant: Tenant, *, follow: Callable[[Row], None] | None = None) -> Verdict:
    """Read a tenant's whole trail and return what is wrong with it; memory stays flat whatever its length.

    ``follow`` is called with each row, in the order of the trail, faulty ones included. Rows and head come from one
    statement, so that rows appended meanwhile are no faults.
    """
    verdict = Verdict()
    head: _Head | None = None
    with transaction.atomic():
        for row in _stream(tenant.pk):
            if row[13] is not None:
                head = _Head(*row[13:16])
            _check_row(verdict, tenant.pk, row)
            if head is not None and row[0] > head.sequence:
                verdict.add(row[0], "inserted", "this row stands after the signed end of the trail")
            if follow is not None:
                follow(row)
            verdict.events += 1
            verdict.last_sequence, verdict.last_hash = row[0], row[12]
        if verdict.events == 0:
            stored = AuditHead.objects.filter(tenant=tenant).values_list("sequence", "hash", "signature").first()
            head = _Head(*stored) if stored else None
    _check_head(verdict, tenant.pk, head)
    return verdict


def _stream(tenant_id: int) -> Iterator[Row]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ROWS, [tenant_id])
        while rows := cursor.fetchmany(_FETCH_ROWS):
            yield from rows


def _check_row(verdict: Verdict, tenant_id: int, row: Row) -> None:
    sequence, before, after, prev_hash, stored_hash = row[0], row[8], row[9], row[11], row[12]
    last = verdict.last_sequence
    if sequence < 1:
        verdict.add(sequence, "inserted", "rows are numbered from 1")
    elif sequence != last + 1:
        verdict.add(sequence, "missing", f"rows {last + 1} to {sequence - 1} are gone")
    elif prev_hash != verdict.last_hash:
        verdict.add(sequence, "inserted", "this row does not follow from the row before it")
    content = (
        *row[:8],
        before if before is None else msgspec.json.decode(before),
        after if after is None else msgspec.json.decode(after),
        row[10],
    )
    if event_hash(tenant_id, content, prev_hash) != stored_hash:
        verdict.add(sequence, "changed", "this row is not as it was written")


def _check_head(verdict: Verdict, tenant_id: int, head: _Head | None) -> None:
    last = verdict.last_sequence
    if head is None:
        if verdict.events:
            verdict.add(last, "head", "the signed end of the trail is gone")
        return
    if not signed_by_us(tenant_id, head.sequence, head.hash, head.signature):
        verdict.add(head.sequence, "head", "the end of the trail is not signed with a key of this site")
    if last < head.sequence:
        verdict.add(head.sequence, "cut", f"rows {last + 1} to {head.sequence} are gone from the end")
    elif last == head.sequence and verdict.last_hash != head.hash:
        verdict.add(head.sequence, "changed", "the last row is not the one that was signed")
