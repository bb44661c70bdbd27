"""The signed end of a trail as a file to be kept elsewhere, and whether a trail still holds the end that was kept.

Whoever owns the database can put all of it back to an older state, head included, and whoever has the site's keys as
well can write a trail anew. A head that was kept where neither reaches shows both: event number N had this hash then,
and the hashes of all events before it hang on that one. Its ``root`` is that of the hash tree over the hashes of the
events up to it, against which single events are proven (``tenants/story.py``).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from tenants import signed
from tenants.chain import Row, Verdict, verify
from tenants.merkle import Tree
from tenants.models import AuditEvent, Tenant

_FORMAT = 1
_WHAT = (
    "The signed end of an audit trail of ml-connector. Keep it where neither the site's database nor the people who "
    "administer it can change it. manage.py verify_audit --against checks a trail with it, bin/verify_story a story."
)


class UnusableHead(Exception):
    """A file is no head of this tenant, or it was altered; the text says which."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a trail as it was at a time. ``root`` and ``hash`` are SHA-256 in hex; ``at`` is ISO 8601 in UTC."""

    what: str = _WHAT
    format: int = _FORMAT
    tenant: str
    tenant_id: int
    sequence: int
    hash: str
    root: str
    at: str

    def shown_at(self) -> str:
        """Return when it was kept, for people."""
        return f"{datetime.fromisoformat(self.at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def leaf(row: Row) -> bytes:
    """Return what stands for an event in the tree of its trail: its hash, as text."""
    return bytes(row[12].encode())


def read_trail(tenant: Tenant) -> tuple[Verdict, Head]:
    """Verify a trail and return what was found and its present end, which is worth keeping only if all is well."""
    tree = Tree()
    verdict = verify(tenant, follow=lambda row: tree.add(leaf(row)))
    return verdict, head_of(tenant, verdict, tree.root())


def head_of(tenant: Tenant, verdict: Verdict, root: bytes) -> Head:
    """Return the end of a trail that was read whole."""
    return Head(
        tenant=tenant.slug,
        tenant_id=tenant.pk,
        sequence=verdict.last_sequence,
        hash=verdict.last_hash,
        root=root.hex(),
        at=datetime.now(UTC).isoformat(),
    )


def to_file(head: Head) -> dict[str, Any]:
    """Return a head as it is written to a file."""
    return signed.signed(msgspec.to_builtins(head))


def from_file(text: bytes, tenant: Tenant) -> tuple[Head, bool]:
    """Return a head that was kept, and whether the key that signed it is one that this site still has.

    Raises ``UnusableHead`` for a file that is none, was altered, or is of another tenant.
    """
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
        head = msgspec.convert(document, Head)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raise UnusableHead("it is no head of an audit trail that verify_audit has written") from None
    if head.format != _FORMAT:
        raise UnusableHead(f"it has format {head.format}, and this version of ml-connector knows format {_FORMAT}")
    if not signed.is_whole(document):
        raise UnusableHead("it was altered after it was signed")
    if (head.tenant, head.tenant_id) != (tenant.slug, tenant.pk):
        raise UnusableHead(f"it is the head of {head.tenant} (number {head.tenant_id}), not of {tenant.slug}")
    return head, signed.is_ours(document)


def difference(tenant: Tenant, kept: Head, verdict: Verdict) -> str:
    """Return how a trail contradicts a head that was kept of it, "" if it still holds that head."""
    if kept.sequence == 0:
        return ""
    if verdict.last_sequence < kept.sequence:
        return (
            f"This trail is older than the head that was kept. It ends with event {verdict.last_sequence}, and on "
            f"{kept.shown_at()} it ended with event {kept.sequence}. Either the database was put back to an older "
            f"state, or events {verdict.last_sequence + 1} to {kept.sequence} were removed."
        )
    there = AuditEvent.objects.filter(tenant=tenant, sequence=kept.sequence).values_list("hash", flat=True).first()
    if there == kept.hash:
        return ""
    return (
        f"Event {kept.sequence} is not the one with which the trail ended on {kept.shown_at()}. Either the database "
        "was put back to an older state and has gone on from there, or the trail was written anew."
    )
