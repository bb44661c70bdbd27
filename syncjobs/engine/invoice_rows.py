"""Outgoing invoices as rows: what is stored of a translated invoice, and what a person is told of one that is held.

A page's rows are merged in one statement, and only over rows that are still ours to change: an invoice that another
worker has sent meanwhile, or that turns out to have been captured over there, is left as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from connector.avidxchange.records import InvoiceItem
from connector.epicor import records as epicor
from connector.translate.codebook import Hold
from connector.translate.invoice_lines import reference
from syncjobs.engine import images, links, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding
from syncjobs.engine.submissions import key, money, sendable
from syncjobs.models import InvoiceLink
from syncjobs.states import INVOICE_UNSENT, InvoiceState

#: (VendorNum, InvoiceNum): an invoice's key in its company.
Key = tuple[int, str]
#: Holds that are over by themselves, without anybody having done wrong.
NOT_YET = frozenset({"not_posted", "on_hold"})
CLOSED = "closed"
REPLACEABLE = INVOICE_UNSENT | {InvoiceState.WITHDRAWN}


@dataclass(frozen=True, slots=True)
class Translated:
    """What became of one invoice: the item to send or the reason not to, what it may wait for, its header's hash."""

    document: epicor.InvoiceDocument
    item: InvoiceItem | Hold
    vendor_name: str
    header_hash: str
    waits_for: str = ""

    @property
    def header(self) -> epicor.Invoice:
        return self.document.header[0]

    @property
    def key(self) -> Key:
        return self.header.vendor_num, self.header.invoice_num


def known(ctx: StageContext, keys: Collection[Key]) -> dict[Key, InvoiceLink]:
    """Return the invoices we hold of these keys, in one query; what was to be sent is not loaded."""
    wanted = set(keys)
    rows = InvoiceLink.objects.filter(
        tenant=ctx.tenant,
        company=ctx.company,
        vendor_num__in={one[0] for one in wanted},
        invoice_num__in={one[1] for one in wanted},
    ).defer("captured", "desired")
    found = {(row.vendor_num or 0, row.invoice_num): row for row in rows}
    return {one: row for one, row in found.items() if one in wanted}


def store(ctx: StageContext, page: Sequence[Translated], before: Mapping[Key, InvoiceLink]) -> None:
    """Merge translated invoices, their images and problems; call it inside ``ctx.commit()``."""
    _merge([_row(ctx, one, before.get(one.key)) for one in page])
    stored = known(ctx, [one.key for one in page])
    mine = [one for one in page if stored[one.key].seen_run == ctx.run.pk]
    ctx.settle_count("unchanged", len(page) - len(mine))
    images.note(
        ctx,
        {
            stored[one.key].pk: images.candidates(one.document.attachments, ctx.options.attachment_doc_types)
            for one in mine
            if isinstance(one.item, InvoiceItem)
        },
    )
    # One that AvidXchange refused as it stands keeps the problem that says why.
    told = [(stored[one.key], one.item) for one in mine if stored[one.key].state != InvoiceState.REFUSED]
    problems.report_page(ctx, "invoice", {key(row): _finding(item, row) for row, item in told})


def store_unreadable(ctx: StageContext, holds: Mapping[Key, Hold]) -> None:
    """Hold invoices that Epicor shows but that cannot be read; without a header hash, each run reads them again."""
    _merge(
        [
            {
                **_whose(ctx, one),
                "state": InvoiceState.HELD,
                "state_reason": hold.message[:500],
                "desired": "",
                "desired_hash": "",
                **_held(hold),
                "header_hash": "",
            }
            for one, hold in holds.items()
        ]
    )
    stored = known(ctx, holds)
    problems.report_page(ctx, "invoice", {key(stored[one]): _finding(hold, stored[one]) for one, hold in holds.items()})


def shown_day(value: str | None) -> date | None:
    """Return a date column for people to read; one that cannot be read holds the invoice by its translation."""
    try:
        return epicor.day(value)
    except ValueError:
        return None


def _row(ctx: StageContext, one: Translated, link: InvoiceLink | None) -> dict[str, Any]:
    header, item = one.header, one.item
    due: dict[str, Any] = {"desired": "", "desired_hash": "", "external_id": link.external_id if link else ""}
    if isinstance(item, InvoiceItem):
        due = sendable(item)
    refused = link is not None and bool(due["desired_hash"]) and due["desired_hash"] == link.refused_hash
    reason = item.message[:500] if isinstance(item, Hold) else ""
    return {
        **_whose(ctx, one.key),
        "vendor_name": one.vendor_name,
        "version": link.version if link else 1,
        "state": InvoiceState.REFUSED if refused else _state(item),
        "state_reason": link.state_reason if link and refused else reason,
        "debit_memo": header.debit_memo,
        "currency": epicor.text(header.currency_code),
        "gross_amount": header.doc_invoice_amt,
        "open_amount": header.doc_unposted_bal,
        "invoice_date": shown_day(header.invoice_date),
        "due_date": shown_day(header.due_date),
        "po_number": _po_number(one),
        "header_hash": one.header_hash,
        **due,
        **_held(item if isinstance(item, Hold) else None),
        "waits_for": one.waits_for,
        "row_rev": header.sys_rev_id,
    }


def _whose(ctx: StageContext, one: Key) -> dict[str, Any]:
    return {
        "tenant_id": ctx.tenant.pk,
        "direction": InvoiceLink.OUT,
        "company": ctx.company,
        "vendor_num": one[0],
        "invoice_num": one[1],
        "seen_run": ctx.run.pk,
        "outcome": "",
    }


def _held(hold: Hold | None) -> dict[str, str]:
    if hold is None:
        return {"hold_code": "", "hold_message": ""}
    return {"hold_code": hold.code, "hold_message": f"{hold.message} {hold.hint}".strip()}


def _merge(rows: Sequence[dict[str, Any]]) -> None:
    replaceable = ", ".join(f"'{state}'" for state in sorted(REPLACEABLE))
    links.merge(
        InvoiceLink,
        rows,
        key=("tenant_id", "company", "vendor_num", "invoice_num"),
        or_when=f"old.direction = '{InvoiceLink.OUT}' AND old.state IN ({replaceable})",
    )


def _po_number(one: Translated) -> str:
    """Return the PO an invoice names, also of one that is held."""
    if isinstance(one.item, InvoiceItem):
        return one.item.po_number
    number = reference(one.header, one.document.lines)
    return str(number) if number else ""


def _state(item: InvoiceItem | Hold) -> InvoiceState:
    if isinstance(item, InvoiceItem):
        return InvoiceState.READY
    if item.code == CLOSED:
        return InvoiceState.WITHDRAWN
    return InvoiceState.WAITING if item.code in NOT_YET else InvoiceState.HELD


def _finding(item: InvoiceItem | Hold, row: InvoiceLink) -> Finding | None:
    """Only what a person has to do something about is a problem; what passes by itself is not."""
    if isinstance(item, InvoiceItem) or _state(item) is not InvoiceState.HELD:
        return None
    return Finding.of(item, subject_id=row.pk, **money(row))
