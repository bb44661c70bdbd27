"""Undoing in Epicor what AvidXchange took back: void, refund, return and reissue (avidxchange.md 6.3, epicor.md 6.3).

How is the tenant's choice (``void_mode``). Either way a payment waits in REVERSING until Epicor shows it deleted or
void: by our calls, or by the hands of the person who was told. Its invoices are open again then, and whether they are
to be paid again is for a person, unless a replacing payment pays them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import F, Sum
from django.db.models.functions import Now

from connector.avidxchange import records as avid
from connector.epicor import records as epicor
from connector.epicor.drafts import PaymentDraft
from connector.translate import payments as translation
from connector.translate.codebook import Rules
from connector.transport.errors import Held, Rejected
from syncjobs.engine import balances, locks, payment_drafts, payment_steps, postings, problems, recording, submissions
from syncjobs.engine.balances import InvoiceKey
from syncjobs.engine.context import StageContext
from syncjobs.engine.payment_moves import FOR_REVIEW
from syncjobs.engine.payment_steps import VoidDraft
from syncjobs.engine.payment_store import record_of, recordings
from syncjobs.engine.problems import Finding
from syncjobs.engine.submitted import PAID_ELSEWHERE
from syncjobs.models import InvoiceLink, Payment, Posting, Remittance
from syncjobs.states import INVOICE_THERE, InvoiceState, PaymentState, PostingState, advance
from tenants import audit

#: An invoice whose payment was undone; it never goes out again by itself.
REOPENED = "reopened_by_void"
TO_UNDO = "undo_in_epicor"
#: A lost call may still be carried out for so long; until then "not there" is not believed.
_SETTLES = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Undone:
    """What came of undoing one payment: an outcome for the counts, and what keeps it from being undone."""

    payment: Payment
    outcome: str
    finding: Finding | None = None


def undo(ctx: StageContext, payment: Payment, rules: Rules) -> Undone:
    """Undo one payment in Epicor, or see whether a person has; nothing of it is stored on the payment yet."""
    recorded = recordings([payment]).get(payment.pk)
    if ctx.dry_run:
        return Undone(payment, "updated" if ctx.tenant.epicor_connection.void_mode == "api" else "held")
    if recorded is not None and not _given_up(recorded, ctx.now()):
        return Undone(payment, "uncertain")
    draft = _draft(payment, recorded, rules) if recorded is not None else _draft_of_standing(ctx, payment, rules)
    if draft is None:
        return Undone(payment, "updated")
    if ctx.tenant.epicor_connection.void_mode != "api":
        return _seen_undone(ctx, payment, draft)
    return _undone(ctx, payment, draft)


def _given_up(recorded: Posting, now: datetime) -> bool:
    """End a recording that has not come to its end; False while something of it may still happen."""
    if recorded.state in (PostingState.DONE, PostingState.ABANDONED):
        return True
    last = recorded.steps[-1] if recorded.steps else None
    if last is not None and last["state"] == "started" and now - datetime.fromisoformat(last["at"]) < _SETTLES:
        return False
    return abandon(recorded)


def abandon(posting: Posting) -> bool:
    """Give up a document whose payment was taken back; False if another worker has it."""
    why = "AvidXchange took the payment back."
    if posting.state == PostingState.HELD:
        return advance(posting, PostingState.ABANDONED, message=why)
    if not locks.claim(posting, {PostingState.READY, PostingState.UNCERTAIN}, PostingState.RUNNING):
        return False
    return locks.release(posting, PostingState.ABANDONED, message=why)


def _draft(payment: Payment, recorded: Posting, rules: Rules) -> VoidDraft:
    written = postings.draft_of(recorded, PaymentDraft)
    return VoidDraft(
        vendor_num=written.vendor_num,
        identity=written.identity,
        identity_field=written.identity_field,
        bank_account_id=written.bank_account_id,
        void_date=max(written.check_date, _day(record_of(payment), rules)),
        status=payment.status,
    )


def _draft_of_standing(ctx: StageContext, payment: Payment, rules: Rules) -> VoidDraft | None:
    """Return what is to be undone of a payment that we hold no recording of, by what Epicor shows; None for nothing."""
    row = payment_drafts.standing(ctx, [payment.avid_id], rules).get(payment.avid_id)
    if row is None:
        return None
    return VoidDraft(
        vendor_num=row.vendor_num,
        identity=translation.identity(payment.avid_id),
        identity_field=translation.identity_field(rules),
        bank_account_id=epicor.text(row.bank_acct_id),
        void_date=max(epicor.day(row.check_date) or date.min, _day(record_of(payment), rules)),
        status=payment.status,
    )


def _day(record: avid.Payment, rules: Rules) -> date:
    """Return the day a payment was taken back, in the tenant's time zone; never before the payment itself."""
    moment = record.voided_at or record.modified_at or record.cleared_at
    return moment.astimezone(ZoneInfo(rules.time_zone)).date() if moment is not None else date.min


def _seen_undone(ctx: StageContext, payment: Payment, draft: VoidDraft) -> Undone:
    try:
        row = payment_steps.standing(ctx, draft)
    except (Held, Rejected) as fault:
        return Undone(payment, "held", _finding(payment, fault.code, fault.message, fault.hint))
    if row is None:
        return Undone(payment, "updated")
    what = "Void" if row.posted else "Delete"
    where = f"payment {row.head_num}" + ("" if row.posted else f" (not posted, group {epicor.text(row.group_id)})")
    message = f"AvidXchange says that payment {payment.avid_id} is {payment.status_text or payment.status}; "
    message += f"Epicor still has it as {where}."
    return Undone(payment, "held", _finding(payment, TO_UNDO, message, f"{what} {where} in Epicor."))


def _undone(ctx: StageContext, payment: Payment, draft: VoidDraft) -> Undone:
    with ctx.commit():
        posting = postings.ensure(ctx, "ap_payment_void", payment.avid_id, draft, payment=payment)
    if posting.state == PostingState.HELD and posting.pk in recording.due(ctx, [posting]):
        recording.reopen(posting)
    work_void(ctx, posting)
    if posting.state == PostingState.DONE:
        return Undone(payment, "updated")
    if posting.state == PostingState.HELD:
        return Undone(payment, "held", _finding(payment, posting.code, posting.message, ""))
    return Undone(payment, "uncertain")


def work_void(ctx: StageContext, posting: Posting) -> None:
    """Take an undoing through its steps, and once more where an answer was lost."""
    if posting.state not in (PostingState.READY, PostingState.UNCERTAIN):
        return
    if postings.work(ctx, posting, payment_steps.undo()) == PostingState.UNCERTAIN:
        ctx.clock.sleep(postings.PAUSES[0])
        postings.work(ctx, posting, payment_steps.undo())
    if posting.state == PostingState.HELD:
        recording.hold(posting)


def _finding(payment: Payment, code: str, message: str, hint: str) -> Finding:
    return Finding(
        code=code or TO_UNDO,
        message=message,
        hint=hint,
        subject_id=payment.pk,
        amount=payment.amount,
        currency=payment.currency,
    )


def settle(ctx: StageContext, done: Sequence[Undone]) -> None:
    """Store and count what came of undoing payments, and open their invoices again."""
    reversed_now = [] if ctx.dry_run else [one.payment for one in done if one.outcome == "updated"]
    links = invoices_of(reversed_now)
    found = shown(ctx, links) if links else {}
    with ctx.commit():
        _store(ctx, done, [payment.pk for payment in reversed_now])
        refresh(ctx, links, found, undone=_undone_by(reversed_now))
        audit.record_many(
            ctx.tenant,
            [audit.Entry(action="payment.undone", subject=("payment", row.avid_id)) for row in reversed_now],
            actor=ctx.actor,
            run=ctx.run.pk,
        )


def _store(ctx: StageContext, done: Sequence[Undone], reversed_now: Collection[int]) -> None:
    Payment.objects.filter(pk__in=reversed_now, state=PaymentState.REVERSING).update(
        state=PaymentState.REVERSED, hold_code="", hold_message="", updated_at=Now()
    )
    told: dict[str, Finding | None] = {}
    waiting = []
    for one in done:
        ctx.settle_count(one.outcome)
        if one.outcome == "updated" or one.finding is not None:
            told[one.payment.avid_id] = one.finding
        if one.finding is not None:
            one.payment.hold_code = one.finding.code[:60]
            one.payment.hold_message = f"{one.finding.message} {one.finding.hint}".strip()
            waiting.append(one.payment)
    Payment.objects.bulk_update(waiting, ["hold_code", "hold_message"], batch_size=500)
    if not ctx.dry_run:
        problems.report_page(ctx, "payment", told, keep=FOR_REVIEW)


def _undone_by(payments: Sequence[Payment]) -> dict[int, str]:
    """Return which payment's undoing opened each invoice, by the invoice's key."""
    rows = Remittance.objects.filter(payment__in=[row.pk for row in payments], invoice__isnull=False)
    return {pk: avid_id for pk, avid_id in rows.values_list("invoice_id", "payment__avid_id") if pk is not None}


def invoices_of(payments: Collection[Payment]) -> list[InvoiceLink]:
    """Return the invoices that these payments pay."""
    ids = Remittance.objects.filter(payment__in=[row.pk for row in payments], invoice__isnull=False)
    links = InvoiceLink.objects.filter(pk__in=ids.values("invoice")).defer("desired", "captured")
    return list(links.order_by("pk"))


def shown(ctx: StageContext, links: Iterable[InvoiceLink]) -> dict[InvoiceKey, epicor.Invoice]:
    """Return what Epicor shows of these invoices now."""
    return balances.read(
        ctx.epicor, {(link.vendor_num, link.invoice_num) for link in links if link.vendor_num is not None}
    )


def refresh(
    ctx: StageContext,
    links: Sequence[InvoiceLink],
    found: Mapping[InvoiceKey, epicor.Invoice],
    *,
    undone: Mapping[int, str] | None = None,
) -> None:
    """Set what is paid and what is open of these invoices; call it inside ``ctx.commit()``.

    An invoice that Epicor shows fully paid is PAID; one of a payment that was ``undone`` (link id → payment id) and is
    open again is REOPENED, with a problem for a person. One that began at AvidXchange keeps its state: it never goes
    out, so only its amounts and the problem tell of it.
    """
    paid = _paid(links)
    told: dict[str, Finding | None] = {}
    for link in links:
        link.paid_amount = paid.get(link.pk, Decimal(0))
        row = found.get(balances.key(link.vendor_num, link.invoice_num)) if link.vendor_num is not None else None
        if row is None:
            continue
        link.open_amount = row.doc_unposted_bal
        ours = link.direction == InvoiceLink.OUT and link.state in INVOICE_THERE
        if row.doc_unposted_bal == 0:
            told[submissions.key(link)] = None
            if ours:
                link.state, link.state_reason = InvoiceState.PAID, ""
        elif undone and link.pk in undone:
            told[submissions.key(link)] = _reopened(link, undone[link.pk])
            if ours:
                why = f"Payment {undone[link.pk]} was undone."
                link.state, link.state_reason = InvoiceState.REOPENED, why
    InvoiceLink.objects.bulk_update(links, ["paid_amount", "open_amount", "state", "state_reason"], batch_size=500)
    problems.report_page(ctx, "invoice", told, codes=(REOPENED,))
    explained = [link for link in links if link.gross_amount - link.paid_amount == link.open_amount]
    problems.report_page(ctx, "invoice", {submissions.key(link): None for link in explained}, codes=(PAID_ELSEWHERE,))


def _paid(links: Sequence[InvoiceLink]) -> dict[int, Decimal]:
    """Return what our recorded payments took off each invoice, by its key."""
    rows = Remittance.objects.filter(
        invoice__in=[link.pk for link in links],
        payment__state__in=(PaymentState.RECORDED, PaymentState.REVERSING),
    )
    sums = rows.values("invoice_id").annotate(taken=Sum(F("gross"))).order_by()
    return {row["invoice_id"]: row["taken"] for row in sums}


def _reopened(link: InvoiceLink, payment_id: str) -> Finding:
    return Finding(
        code=REOPENED,
        message=f"Invoice {link.invoice_num} is open again ({link.open_amount}): payment {payment_id} was undone.",
        hint="Decide at AvidXchange whether it is paid again. It is not submitted a second time; this is closed by "
        "itself when another payment settles it.",
        subject_id=link.pk,
        amount=link.open_amount,
        currency=link.currency,
        due_date=link.due_date,
    )


def successors_wanted(ctx: StageContext) -> list[str]:
    """Return the ids of payments that replace reissued ones and are not known here yet."""
    reissued = Payment.objects.filter(tenant=ctx.tenant, status=avid.PaymentStatus.REISSUED)
    wanted = set(reissued.exclude(replaced_by_id="").values_list("replaced_by_id", flat=True))
    known = Payment.objects.filter(tenant=ctx.tenant, avid_id__in=wanted).values_list("avid_id", flat=True)
    return sorted(wanted - set(known))
