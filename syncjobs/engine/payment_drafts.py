"""From stored payments to drafts of AP payments, against what Epicor shows of their invoices at this moment.

A payment is checked whole before anything of it is written: every invoice must be there, posted, not on hold, and have
as much left to pay as the payment takes off it (epicor-unknowns E5). One that stands in Epicor has taken it off, even
when we do not know that we recorded it. Its draft is made without looking at what is left, and its steps compare what
stands with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from connector.avidxchange.records import Payment as PaymentRecord
from connector.epicor import payment_entry
from connector.epicor import records as epicor
from connector.epicor.drafts import PaymentDraft
from connector.translate import payments as translation
from connector.translate.codebook import Codebook, Hold, Rules
from syncjobs.engine import balances, codebook
from syncjobs.engine.balances import InvoiceKey
from syncjobs.engine.context import StageContext
from syncjobs.engine.payment_store import Named, attach, in_currency, paid_by, record_of, resolve
from syncjobs.models import InvoiceLink, Payment


def standing(ctx: StageContext, ids: Collection[str], rules: Rules) -> dict[str, epicor.Payment]:
    """Return which of AvidXchange's payments stand in Epicor, by their ids: a question or two for a few dozen."""
    if not ids:
        return {}
    names = {translation.identity(avid_id): avid_id for avid_id in ids}
    found = payment_entry.standing(ctx.epicor, identity_field=translation.identity_field(rules), identities=list(names))
    return {names[name]: row for name, row in found.items()}


def translate(
    ctx: StageContext, rows: Sequence[Payment], rules: Rules, *, stands: Collection[str] = ()
) -> dict[int, PaymentDraft | Hold]:
    """Return each payment's draft, or why it waits, by its key; those of ``stands`` (AvidXchange's ids) are in Epicor.

    Payments of one call that pay the same invoice see what the ones before them take off it.
    """
    if not rows:
        return {}
    records = {payment.pk: record_of(payment) for payment in rows}
    named = resolve(ctx, list(records.values()), rules)
    links = {link.pk: link for link in named.values()}
    numbers = {link.vendor_num for link in links.values() if link.vendor_num is not None}
    external = {record.vendor_external_id.strip() for record in records.values()} - {""}
    book = codebook.load(ctx, vendor_nums=numbers, external_ids=external)
    shown = balances.read(
        ctx.epicor, {(link.vendor_num, link.invoice_num) for link in links.values() if link.vendor_num}
    )
    left = {key: row.doc_unposted_bal for key, row in shown.items()}
    drafts: dict[int, PaymentDraft | Hold] = {}
    with ctx.commit():
        attach(ctx, records, named, rules)
    for payment in rows:
        record, there = records[payment.pk], payment.avid_id in stands
        draft = _draft(record, named, shown, left, there=there, book=book, rules=rules)
        drafts[payment.pk] = draft
        if isinstance(draft, Hold) or there:
            continue
        for part in draft.allocations:
            off = part.amount + (part.discount if rules.discount_semantics == "net" else 0)
            left[balances.key(draft.vendor_num, part.invoice_num)] -= off
    return drafts


def _draft(
    record: PaymentRecord,
    named: Named,
    shown: Mapping[InvoiceKey, epicor.Invoice],
    left: Mapping[InvoiceKey, Decimal],
    *,
    there: bool,
    book: Codebook,
    rules: Rules,
) -> PaymentDraft | Hold:
    links = [link for row in record.remittances if (link := paid_by(record, row, named, rules)) is not None]
    priced = in_currency(record, links)
    if isinstance(priced, Hold):
        return priced
    for link in () if there else links:
        hold = _not_payable(record, link, shown)
        if hold is not None:
            return hold
    refs = {}
    for key, link in named.items():
        if link.vendor_num is not None:
            balance = None if there else left.get(balances.key(link.vendor_num, link.invoice_num))
            refs[key] = translation.InvoiceRef(link.vendor_num, link.invoice_num, balance)
    return translation.to_epicor(priced, refs, codebook=book, rules=rules)


def _not_payable(record: PaymentRecord, link: InvoiceLink, shown: Mapping[InvoiceKey, epicor.Invoice]) -> Hold | None:
    """Return why Epicor would not take a payment of this invoice, before anything of the payment is written."""
    row = shown.get(balances.key(link.vendor_num, link.invoice_num)) if link.vendor_num is not None else None
    what = f"Invoice {link.invoice_num}, which payment {record.id} pays,"
    if row is None:
        hint = "See why it was not written to Epicor, or enter it there; the payment is recorded by itself after that."
        return Hold("invoice_not_in_epicor", f"{what} is not in Epicor, or cannot be read there.", "InvoiceNum", hint)
    if not row.posted:
        hint = f"Post group {epicor.text(row.group_id)} in Epicor; the payment is recorded by itself after that."
        return Hold("invoice_not_posted", f"{what} is not posted in Epicor.", "InvoiceNum", hint)
    if row.pay_hold:
        hint = "Release its payment hold in Epicor; the payment is recorded by itself after that."
        return Hold("invoice_on_hold", f"{what} is on payment hold in Epicor.", "InvoiceNum", hint)
    return None
