"""Open balances on both sides: every invoice we submitted, vendor by vendor, and every one that was captured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from connector.avidxchange.client import AvidXchangeClient
from connector.avidxchange.records import CapturedInvoice, SubmittedInvoice
from connector.epicor import records as epicor
from connector.epicor.client import EpicorClient
from syncjobs.engine import balances, reconcile_scratch
from syncjobs.engine.balances import InvoiceKey
from syncjobs.models import Batch, InvoiceLink
from syncjobs.states import INVOICE_THERE, InvoiceState
from tenants.models import Tenant

PAGE = 200
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Difference:
    """One row on which the two sides do not agree; amounts are texts, "" where a side has nothing."""

    kind: str
    key: str
    epicor: str
    avidxchange: str
    hint: str

    def as_json(self) -> dict[str, str]:
        """Return it in the shape of design section 7."""
        return {name: getattr(self, name) for name in ("kind", "key", "epicor", "avidxchange", "hint")}


def plain(amount: Decimal) -> str:
    """Return an amount as text, with two decimals unless it has more."""
    short = amount.quantize(_CENT)
    return f"{short if short == amount else amount.normalize():f}"


def compare(tenant: Tenant, here: EpicorClient, there: AvidXchangeClient) -> tuple[list[Difference], dict[str, int]]:
    """Return the differences of invoices and how many were looked at; payments must be in the scratch tables."""
    found: list[Difference] = []
    checked = {"invoices": 0, "captured_invoices": 0, "captured_invoices_held": 0}
    for links in _pages(tenant):
        checked["invoices"] += len(links)
        found += _submitted(links, here, there)
    for invoices in _captured(tenant, there):
        found += _written(tenant, invoices, here, checked)
    return found, checked


def _pages(tenant: Tenant) -> Iterator[list[InvoiceLink]]:
    """Yield the invoices that AvidXchange has from us, by vendor, so that a question to Epicor names few vendors."""
    rows = InvoiceLink.objects.filter(tenant=tenant, direction=InvoiceLink.OUT, state__in=INVOICE_THERE)
    rows = rows.exclude(vendor_num=None).defer("desired", "captured").order_by("vendor_num", "pk")
    vendor, last = -1, 0
    while True:
        # All of the vendor that a page ended in, then the vendors behind it.
        page = list(rows.filter(vendor_num=vendor, pk__gt=last)[:PAGE])
        page += list(rows.filter(vendor_num__gt=vendor)[: PAGE - len(page)])
        if not page:
            return
        yield page
        vendor, last = page[-1].vendor_num or 0, page[-1].pk


def _submitted(links: Sequence[InvoiceLink], here: EpicorClient, there: AvidXchangeClient) -> Iterator[Difference]:
    shown = balances.read(here, {(link.vendor_num, link.invoice_num) for link in links if link.vendor_num is not None})
    answer = there.invoices_by_external_id([link.external_id for link in links if link.external_id])
    for bad in answer.bad:
        hint = "AvidXchange sent an invoice that cannot be read; ask it to correct the record."
        yield Difference("invoice_unreadable", bad.key or "no id", "", bad.reason, hint)
    over_there = {one.external_id: one for one in answer}
    unreadable = {bad.key for bad in answer.bad}
    paid = reconcile_scratch.paid([link.pk for link in links])
    for link in links:
        row = shown.get(balances.key(link.vendor_num or 0, link.invoice_num))
        if link.avid_id not in unreadable:
            yield from _one(link, row, over_there.get(link.external_id), paid.get(link.pk, Decimal(0)))


def _one(
    link: InvoiceLink, row: epicor.Invoice | None, other: SubmittedInvoice | None, paid: Decimal
) -> Iterator[Difference]:
    key = f"{link.company}|{link.vendor_num}|{link.invoice_num}"
    if row is None or other is None:
        if row is None:
            amount = plain(other.gross_amount) if other is not None else ""
            hint = "It was submitted, and Epicor does not have it any more. Find out who deleted it there."
            yield Difference("invoice_missing_in_epicor", key, "", amount, hint)
        if other is None:
            amount = plain(row.doc_invoice_amt) if row is not None else ""
            hint = "AvidXchange had accepted it and does not show it any more. Ask AvidXchange what became of it."
            yield Difference("invoice_missing_in_avidxchange", key, amount, "", hint)
        return
    if row.doc_invoice_amt != other.gross_amount:
        hint = "It was changed on one side after it was submitted. Make the same change on the other."
        yield Difference("invoice_amount_differs", key, plain(row.doc_invoice_amt), plain(other.gross_amount), hint)
    left = other.gross_amount - paid
    if row.doc_unposted_bal != left and row.doc_invoice_amt == other.gross_amount:
        yield Difference("balance_differs", key, plain(row.doc_unposted_bal), plain(left), _why(row, left))


def _why(row: epicor.Invoice, left: Decimal) -> str:
    if abs(row.doc_unposted_bal) < abs(left):
        return "Epicor shows more paid than AvidXchange settled: look for a payment or credit entered by hand."
    return "AvidXchange settled more than Epicor shows: see the payments of this invoice."


def _captured(tenant: Tenant, there: AvidXchangeClient) -> Iterator[list[CapturedInvoice]]:
    """Yield the invoices of every captured batch that this tenant has read, as AvidXchange shows them now."""
    ours = Batch.objects.filter(tenant=tenant, kind="captured_invoices").exclude(closed_at=None)
    days = ours.order_by("closed_at").values_list("closed_at", flat=True)
    first, last = days.first(), days.last()
    if first is None or last is None:
        return
    margin = timedelta(days=2)
    for page in there.captured_batches((first - margin).date(), (last + margin).date()):
        known = set(ours.filter(avid_batch_id__in=[one.guid for one in page]).values_list("avid_batch_id", flat=True))
        for batch in page:
            if batch.guid in known:
                yield list(there.captured_invoices(batch))


def _written(
    tenant: Tenant, invoices: Sequence[CapturedInvoice], here: EpicorClient, checked: dict[str, int]
) -> Iterator[Difference]:
    rows = InvoiceLink.objects.filter(
        tenant=tenant, direction=InvoiceLink.IN, avid_id__in=[invoice.id for invoice in invoices]
    )
    links = {link.avid_id: link for link in rows.defer("desired", "captured")}
    keys = {(link.vendor_num, link.invoice_num) for link in links.values() if link.vendor_num is not None}
    shown = balances.read(here, keys)
    paid = reconcile_scratch.paid([link.pk for link in links.values()])
    for invoice in invoices:
        link = links.get(invoice.id)
        if link is not None and link.state not in (InvoiceState.WRITTEN, InvoiceState.PAID):
            # Held, or on its way: finance has been told, and nothing of it is settled.
            checked["captured_invoices_held"] += 1
            continue
        checked["captured_invoices"] += 1
        yield from _capture(invoice, link, shown, paid)


def _capture(
    invoice: CapturedInvoice,
    link: InvoiceLink | None,
    shown: dict[InvoiceKey, epicor.Invoice],
    paid: dict[int, Decimal],
) -> Iterator[Difference]:
    row = None
    key = f"captured {invoice.id} ({invoice.number})"
    if link is not None:
        key = f"{link.company}|{link.vendor_num}|{link.invoice_num}"
        row = shown.get(balances.key(link.vendor_num or 0, link.invoice_num))
    if link is None or row is None:
        hint = "Run invoices_in." if link is None else "It was written, and somebody has deleted it in Epicor since."
        yield Difference("captured_invoice_missing", key, "", plain(invoice.gross_amount), hint)
        return
    if row.doc_invoice_amt != invoice.gross_amount:
        hint = "Compare its lines in Epicor with AvidXchange's; it was changed on one side."
        amounts = plain(row.doc_invoice_amt), plain(invoice.gross_amount)
        yield Difference("captured_amount_differs", key, *amounts, hint)
        return
    left = invoice.gross_amount - paid.get(link.pk, Decimal(0))
    # Nothing can be paid in Epicor before it is posted there; the payment itself is then what is missing.
    if row.posted and row.doc_unposted_bal != left:
        yield Difference("balance_differs", key, plain(row.doc_unposted_bal), plain(left), _why(row, left))
