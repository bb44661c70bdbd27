"""Every state set: its values, its named groups, the moves allowed, and the one function that makes a move.

A state only ever changes through ``advance()``, which compares and sets in one conditional UPDATE, so two workers can
never both win (style rules 12 and 15), or through a set-based statement of the engine that names the same ``FROM``
states in its WHERE clause. *Failed* is an expected end; *errored* is a bug of ours.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone


class WrongMove(Exception):
    """A move that the table of moves does not allow: a bug in the caller, never a fact about the world."""


class RunStatus(models.TextChoices):
    """A stage run. Counts of an ended run add up to what it read.

    One that waits has ended too: a system it needs cannot be called now, and it is due again when that is over.
    """

    RUNNING = "running", "Running"
    DONE = "done", "Done"
    DONE_WITH_PROBLEMS = "done_with_problems", "Done with problems"
    WAITING = "waiting", "Waiting"
    FAILED = "failed", "Failed"
    ERRORED = "errored", "Errored"
    CANCELLED = "cancelled", "Cancelled"
    LOST = "lost", "Lost"


class MappingState(models.TextChoices):
    """A vendor or GL account mapping; only an approved one is ever sent or used."""

    PROPOSED = "proposed", "Needs review"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    IGNORED = "ignored", "Ignored"


class BatchStatus(models.TextChoices):
    """One submission to AvidXchange, or one closed batch captured there."""

    READY = "ready", "Ready to send"
    SENDING = "sending", "Sending"
    UNCERTAIN = "uncertain", "Outcome unknown"
    SUBMITTED = "submitted", "Waiting for verdicts"
    SETTLED = "settled", "Settled"
    FAILED = "failed", "Refused as a whole"
    READING = "reading", "Being read"
    REVIEW = "review", "Needs review"
    STORED = "stored", "Stored"
    ACKNOWLEDGED = "acknowledged", "Acknowledged"


class ItemState(models.TextChoices):
    """One item of a submission and its verdict."""

    PENDING = "pending", "No verdict yet"
    ACCEPTED = "accepted", "Accepted"
    REFUSED = "refused", "Refused"
    DROPPED = "dropped", "Not sent"


class InvoiceState(models.TextChoices):
    """An invoice's place on its way. The first block leaves Epicor, the second arrives there."""

    WAITING = "waiting", "Not ready in Epicor"
    HELD = "held", "Held"
    READY = "ready", "Ready to send"
    IN_BATCH = "in_batch", "In a batch"
    SUBMITTED = "submitted", "At AvidXchange"
    REFUSED = "refused", "Refused by AvidXchange"
    REJECTED = "rejected", "Rejected in approval"
    APPROVED = "approved", "Approved"
    PAID = "paid", "Paid"
    REOPENED = "reopened", "Reopened by a void or refund"
    CAPTURED = "captured", "Captured"
    WRITING = "writing", "Being written to Epicor"
    WRITTEN = "written", "In Epicor"
    WITHDRAWN = "withdrawn", "Withdrawn"


class PaymentState(models.TextChoices):
    """What we did about a payment; what AvidXchange says of it is ``Payment.status``."""

    SEEN = "seen", "Not settled yet"
    READY = "ready", "To be recorded"
    HELD = "held", "Held"
    RECORDED = "recorded", "Recorded in Epicor"
    REVERSING = "reversing", "Being undone"
    REVERSED = "reversed", "Undone in Epicor"
    CLOSED = "closed", "Nothing to record"


class PostingState(models.TextChoices):
    """One document written to Epicor in several calls."""

    READY = "ready", "Ready"
    RUNNING = "running", "Running"
    UNCERTAIN = "uncertain", "Outcome unknown"
    HELD = "held", "Held"
    DONE = "done", "Done"
    ABANDONED = "abandoned", "Abandoned"


class ImageState(models.TextChoices):
    """An invoice image on its way."""

    PENDING = "pending", "To be sent"
    UNCERTAIN = "uncertain", "Outcome unknown"
    SENT = "sent", "Sent"
    REFUSED = "refused", "Refused"


class ProblemState(models.TextChoices):
    """Something that needs a person."""

    OPEN = "open", "Open"
    RESOLVED = "resolved", "Resolved"
    IGNORED = "ignored", "Ignored"


RUN_LIVE = frozenset({RunStatus.RUNNING})
RUN_OK = frozenset({RunStatus.DONE, RunStatus.DONE_WITH_PROBLEMS})
BATCH_LIVE = frozenset({BatchStatus.READY, BatchStatus.SENDING, BatchStatus.UNCERTAIN, BatchStatus.SUBMITTED})
ITEM_LIVE = frozenset({ItemState.PENDING})
POSTING_LIVE = frozenset({PostingState.READY, PostingState.RUNNING, PostingState.UNCERTAIN})
POSTING_OPEN = POSTING_LIVE | {PostingState.HELD}
#: Outgoing invoices that AvidXchange has accepted.
INVOICE_THERE = frozenset(
    {
        InvoiceState.SUBMITTED,
        InvoiceState.REJECTED,
        InvoiceState.APPROVED,
        InvoiceState.PAID,
        InvoiceState.REOPENED,
    }
)
#: Outgoing invoices that may still be (re)translated and sent.
INVOICE_UNSENT = frozenset({InvoiceState.WAITING, InvoiceState.HELD, InvoiceState.READY, InvoiceState.REFUSED})

_RUN_ENDS = frozenset(RunStatus) - {RunStatus.RUNNING}

MOVES: dict[type[models.TextChoices], dict[str, frozenset[Any]]] = {
    RunStatus: {RunStatus.RUNNING: _RUN_ENDS, **{end: frozenset() for end in _RUN_ENDS}},
    MappingState: {
        MappingState.PROPOSED: frozenset({MappingState.APPROVED, MappingState.REJECTED, MappingState.IGNORED}),
        MappingState.APPROVED: frozenset({MappingState.PROPOSED, MappingState.REJECTED, MappingState.IGNORED}),
        MappingState.REJECTED: frozenset({MappingState.PROPOSED, MappingState.APPROVED, MappingState.IGNORED}),
        MappingState.IGNORED: frozenset({MappingState.PROPOSED, MappingState.APPROVED}),
    },
    BatchStatus: {
        BatchStatus.READY: frozenset({BatchStatus.SENDING, BatchStatus.FAILED}),
        BatchStatus.SENDING: frozenset(
            {
                BatchStatus.READY,
                BatchStatus.UNCERTAIN,
                BatchStatus.SUBMITTED,
                BatchStatus.SETTLED,
                BatchStatus.FAILED,
            }
        ),
        BatchStatus.UNCERTAIN: frozenset(
            {BatchStatus.READY, BatchStatus.SUBMITTED, BatchStatus.SETTLED, BatchStatus.FAILED}
        ),
        # Uncertain again: AvidXchange denies that it knows the batch.
        BatchStatus.SUBMITTED: frozenset({BatchStatus.SETTLED, BatchStatus.UNCERTAIN}),
        BatchStatus.SETTLED: frozenset(),
        BatchStatus.FAILED: frozenset(),
        BatchStatus.READING: frozenset({BatchStatus.REVIEW, BatchStatus.STORED}),
        BatchStatus.REVIEW: frozenset({BatchStatus.READING, BatchStatus.STORED}),
        BatchStatus.STORED: frozenset({BatchStatus.READING, BatchStatus.ACKNOWLEDGED}),
        BatchStatus.ACKNOWLEDGED: frozenset({BatchStatus.READING}),
    },
    PostingState: {
        PostingState.READY: frozenset({PostingState.RUNNING, PostingState.ABANDONED, PostingState.HELD}),
        PostingState.RUNNING: frozenset(
            {PostingState.READY, PostingState.UNCERTAIN, PostingState.HELD, PostingState.DONE, PostingState.ABANDONED}
        ),
        PostingState.UNCERTAIN: frozenset(
            {PostingState.RUNNING, PostingState.HELD, PostingState.DONE, PostingState.ABANDONED}
        ),
        PostingState.HELD: frozenset({PostingState.READY, PostingState.ABANDONED, PostingState.DONE}),
        PostingState.DONE: frozenset(),
        PostingState.ABANDONED: frozenset({PostingState.READY}),
    },
    ProblemState: {
        ProblemState.OPEN: frozenset({ProblemState.RESOLVED, ProblemState.IGNORED}),
        ProblemState.RESOLVED: frozenset({ProblemState.OPEN}),
        ProblemState.IGNORED: frozenset({ProblemState.OPEN, ProblemState.RESOLVED}),
    },
}


def may_move(states: type[models.TextChoices], start: str, end: str) -> bool:
    """Return whether the table of moves allows ``start`` → ``end``; unknown states raise ``KeyError``."""
    return end in MOVES[states][start]


def advance(row: models.Model, to: models.TextChoices, *, field: str = "state", **values: Any) -> bool:
    """Move ``row`` from the state it holds in memory to ``to``, setting ``values`` in the same UPDATE.

    Returns False, with nothing changed, when the row in the database is no longer in that state: someone else has
    moved it. Raises ``WrongMove`` when the table does not allow the move. On success the object in memory is updated.
    """
    states = type(to)
    start = getattr(row, field)
    if not may_move(states, start, to):
        raise WrongMove(f"{type(row).__name__} {row.pk}: {start} → {to} is not an allowed move")
    changes = {field: to, **values}
    if any(item.name == "updated_at" for item in row._meta.concrete_fields):
        changes["updated_at"] = timezone.now()
    moved = type(row)._default_manager.filter(pk=row.pk, **{field: start}).update(**changes)
    if moved != 1:
        return False
    for name, value in changes.items():
        setattr(row, name, value)
    return True
