"""Invoices on their way to AvidXchange: how they are sent, looked up, and what follows from a verdict.

``invoices_out`` sends them and ``approvals_in`` asks again about those without a verdict, so the outbox is neither
stage's own. A second copy would be a second invoice, and so this kind is patient: it is looked up before it is sent,
and after an unknown outcome it is sent again, under the same external id, only when it surely never arrived. A refusal
as a duplicate is looked up before it is believed: if our own submission is there, it was accepted.

A refused invoice is sent again under the next version of its external id, once its content has changed or a person
has said so (``again``). What was refused is not kept over there, so an invoice is there under one version at most, and
all are asked for: a database that was put back may know an older version than the one that was accepted.
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
from syncjobs.engine import codebook, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import Outbox
from syncjobs.engine.problems import Finding
from syncjobs.models import BatchItem, InvoiceImage, InvoiceLink
from syncjobs.states import ImageState, InvoiceState, ItemState

PENDING, APPROVED, REJECTED = "pending", "approved", "rejected"
DUPLICATE, DIFFERS = "duplicate_invoice", "differs_over_there"
#: What ``status_text`` says of an item that a look-up found.
FOUND = "found over there"
#: Versions beyond the one we know that are asked for; so often it may have been refused since a backup was made.
LATER_VERSIONS = 2
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


def parsed_id(text: str, rules: Rules) -> tuple[str, int, str, int] | None:
    """Return the company, vendor number, invoice number and version of a submission's id, None for any other text."""
    company, _, rest = text.partition(rules.separator)
    vendor_num, _, rest = rest.partition(rules.separator)
    invoice_num, _, version = rest.rpartition(rules.separator)
    numbers = (vendor_num + version).isascii() and vendor_num.isdecimal() and version.isdecimal()
    if not (company and invoice_num and numbers):
        return None
    return company, int(vendor_num), invoice_num, int(version)


def look_up(ctx: StageContext, items: Sequence[BatchItem]) -> dict[str, Verdict]:
    """Find submissions at AvidXchange by our external ids (R14), whatever version of them is there; verdicts are by the
    items' own ids. What is there counts only if it is the same invoice.

    Raises ``Retry`` if one over there cannot be read: it must not pass for absent.
    """
    rules = codebook.rules_for(ctx.tenant)
    versions = {name: item for item in items for name in _versions(item.external_id, rules)}
    found = ctx.avidxchange.invoices_by_external_id(list(versions))
    verdicts: dict[str, Verdict] = {}
    for there in found:
        item = versions[there.external_id]
        if there.external_id == item.external_id or item.external_id not in verdicts:
            verdicts[item.external_id] = _verdict(there, item.payload)
    if found.bad and len(verdicts) < len(items):
        raise Retry(
            f"AvidXchange shows an invoice that cannot be read ({found.bad[0].reason}).",
            system=System.AVIDXCHANGE,
            code="answer_unreadable",
        )
    return verdicts


def _versions(text: str, rules: Rules) -> list[str]:
    """Return the ids of every version of a submission that may have been accepted."""
    parsed = parsed_id(text, rules)
    if parsed is None:
        return [text]
    _company, vendor_num, invoice_num, known = parsed
    return [
        external_id(rules, vendor_num=vendor_num, invoice_num=invoice_num, version=version)
        for version in range(1, known + LATER_VERSIONS + 1)
    ]


def _verdict(there: SubmittedInvoice, payload: str) -> Verdict:
    """Return what finding an invoice under our id means. Another amount does not make it another invoice: it was
    changed on one side since, and a person is told."""
    ours = msgspec.json.decode(payload, type=InvoiceItem)
    same = there.number.strip().casefold() == ours.number.strip().casefold()
    differs = f"AvidXchange holds {there.number} over {there.gross_amount} under this id, not {ours.number} over "
    verdict = Verdict(external_id=there.external_id, successful=same, avid_id=there.id if same else "", status=FOUND)
    if same and there.gross_amount == ours.gross_amount:
        return verdict
    message = f"{differs}{ours.gross_amount}."
    return msgspec.structs.replace(verdict, code=DIFFERS, message=message, field="ExternalId")


def _planned(ctx: StageContext, items: Sequence[BatchItem]) -> None:
    InvoiceLink.objects.filter(tenant=ctx.tenant, pk__in=[item.subject_id for item in items]).update(
        state=InvoiceState.IN_BATCH, state_reason=""
    )


def _decided(ctx: StageContext, items: Sequence[BatchItem]) -> None:
    """Move the invoices on: accepted is submitted, refused waits for a correction, dropped is due again."""
    rules = codebook.rules_for(ctx.tenant)
    rows = InvoiceLink.objects.in_bulk([item.subject_id for item in items])
    found: dict[str, Finding | None] = {}
    for item in items:
        row = rows[item.subject_id]
        if item.state == ItemState.ACCEPTED:
            accept(row, item.external_id, rules)
            found[item.subject_key] = _accepted(row, item)
        elif item.state == ItemState.REFUSED:
            row.state, row.state_reason = InvoiceState.REFUSED, (item.message or item.code)[:500]
            row.version += 1
            found[item.subject_key] = _refusal(row, item)
        else:
            row.state, row.state_reason = InvoiceState.READY, item.message[:500]
    InvoiceLink.objects.bulk_update(rows.values(), ["state", "state_reason", "approval", "version", "external_id"])
    # An earlier life may have sent the image, too: it is looked for before it is uploaded.
    there = [item.subject_id for item in items if item.state == ItemState.ACCEPTED and item.status_text == FOUND]
    images = InvoiceImage.objects.filter(tenant=ctx.tenant, invoice__in=there, state=ImageState.PENDING)
    images.update(state=ImageState.UNCERTAIN)
    problems.report_page(ctx, "invoice", found)


def accept(row: InvoiceLink, text: str, rules: Rules) -> None:
    """Note on a row in memory that AvidXchange has the invoice under this id of ours."""
    parsed = parsed_id(text, rules)
    row.state, row.state_reason, row.approval, row.external_id = InvoiceState.SUBMITTED, "", PENDING, text
    row.version = parsed[3] if parsed is not None else row.version


def _accepted(row: InvoiceLink, item: BatchItem) -> Finding | None:
    if item.avid_id != row.avid_id:
        return _id_taken(row, item)
    if item.code != DIFFERS:
        return None
    return Finding(
        code=DIFFERS,
        message=item.message,
        hint="It is there and is not sent again. Change it in AvidXchange, or reject it there.",
        subject_id=row.pk,
        **money(row),
    )


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
