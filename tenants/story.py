"""The story of one record from the audit trail, as a file that proves itself offline (``bin/verify_story``).

The file holds every event of the named subjects, whole, and for each the way from its hash to the root of the hash tree
over the trail's events (``tenants/merkle.py``). Root, last event and the list of events are signed together. A story is
only written of a trail that was read whole and found as it was written, so an event cannot be missing from it without
that having been noticed. What such a file proves, and what it does not, stands in the file itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from tenants import heads, signed
from tenants.chain import Row, Verdict, verify
from tenants.merkle import Path, Tree
from tenants.models import Tenant

_FORMAT = 1
_WHAT = "The story of one record from an audit trail of ml-connector. bin/verify_story checks it, and needs no more."
_PROVES = [
    "Every event below stands, word for word, in the audit trail that ended with the head below.",
    (
        "These are all events of the subjects below up to that head. The site read its whole trail, found it as it was "
        "written, and signed this list: whoever changes an event, adds one or takes one out breaks the signature."
    ),
]
_DOES_NOT_PROVE = [
    "That the public key below is the site's. Compare it with the one that the site names.",
    (
        "Anything against whoever holds the site's keys, and could have signed another list. With a head that was kept "
        "elsewhere (bin/verify_story --head) not even they can have changed an event that is shown here; that all are "
        "shown remains their word."
    ),
    "What happened after the head, and what was never recorded.",
]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Subject = tuple[str, str]


class NotProvable(Exception):
    """The trail is not what was written, or does not hold the head that was kept; the text says where."""


def export(
    tenant: Tenant, *, about: Mapping[str, Any], subjects: Collection[Subject], head: heads.Head | None = None
) -> dict[str, Any]:
    """Return the signed story of ``subjects`` ((kind, key) each), proven against the trail's present head, or against
    ``head``, one that was kept. ``about`` says in the file what the story is of.

    Reads the whole trail once, with flat memory. Raises ``NotProvable``.
    """
    wanted, tree = set(subjects), Tree()
    until = head.sequence if head is not None else None
    events: list[tuple[Row, Path]] = []

    def follow(row: Row) -> None:
        if until is not None and row[0] > until:
            return
        if (row[5], row[6]) in wanted:
            events.append((row, tree.add_proven(heads.leaf(row))))
        else:
            tree.add(heads.leaf(row))

    verdict = verify(tenant, follow=follow)
    _require_whole(verdict)
    root = tree.root()
    if head is None:
        head = heads.head_of(tenant, verdict, root)
    elif root.hex() != head.root:
        raise NotProvable(heads.difference(tenant, head, verdict) or "The trail does not hold the head that was kept.")
    return signed.signed(
        {
            "what": _WHAT,
            "format": _FORMAT,
            "about": dict(about),
            "proves": _PROVES,
            "does_not_prove": _DOES_NOT_PROVE,
            "tenant": tenant.slug,
            "tenant_id": tenant.pk,
            "made_at": datetime.now(UTC).isoformat(),
            "head": {"sequence": head.sequence, "hash": head.hash, "root": head.root},
            "subjects": sorted(wanted),
            "events": [_event(row, path) for row, path in events],
        }
    )


def to_text(document: Mapping[str, Any]) -> bytes:
    """Return a story as the text of a file that a person can read, too."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def _require_whole(verdict: Verdict) -> None:
    if verdict.ok:
        return
    first = verdict.faults[0]
    raise NotProvable(
        f"The audit trail is not as it was written: event {first.sequence}: {first.detail}. verify_audit lists "
        "everything that is wrong with it."
    )


def _event(row: Row, path: Path) -> dict[str, Any]:
    before, after = (None if text is None else msgspec.json.decode(text) for text in row[8:10])
    return {
        "sequence": row[0],
        "at": (_EPOCH + timedelta(microseconds=row[1])).isoformat(),
        "actor_id": row[2],
        "actor_name": row[3],
        "action": row[4],
        "subject_kind": row[5],
        "subject_key": row[6],
        "run": row[7],
        "before": before,
        "after": after,
        "reason": row[10],
        "prev_hash": row[11],
        "hash": row[12],
        "path": [f"{side} {digest.hex()}" for side, digest in path],
    }
