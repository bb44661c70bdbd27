"""Invoices on their way to AvidXchange: how they are sent, looked up, and what follows from a verdict.

``invoices_out`` sends them and ``approvals_in`` asks again about those without a verdict, so the outbox is neither
stage's own. A second copy would be a second invoice, and so this kind is patient: after an unknown outcome it is sent
again, under the same external id, only when it surely never arrived. A refusal as a duplicate is looked up before it
is believed: if our own submission is there, it was accepted.

A refused invoice is sent again under the next version of its external id, once its content has changed or a person
has said so (``again``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from django.db.models import Q

from connector.avidxchange.client import BatchKind
from connector.avidxchange.item_faults import ITEM_FAULTS
from connector.avidxchange.records import InvoiceItem, SubmittedInvoice, Verdict, content_hash, encode
from connector.translate.codebook import Rules
from connector.transport.errors import Retry, System
from syncjobs.engine import problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox
from syncjobs.engine.problems import Finding
from syncjobs.models import BatchItem, InvoiceLink
from syncjobs.states import InvoiceState, ItemState

PENDING, APPROVED, REJECTED = "pending", "approved", "rejected"
DUPLICATE = "duplicate_invoice"
_HINT = "Correct it in Epicor and it is sent again by itself; if it was put right at AvidXchange, replay it."


def key(row: InvoiceLink) -> str:
    """Return the key under which an invoice's problems and audit rows stand."""
    return f"{row.company}|{row.vendor_num}|{row.invoice_num}"


def external_id(rules: Rules, *, vendor_num: int, invoice_num: str, version: int) -> str:
    """Return the id under which a version of an invoice is submitted (contract 5.1)."""
    return rules.separator.join((rules.company, str(vendor_num), invoice_num, str(version)))


def sendable(item: InvoiceItem) -> dict[str, str]:
    """Return the columns that make an invoice due; the version in its external id is no part of its content."""
    return {
        "external_id": item.external_id,
        "desired": encode(item).decode(),
        "desired_hash": content_hash(item, leave_out=frozenset({"ExternalId"})),
    }


def sent_item(link: InvoiceLink) -> InvoiceItem:
    """Return an invoice as it was, or is to be, submitted."""
    return msgspec.json.decode(link.desired, type=InvoiceItem)


def again(link: InvoiceLink, rules: Rules) -> dict[str, object]:
    """Return the columns by which a refused invoice is sent again as it stands, at a person's wish."""
    number = external_id(rules, vendor_num=link.vendor_num or 0, invoice_num=link.invoice_num, version=link.version)
    item = msgspec.structs.replace(sent_item(link), external_id=number)
    return {**sendable(item), "refused_hash": "", "state": InvoiceState.READY, "state_reason": ""}


def look_up(ctx: StageContext, items: Sequence[BatchItem]) -> dict[str, Verdict]:
    """Find submissions at AvidXchange by our external ids (R14); what is there counts only if it is the same invoice.

    Raises ``Retry`` if one over there cannot be read: it must not pass for absent.
    """
    payloads = {item.external_id: item.payload for item in items}
    found = ctx.avidxchange.invoices_by_external_id(list(payloads))
    verdicts = {there.external_id: _verdict(there, payloads[there.external_id]) for there in found}
    if found.bad and len(verdicts) < len(payloads):
        raise Retry(
            f"AvidXchange shows an invoice that cannot be read ({found.bad[0].reason}).",
            system=System.AVIDXCHANGE,
            code="answer_unreadable",
        )
    return verdicts


def _verdict(there: SubmittedInvoice, payload: str) -> Verdict:
    ours = msgspec.json.decode(payload, type=InvoiceItem)
    if there.number.strip().casefold() == ours.number.strip().casefold() and there.gross_amount == ours.gross_amount:
        return Verdict(external_id=there.external_id, successful=True, avid_id=there.id, status="found over there")
    return Verdict(
        external_id=there.external_id,
        successful=False,
        code="differs_over_there",
        message=f"AvidXchange holds {there.number} over {there.gross_amount} under this id, not {ours.number} over "
        f"{ours.gross_amount}.",
        field="ExternalId",
    )


def _planned(ctx: StageContext, items: Sequence[BatchItem]) -> None:
    InvoiceLink.objects.filter(tenant=ctx.tenant, pk__in=[item.subject_id for item in items]).update(
        state=InvoiceState.IN_BATCH, state_reason=""
    )


def _decided(ctx: StageContext, items: Sequence[BatchItem]) -> None:
    """Move the invoices on: accepted is submitted, refused waits for a correction, dropped is due again."""
    rows = InvoiceLink.objects.in_bulk([item.subject_id for item in items])
    found: dict[str, Finding | None] = {}
    for item in items:
        row = rows[item.subject_id]
        if item.state == ItemState.ACCEPTED:
            row.state, row.state_reason, row.approval = InvoiceState.SUBMITTED, "", PENDING
            found[item.subject_key] = _id_taken(row, item) if item.avid_id != row.avid_id else None
        elif item.state == ItemState.REFUSED:
            row.state, row.state_reason = InvoiceState.REFUSED, (item.message or item.code)[:500]
            row.version += 1
            found[item.subject_key] = _refusal(row, item)
        else:
            row.state, row.state_reason = InvoiceState.READY, "It never arrived and is sent again."
    InvoiceLink.objects.bulk_update(rows.values(), ["state", "state_reason", "approval", "version"])
    problems.report_page(ctx, "invoice", found)


def _refusal(row: InvoiceLink, item: BatchItem) -> Finding:
    known = ITEM_FAULTS.get(item.code)
    return Finding(
        code=item.code or "refused",
        message=f"AvidXchange refused invoice {row.invoice_num}: {item.message or 'it gave no reason.'}",
        hint=f"{known.hint} {_HINT}" if known else _HINT,
        field=item.field,
        subject_id=row.pk,
        **money(row),
    )


def _id_taken(row: InvoiceLink, item: BatchItem) -> Finding:
    return Finding(
        code="avid_id_taken",
        message=f"AvidXchange accepted invoice {row.invoice_num} under the id {item.avid_id}, which already is another "
        "invoice's here.",
        hint="Ask AvidXchange which invoice it is; until then its image and its payments cannot be matched by that id.",
        subject_id=row.pk,
        **money(row),
    )


def money(row: InvoiceLink) -> dict[str, Any]:
    """Return what is at stake with an invoice, for a ``Finding``."""
    return {"amount": row.gross_amount, "currency": row.currency, "due_date": row.due_date}


INVOICE_BOX = Outbox(
    kind=BatchKind.INVOICES,
    model=InvoiceLink,
    subject_kind="invoice",
    may_send=Q(direction=InvoiceLink.OUT, state=InvoiceState.READY),
    external_id=lambda row: row.external_id,
    key=key,
    look_up=look_up,
    patient=True,
    doubted=frozenset({DUPLICATE}),
    amount=lambda row: row.gross_amount,
    planned=_planned,
    decided=_decided,
)
