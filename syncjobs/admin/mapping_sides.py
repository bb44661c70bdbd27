"""What can be decided about a mapping, and how its two sides are put side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString

from syncjobs.admin.decisions import Decision
from syncjobs.releases import Waiting
from syncjobs.states import MappingState
from syncjobs.templatetags.shown import NOTHING, sums, when

APPROVE = Decision(
    name="approve",
    words="Approve",
    done="approved",
    consequence="Approving sends the record to AvidXchange at the next run and releases what waits for it.",
    needs_reason=False,
    primary=True,
)
REJECT = Decision(
    name="reject",
    words="Reject",
    done="rejected",
    consequence="Rejecting says that the proposal is wrong. Nothing is sent, and invoices that need it stay held.",
)
IGNORE = Decision(
    name="ignore",
    words="Ignore",
    done="ignored",
    consequence="Ignoring leaves the record out of AvidXchange for good. Invoices that need it stay held.",
)
CREATE = Decision(
    name="create",
    words="Create new in AvidXchange",
    done="approved as new",
    consequence="A new record is made in AvidXchange at the next run, whatever was proposed.",
    needs_reason=False,
)
TAKE_BACK = Decision(
    name="take_back",
    words="Take back",
    done="put back into the queue",
    consequence="The decision is undone and the mapping waits for a person again. What was already sent stays sent; "
    "invoices that need it and have not been sent yet are held.",
)
#: What a mapping becomes by each decision.
BECOMES = {
    "approve": MappingState.APPROVED,
    "create": MappingState.APPROVED,
    "reject": MappingState.REJECTED,
    "ignore": MappingState.IGNORED,
    "take_back": MappingState.PROPOSED,
}


def compared(theirs: str, ours: str) -> str:
    """Return a value of theirs, marked in words and by a sign when it differs from ours."""
    if not theirs or not ours:
        return theirs or NOTHING
    same = theirs.strip().casefold() == ours.strip().casefold()
    return f"{theirs} (= the same)" if same else f"{theirs} (≠ differs)"


def released(waiting: Waiting | None) -> SafeString | str:
    """Say how many held invoices, worth how much, wait for a mapping."""
    if waiting is None or not waiting.number:
        return "No held invoice"
    plural = "" if waiting.number == 1 else "s"
    return format_html("{} held invoice{}<br>{}", f"{waiting.number:,}", plural, sums(waiting.amounts))


def best_match(mapping: Any) -> dict[str, Any] | None:
    """Return the best candidate of a mapping that is proposed as a match."""
    return mapping.evidence[0] if mapping.proposal == "match" and mapping.evidence else None


def no_counterpart(row: Any) -> str:
    """Say why AvidXchange's side of a mapping is empty."""
    if row.state == MappingState.APPROVED:
        return "It is made in AvidXchange at the next run." if not row.sent_hash else "AvidXchange has it."
    return "Nothing over there resembles it; approving creates it." if row.proposal == "create" else "Nothing yet."


def decided(row: Any) -> list[tuple[str, Any]]:
    """Return who decided a mapping, when, and when it was last sent."""
    return [
        ("Decided by", row.decided_by or "Nobody yet"),
        ("Decided", when(row.decided_at, row.tenant)),
        ("Last sent", when(row.sent_at, row.tenant)),
    ]


def postal(value: Mapping[str, Any] | None) -> str:
    """Return an address of a sent item on one line."""
    parts = [(value or {}).get(name, "") for name in ("Line1", "Line2", "City", "State", "PostalCode", "CountryCode")]
    return ", ".join(str(part) for part in parts if part) or NOTHING
