"""Replay appends, never edits: a new run, batch or posting that points at the old one, with who and why.

Nothing is sent from here. ``execute`` makes what was chosen due again, and the stage then plans, looks up and sends it
as it does everything else; so replaying anything any number of times, in any order, ends in the same state. A record
that AvidXchange has accepted unchanged is left alone, one that it refused goes into a new batch, and a document is
written only as far as Epicor does not show it. The old batch, posting or run stays as it was (design section 6).

*Stored* sends what was translated last; *fresh* first reads the stage's records again. What a preview says is planned
anew when it is carried out, because somebody may have been faster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from connector.stages import Stage
from syncjobs.engine import schedule, submissions
from syncjobs.engine.replay_targets import KINDS, Chosen, Target, choose
from syncjobs.models import Batch, BatchItem, InvoiceLink, Payment, Posting
from syncjobs.states import (
    INVOICE_THERE,
    INVOICE_UNSENT,
    POSTING_LIVE,
    BatchStatus,
    InvoiceState,
    ItemState,
    MappingState,
    PaymentState,
    PostingState,
)
from tenants import audit
from tenants.audit import Actor
from tenants.models import Tenant
from tenants.rules import rules


class Action(StrEnum):
    """What a replay would do about one record."""

    CREATE = "create"
    UPDATE = "update"
    NONE = "none"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Effect:
    """What would become of one record; ``why`` is a sentence for a person.

    ``row`` is the record (or posting) itself, ``document`` the newest posting of it if it is written in Epicor.
    """

    action: Action
    kind: str
    key: str
    why: str
    row: Any
    document: Posting | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would do. ``stages`` run when it is carried out."""

    tenant: Tenant
    target: Target
    fresh: bool
    effects: Sequence[Effect]
    stages: Sequence[Stage]
    run: int | None

    @property
    def counts(self) -> dict[str, int]:
        """How many records come to which action."""
        found = Counter(effect.action for effect in self.effects)
        return {str(action): found[action] for action in Action}

    def reads_everything(self, stage: Stage) -> bool:
        """Whether a stage has to read all of its records for this replay.

        Invoices that were not sent, and batches captured over there, are read again by their own keys.
        """
        if not self.fresh or self.target.run is not None or stage not in (Stage.INVOICES_OUT, Stage.INVOICES_IN):
            return self.fresh
        rows = [effect.row for effect in self.effects if _stage(effect) == stage]
        return stage == Stage.INVOICES_OUT and any(row.state not in INVOICE_UNSENT for row in rows)


def plan(tenant: Tenant, target: Target, *, fresh: bool = False) -> Preview:
    """Say what replaying ``target`` would do; changes nothing.

    Raises ``replay_targets.NoSuchTarget`` when nothing of that name exists, or too much to be looked through.
    """
    chosen = choose(tenant, target)
    effects = [*_records(tenant, chosen, fresh=fresh), *_documents(chosen)]
    touched = {_stage(effect) for effect in effects if _acts(effect, fresh=fresh)}
    stages = [stage for stage in Stage if stage in touched or stage == chosen.stage]
    return Preview(tenant, target, fresh, effects, stages, chosen.run)


def execute(preview: Preview, *, actor: Actor, reason: str) -> Preview:
    """Carry a preview out and return what was really planned: its ``stages`` are due, and the caller runs or rings them
    (``loop.run_stage(…, trigger="replay", replay_of=done.run, full_read=done.reads_everything(stage))``).

    Raises ``ValueError`` without a reason, and what ``plan`` raises.
    """
    if not reason.strip():
        raise ValueError("A replay needs a reason.")
    with transaction.atomic():
        # Two people who replay the same thing follow each other; the second finds it in work. Writers of other rows
        # of the tenant are not held up by this lock.
        tenant = Tenant.objects.select_for_update(no_key=True).get(pk=preview.tenant.pk)
        now = plan(tenant, preview.target, fresh=preview.fresh)
        for effect in now.effects:
            if _acts(effect, fresh=now.fresh):
                _carry_out(tenant, effect, fresh=now.fresh)
        schedule.make_due(tenant, now.stages)
        audit.record_many(tenant, _entries(now, reason), actor=actor, run=now.run)
    return now


def _records(tenant: Tenant, chosen: Chosen, *, fresh: bool) -> Iterator[Effect]:
    for kind, rows in chosen.records.items():
        pks = [row.pk for row in rows]
        pending = BatchItem.objects.filter(
            tenant=tenant, subject_kind=kind, subject_id__in=pks, state=ItemState.PENDING
        )
        flying = set(pending.values_list("subject_id", flat=True))
        documents = _documents_of(kind, pks)
        for row in rows:
            document = documents.get(row.pk)
            if document is not None:
                action, why = _posting(document)
            elif isinstance(row, Payment):
                action, why = _payment(row)
            elif isinstance(row, InvoiceLink) and row.direction == InvoiceLink.IN:
                action, why = _captured(row)
            else:
                action, why = _outgoing(kind, row, in_flight=row.pk in flying)
            if fresh:
                why = f"{why} It is read again first."
            yield Effect(action, kind, KINDS[kind].key(row), why, row, document)


def _documents_of(kind: str, pks: Sequence[int]) -> dict[int, Posting]:
    """Return the newest document of each payment or captured invoice, by the record's key."""
    if kind == "payment":
        rows, owner = Posting.objects.filter(payment__in=pks), "payment_id"
    elif kind == "invoice":
        rows, owner = Posting.objects.filter(invoice__in=pks, kind="ap_invoice"), "invoice_id"
    else:
        return {}
    return {getattr(posting, owner): posting for posting in rows.order_by(owner, "-pk").distinct(owner)}


def _outgoing(kind: str, row: Any, *, in_flight: bool) -> tuple[Action, str]:
    """Say what sending an upsert, or an outgoing invoice, again would come to."""
    prefix = KINDS[kind].prefix
    desired, sent = getattr(row, f"{prefix}desired_hash"), getattr(row, f"{prefix}sent_hash")
    if in_flight:
        return Action.NONE, "It is on its way already, and its verdict is waited for."
    if isinstance(row, InvoiceLink) and row.state in INVOICE_THERE:
        return Action.NONE, f"AvidXchange has it ({row.get_state_display().lower()}); it never goes out twice."
    if row.hold_code:
        return Action.REFUSE, f"It is held: {row.hold_message}"
    if isinstance(row, InvoiceLink) and row.state not in INVOICE_UNSENT - {InvoiceState.WAITING}:
        return Action.REFUSE, f"It stays where it is: {row.get_state_display().lower()}. {row.state_reason}".strip()
    if getattr(row, "proposal", None) is not None and row.state != MappingState.APPROVED:
        return Action.REFUSE, f"Its mapping is not approved ({row.get_state_display().lower()})."
    if not desired:
        return Action.REFUSE, "Nothing of it is to be sent."
    if sent == desired:
        return Action.NONE, "AvidXchange accepted it, and it has not changed since."
    known = bool(sent or getattr(row, "avid_id", ""))
    return (Action.UPDATE if known else Action.CREATE), "It is sent in a new batch."


def _captured(row: InvoiceLink) -> tuple[Action, str]:
    if row.state == InvoiceState.WITHDRAWN:
        return Action.REFUSE, f"It was withdrawn. {row.state_reason}".strip()
    return Action.CREATE, "It is looked at again, and written to Epicor if nothing holds it any more."


def _payment(row: Payment) -> tuple[Action, str]:
    if row.state in (PaymentState.READY, PaymentState.HELD):
        return Action.CREATE, "It is looked at again, and recorded in Epicor if nothing holds it any more."
    return Action.NONE, f"There is nothing to record of it ({row.get_state_display().lower()})."


def _documents(chosen: Chosen) -> Iterator[Effect]:
    for posting in chosen.postings:
        action, why = _posting(posting)
        yield Effect(action, posting.kind, posting.natural_key, why, posting, posting)


def _posting(posting: Posting) -> tuple[Action, str]:
    if posting.state in POSTING_LIVE:
        return Action.NONE, "It is being worked on."
    if posting.state == PostingState.ABANDONED:
        return Action.REFUSE, f"It was given up. {posting.message}".strip()
    if posting.state == PostingState.DONE:
        return Action.NONE, "Epicor is looked at; what is there is left alone, what is missing is written again."
    return Action.CREATE, "It is taken up again from what Epicor shows."


def _stage(effect: Effect) -> Stage:
    row = effect.row
    if isinstance(row, Posting):
        return Stage(row.stage)
    if isinstance(row, InvoiceLink) and row.direction == InvoiceLink.IN:
        return Stage.INVOICES_IN
    return KINDS[effect.kind].stage


def _acts(effect: Effect, *, fresh: bool) -> bool:
    """Whether carrying out does anything about a record: a finished document is looked at even if nothing is to do."""
    if effect.action in (Action.CREATE, Action.UPDATE):
        return True
    looked_at = effect.document is not None and effect.document.state == PostingState.DONE
    return looked_at or (fresh and not isinstance(effect.row, Posting))


def _carry_out(tenant: Tenant, effect: Effect, *, fresh: bool) -> None:
    row, document = effect.row, effect.document
    if fresh and isinstance(row, InvoiceLink) and row.captured_batch_id is not None:
        read = Batch.objects.filter(pk=row.captured_batch_id, state__in=(BatchStatus.STORED, BatchStatus.ACKNOWLEDGED))
        read.update(state=BatchStatus.READING, updated_at=Now())
    if document is not None:
        if document.state in (PostingState.DONE, PostingState.HELD):
            _append(document)
    elif isinstance(row, Payment):
        if fresh:
            Payment.objects.filter(pk=row.pk).update(detail_hash="")
    else:
        _make_due(tenant, effect, fresh=fresh)


def _append(old: Posting) -> None:
    """Append a posting that points at ``old``; a held one is given up for it, so that only one is ever worked on."""
    Posting.objects.create(
        tenant_id=old.tenant_id,
        stage=old.stage,
        kind=old.kind,
        natural_key=old.natural_key,
        version=old.version + 1,
        replay_of=old,
        invoice_id=old.invoice_id,
        payment_id=old.payment_id,
        draft=old.draft,
        draft_hash=old.draft_hash,
    )
    Posting.objects.filter(pk=old.pk, state=PostingState.HELD).update(state=PostingState.ABANDONED)


def _make_due(tenant: Tenant, effect: Effect, *, fresh: bool) -> None:
    """Let the stage's outbox take a record up again; a refused invoice goes out under its next version's id."""
    row, prefix = effect.row, KINDS[effect.kind].prefix
    rows = type(row)._default_manager.filter(pk=row.pk)
    if effect.action in (Action.CREATE, Action.UPDATE):
        if isinstance(row, InvoiceLink) and row.state == InvoiceState.REFUSED:
            rows.update(**submissions.again(row, rules(tenant)))
        refused = f"{prefix}refused_hash"
        rows.filter(**{refused: F(f"{prefix}desired_hash")}).update(**{refused: ""})
    if fresh and isinstance(row, InvoiceLink):
        # Only of what is not over there: a submitted invoice would seem to have changed.
        rows.filter(direction=InvoiceLink.OUT, state__in=INVOICE_UNSENT).update(header_hash="")


def _entries(preview: Preview, reason: str) -> Iterable[audit.Entry]:
    how = "fresh" if preview.fresh else "stored"
    yield audit.Entry(
        action="replay.requested", subject=preview.target.subject, after={"how": how, **preview.counts}, reason=reason
    )
    for effect in preview.effects:
        if effect.action in (Action.CREATE, Action.UPDATE):
            yield audit.Entry(
                action="replay.planned", subject=(effect.kind, effect.key), after={"to": effect.action}, reason=reason
            )
