"""Invoices that AvidXchange has: what happens to them in Epicor afterwards is watched, and never sent.

Three things need a person: the invoice was changed (``changed_after_submission``), somebody else paid it in Epicor
while AvidXchange may pay it too (``paid_in_epicor``), or it is open again although it was paid (``reopened_by_void``).
A problem is raised anew only for a further change, so that one a person has dealt with stays dealt with.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from connector.avidxchange.records import InvoiceItem
from connector.epicor import records as epicor
from connector.translate import invoice_changes, invoices
from syncjobs.engine import problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.invoice_rows import Key
from syncjobs.engine.outgoing import Desk
from syncjobs.engine.problems import Finding
from syncjobs.engine.submissions import key, money, sent_item
from syncjobs.models import InvoiceLink, Remittance
from syncjobs.states import InvoiceState
from tenants import audit

CHANGED, PAID_ELSEWHERE, REOPENED = "changed_after_submission", "paid_in_epicor", "reopened_by_void"
#: Where a payment that was made in Epicor is not one that AvidXchange reported to us.
UNPAID = (InvoiceState.SUBMITTED, InvoiceState.APPROVED, InvoiceState.REJECTED)


@dataclass(slots=True)
class Watched:
    """One invoice that is over there, as Epicor shows it now. ``told`` says what was looked into, by problem code, and
    what was found."""

    link: InvoiceLink
    header: epicor.Invoice
    state: str
    header_hash: str
    told: dict[str, Finding | None] = field(default_factory=dict)


def look(desk: Desk, pairs: Sequence[tuple[InvoiceLink, epicor.Invoice]]) -> list[Watched]:
    """Find out what happened to submitted and captured invoices of a page; asks Epicor only about suspects."""
    seen = [Watched(link, header, link.state, link.header_hash) for link, header in pairs]
    moved = [one for one in seen if _ours(one.link) and one.link.header_hash != desk.hash_of(one.header)]
    for one in moved:
        # Of one that was recognised over there nobody knows what was sent, so nor what has changed since.
        one.header_hash = one.header_hash if one.link.desired_hash else desk.hash_of(one.header)
    changed = [one for one in moved if one.link.desired_hash]
    open_again = [one for one in seen if one.link.state == InvoiceState.PAID and _left(one.header)]
    suspects = {_key(one.header): one for one in (*changed, *open_again)}
    documents: dict[Key, epicor.InvoiceDocument] = {}
    for answers in desk.documents(list(suspects)):
        documents |= {one: answer for one, answer in answers.items() if isinstance(answer, epicor.InvoiceDocument)}
    for place, document in documents.items():
        suspects[place].header = document.header[0]
    _changes(desk, [one for one in changed if _key(one.header) in documents], documents)
    _payments(seen)
    for one in seen:
        _paid_or_open(one, confirmed=_key(one.header) in documents)
    return seen


def store(ctx: StageContext, seen: Sequence[Watched]) -> None:
    """Store what was found; call it inside ``ctx.commit()``."""
    moved = []
    for one in seen:
        before = (one.link.open_amount, one.link.state, one.link.header_hash)
        one.link.open_amount, one.link.state = one.header.doc_unposted_bal, one.state
        one.link.header_hash = one.header_hash
        if before != (one.link.open_amount, one.link.state, one.link.header_hash):
            moved.append(one.link)
    InvoiceLink.objects.bulk_update(moved, ["open_amount", "state", "header_hash"])
    for code in (CHANGED, PAID_ELSEWHERE, REOPENED):
        told = {key(one.link): one.told[code] for one in seen if code in one.told}
        problems.report_page(ctx, "invoice", told, codes=(code,))
    found = [(one, finding) for one in seen for finding in one.told.values() if finding is not None]
    entries = [
        audit.Entry(action=f"{ctx.stage}.{finding.code}", subject=("invoice", key(one.link)), reason=finding.message)
        for one, finding in found
    ]
    audit.record_many(ctx.tenant, entries, actor=ctx.actor, run=ctx.run.pk)
    held = len({one.link.pk for one, _finding in found})
    ctx.settle_count("held", held)
    ctx.settle_count("unchanged", len(seen) - held)


def _changes(desk: Desk, changed: Sequence[Watched], documents: dict[Key, epicor.InvoiceDocument]) -> None:
    """Compare changed invoices with what was sent of them."""
    if not changed:
        return
    sent = InvoiceLink.objects.only("desired").in_bulk([one.link.pk for one in changed])
    book = desk.book([documents[_key(one.header)] for one in changed])
    for one in changed:
        before = sent_item(sent[one.link.pk])
        now = invoices.to_avidxchange(
            invoice_changes.open_again(documents[_key(one.header)]),
            external_id=before.external_id,
            image=None,
            codebook=book,
            rules=desk.rules,
        )
        if isinstance(now, InvoiceItem):
            words = invoice_changes.changes(before, now, leave_out=desk.not_content)
        else:
            words = invoice_changes.header_changes(before, one.header)
        words += invoice_changes.on_hold(one.header)
        one.told[CHANGED] = _changed(one.link, words) if words else None
        one.header_hash = desk.hash_of(one.header)


def _payments(seen: Sequence[Watched]) -> None:
    """Tell payments that AvidXchange reported from those that somebody else made in Epicor."""
    unpaid = [one for one in seen if _ours(one.link) and one.link.state in UNPAID]
    taken = [one for one in unpaid if one.header.doc_unposted_bal != one.header.doc_invoice_amt]
    ours = _posted_by_us([one.link.pk for one in taken])
    suspects = {one.link.pk for one in taken} - ours
    for one in unpaid:
        if one.link.pk not in suspects:
            one.told[PAID_ELSEWHERE] = None
        elif one.link.open_amount != one.header.doc_unposted_bal:
            one.told[PAID_ELSEWHERE] = _paid_elsewhere(one.link, one.header)


def _posted_by_us(pks: Collection[int]) -> set[int]:
    if not pks:
        return set()
    posted = Remittance.objects.filter(invoice_id__in=pks, payment__postings__isnull=False)
    return {pk for pk in posted.values_list("invoice_id", flat=True) if pk is not None}


def _paid_or_open(one: Watched, *, confirmed: bool) -> None:
    """Notice that a paid invoice is open again, if a fresh look says so too, and that one is paid again."""
    left = _left(one.header)
    if one.link.state == InvoiceState.PAID and left and confirmed:
        one.state, one.told[REOPENED] = InvoiceState.REOPENED, _reopened(one.link, left)
    elif one.link.state == InvoiceState.REOPENED and not left:
        one.state, one.told[REOPENED] = InvoiceState.PAID, None


def _left(header: epicor.Invoice) -> Decimal:
    """Return what is left to pay, with payments counted that are entered and not posted yet (epicor.md 4.5)."""
    return header.doc_unposted_bal if header.open_payable else Decimal(0)


def _ours(link: InvoiceLink) -> bool:
    return link.direction == InvoiceLink.OUT


def _key(header: epicor.Invoice) -> Key:
    return header.vendor_num, header.invoice_num


def _changed(link: InvoiceLink, words: Sequence[str]) -> Finding:
    return Finding(
        code=CHANGED,
        message=f"Invoice {link.invoice_num} was changed in Epicor after it was submitted: {'; '.join(words)}.",
        hint="It is not sent again. Make the same change in AvidXchange, or reject the invoice there.",
        subject_id=link.pk,
        **money(link),
    )


def _paid_elsewhere(link: InvoiceLink, header: epicor.Invoice) -> Finding:
    return Finding(
        code=PAID_ELSEWHERE,
        message=f"Of invoice {link.invoice_num} over {header.doc_invoice_amt:f}, {header.doc_unposted_bal:f} is left "
        "to pay in Epicor, but AvidXchange has reported no payment of it; it may pay the invoice a second time.",
        hint="Stop the invoice in AvidXchange, or take the payment back in Epicor.",
        subject_id=link.pk,
        **money(link),
    )


def _reopened(link: InvoiceLink, left: Decimal) -> Finding:
    return Finding(
        code=REOPENED,
        message=f"Invoice {link.invoice_num} was paid and is open again in Epicor: {left:f} is left to pay.",
        hint="It is never sent again by itself. Pay it in Epicor, or have AvidXchange pay it anew.",
        subject_id=link.pk,
        amount=left,
        currency=link.currency,
        due_date=link.due_date,
    )
