"""Captured invoices on the table: each with its draft or the reason to hold it, and its claim on a key in Epicor.

A row that has a ``vendor_num`` claims (company, vendor, number): no other invoice of the tenant, in either direction,
can have it. The claim is made before anything is written and moves only when nothing stands under the old key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, transaction

from connector.avidxchange.records import CapturedInvoice
from connector.epicor.drafts import InvoiceDraft
from connector.translate import captured_invoices
from connector.translate.codebook import Codebook, Hold, Rules
from connector.translate.vendors import parse_external_id
from syncjobs.engine import ap_invoice_history, captured_links, codebook, origins, problems
from syncjobs.engine.ap_invoice_history import History
from syncjobs.engine.captured_links import key
from syncjobs.engine.context import StageContext
from syncjobs.models import InvoiceLink, Remittance
from syncjobs.states import InvoiceState

_DUPLICATE_HINT = (
    "If it is the same invoice, cancel one of the two in AvidXchange before both are paid; if it is another one, have "
    "its number corrected there."
)


@dataclass(slots=True)
class Case:
    """One invoice to be worked on. ``item`` is None for one that AvidXchange has taken out of its batch."""

    link: InvoiceLink
    item: InvoiceDraft | Hold | None
    vendor_num: int | None = None
    past: History = field(default_factory=History)

    @property
    def draft(self) -> InvoiceDraft | None:
        """What is to stand in Epicor, None for nothing."""
        return self.item if isinstance(self.item, InvoiceDraft) else None


def cases(ctx: StageContext, links: Sequence[InvoiceLink], *, terms: Mapping[str, str]) -> list[Case]:
    """Translate captured invoices with one state of the mappings; a fixed number of queries, however many they are."""
    rules = codebook.rules_for(ctx.tenant)
    read = {link.pk: captured_links.invoice_of(link) for link in links}
    book = _book(ctx, list(read.values()), rules=rules, terms=terms)
    pasts = ap_invoice_history.load(ctx, links)
    owners = _owners_of_ids(ctx, [read[link.pk].id[:100] for link in links if not link.avid_id])
    today = ctx.now().astimezone(ctx.tenant.zone).date()
    found = []
    for link in links:
        invoice = read[link.pk]
        item: InvoiceDraft | Hold | None = None
        if link.captured_hash and not link.avid_id and invoice.id[:100] in owners:
            item = _came_back(invoice, owners[invoice.id[:100]])
        elif link.captured_hash:
            item = captured_invoices.to_epicor(invoice, codebook=book, rules=rules, today=today)
        number = _vendor_num(invoice, book=book, rules=rules)
        found.append(Case(link, item, number, pasts.get(link.pk) or History()))
    return found


def _book(
    ctx: StageContext, invoices: Sequence[CapturedInvoice], *, rules: Rules, terms: Mapping[str, str]
) -> Codebook:
    external_ids = {invoice.vendor_external_id.strip() for invoice in invoices}
    parsed = (parse_external_id(rules, external_id) for external_id in external_ids if external_id)
    return codebook.load(
        ctx,
        external_ids=external_ids - {""},
        vendor_nums={one[1] for one in parsed if one is not None},
        avid_accounts={line.gl_account.strip() for invoice in invoices for line in invoice.lines} - {""},
        term_names=dict(terms),
    )


def _vendor_num(invoice: CapturedInvoice, *, book: Codebook, rules: Rules) -> int | None:
    external_id = invoice.vendor_external_id.strip()
    parsed = parse_external_id(rules, external_id) if external_id else None
    if parsed is not None and parsed[0].casefold() != rules.company.casefold():
        return None
    entry = book.vendors_by_external.get(external_id) or (book.vendors.get(parsed[1]) if parsed else None)
    return entry.vendor_num if entry is not None else None


def _owners_of_ids(ctx: StageContext, avid_ids: Sequence[str]) -> dict[str, InvoiceLink]:
    if not avid_ids:
        return {}
    rows = InvoiceLink.objects.filter(tenant=ctx.tenant, avid_id__in=avid_ids).defer("desired", "captured")
    return {row.avid_id: row for row in rows}


def _came_back(invoice: CapturedInvoice, owner: InvoiceLink) -> Hold:
    return Hold(
        "already_from_epicor",
        f"AvidXchange lists invoice {invoice.number} ({invoice.id}, {invoice.gross_amount}) as captured there, but it "
        f"is invoice {owner.invoice_num} of vendor {owner.vendor_num} and came from Epicor. It is not written twice.",
        field="Id",
        hint="Nothing needs to be written. Ask AvidXchange why an invoice that was submitted is exported.",
    )


def claim(ctx: StageContext, case: Case, vendor_num: int, invoice_num: str) -> Hold | None:
    """Give the invoice its key in Epicor, or return why it cannot have it; inside ``ctx.commit()``."""
    link = case.link
    if (link.vendor_num, link.invoice_num) == (vendor_num, invoice_num):
        return None
    before, rows = key(link), InvoiceLink.objects.filter(tenant=ctx.tenant)
    claimed = {"vendor_num": vendor_num, "invoice_num": invoice_num}
    try:
        with transaction.atomic():
            rows.filter(pk=link.pk).update(**claimed)
    except IntegrityError:
        owner = rows.get(company=link.company, **claimed)
        if not (owner.state == InvoiceState.HELD and owner.hold_code == origins.CODE):
            return _taken(link, owner)
        # It was held only until somebody would recognise it.
        Remittance.objects.filter(tenant=ctx.tenant, invoice=owner).update(invoice=link)
        owner.delete()
        rows.filter(pk=link.pk).update(**claimed)
    link.vendor_num, link.invoice_num = vendor_num, invoice_num
    problems.report_page(ctx, "invoice", {before: None})
    return None


def _taken(link: InvoiceLink, owner: InvoiceLink) -> Hold:
    if owner.direction == InvoiceLink.OUT:
        who = "came from Epicor"
    else:
        who = f"was captured as AvidXchange invoice {owner.avid_id}"
    return Hold(
        "duplicate_invoice",
        f"Invoice {owner.invoice_num} of vendor {owner.vendor_num} is known already: one over {owner.gross_amount} "
        f"{owner.currency} {who}. AvidXchange has captured a second one ({link.avid_id}) over {link.gross_amount} "
        f"{link.currency}.",
        field="Number",
        hint=_DUPLICATE_HINT,
    )
