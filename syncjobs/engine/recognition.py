"""Invoices that AvidXchange has under an id of ours although we hold no submission of them.

After our database was put back from a backup that is how its last hours look. Those that are still open are looked up
before they are sent (``first_look``); the others, closed in Epicor by now, held here or changed, are recognised where
approvals are read anyway, so that verdicts and payments find their invoice. Nothing is written on either side.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Q

from connector.avidxchange.records import SubmittedInvoice
from connector.epicor import odata
from connector.epicor import records as epicor
from syncjobs.engine import codebook, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.invoice_rows import REPLACEABLE, Key, known, shown_day
from syncjobs.engine.outgoing import Desk
from syncjobs.engine.submissions import accept, key, parsed_id
from syncjobs.models import InvoiceImage, InvoiceLink, VendorMapping
from syncjobs.states import ImageState, InvoiceState
from tenants import audit

#: Invoices asked for by key in one request; their keys are long, and addresses are not.
KEYS_A_REQUEST = 20
#: What an image is called of which only the hash is told.
IMAGE_NAME = "image at AvidXchange"
WHY = "AvidXchange has it under our id, and this database did not know: it was put back to an older state."
_COLUMNS = (
    "state", "state_reason", "approval", "version", "external_id", "avid_id", "sent_at", "sent_hash", "hold_code",
    "hold_message",
)  # fmt: skip


def recognise(ctx: StageContext, page: Sequence[SubmittedInvoice]) -> None:
    """Take in whatever of a page is ours and not known as submitted; asks Epicor about those we have no row of."""
    ours = _unknown(ctx, page)
    if not ours:
        return
    rows = known(ctx, ours)
    headers = _headers(ctx, [one for one in ours if one not in rows])
    with ctx.commit():
        InvoiceLink.objects.bulk_create(_made(ctx, headers), ignore_conflicts=True)
        _submitted(ctx, ours)


def _unknown(ctx: StageContext, page: Sequence[SubmittedInvoice]) -> dict[Key, SubmittedInvoice]:
    """Return the invoices of a page, by their key in Epicor, that carry an id of this company's and none of a row."""
    rules = codebook.rules_for(ctx.tenant)
    named = {there.external_id: there for there in page}
    rows = InvoiceLink.objects.filter(tenant=ctx.tenant, external_id__in=named).exclude(state__in=REPLACEABLE)
    for external_id in rows.values_list("external_id", flat=True):
        del named[external_id]
    found: dict[Key, SubmittedInvoice] = {}
    for there in named.values():
        parsed = parsed_id(there.external_id, rules)
        if parsed is not None and parsed[0] == ctx.company:
            found[parsed[1], parsed[2]] = there
    return found


def _headers(ctx: StageContext, keys: Sequence[Key]) -> list[epicor.Invoice]:
    found: list[epicor.Invoice] = []
    for start in range(0, len(keys), KEYS_A_REQUEST):
        chosen = keys[start : start + KEYS_A_REQUEST]
        clauses = [odata.and_(odata.eq("VendorNum", num), odata.eq("InvoiceNum", number)) for num, number in chosen]
        rows = ctx.epicor.find(epicor.INVOICES, odata.or_(*clauses))
        found += [row for row in rows if isinstance(row, epicor.Invoice)]
    return found


def _made(ctx: StageContext, headers: Sequence[epicor.Invoice]) -> list[InvoiceLink]:
    """Return rows for invoices that Epicor has and we have not, as if they had just been read."""
    desk = Desk(ctx)
    mapped = VendorMapping.objects.filter(
        tenant=ctx.tenant, company=ctx.company, vendor_num__in={header.vendor_num for header in headers}
    )
    names = dict(mapped.values_list("vendor_num", "name"))
    return [
        InvoiceLink(
            tenant=ctx.tenant,
            direction=InvoiceLink.OUT,
            company=ctx.company,
            vendor_num=header.vendor_num,
            vendor_name=names.get(header.vendor_num, ""),
            invoice_num=header.invoice_num,
            state=InvoiceState.READY,
            debit_memo=header.debit_memo,
            currency=epicor.text(header.currency_code),
            gross_amount=header.doc_invoice_amt,
            open_amount=header.doc_unposted_bal,
            invoice_date=shown_day(header.invoice_date),
            due_date=shown_day(header.due_date),
            header_hash=desk.hash_of(header),
        )
        for header in headers
    ]


def _submitted(ctx: StageContext, ours: Mapping[Key, SubmittedInvoice]) -> None:
    """Mark the rows as submitted that no worker has in a batch; call it inside ``ctx.commit()``."""
    rules = codebook.rules_for(ctx.tenant)
    found = known(ctx, ours)
    mine = InvoiceLink.objects.select_for_update().filter(
        pk__in=[row.pk for row in found.values()], direction=InvoiceLink.OUT, state__in=REPLACEABLE
    )
    rows = list(mine.defer("desired", "captured").order_by("pk"))
    taken = _taken(ctx, [there.id for there in ours.values()])
    for row in rows:
        there = ours[row.vendor_num or 0, row.invoice_num]
        accept(row, there.external_id, rules)
        row.avid_id = row.avid_id or ("" if there.id in taken else there.id)
        row.sent_hash, row.sent_at = row.desired_hash, row.sent_at or ctx.now()
        row.hold_code = row.hold_message = ""
    InvoiceLink.objects.bulk_update(rows, _COLUMNS)
    _images(ctx, rows, ours)
    problems.report_page(ctx, "invoice", {key(row): None for row in rows})
    entries = [_entry(ctx, row) for row in rows]
    audit.record_many(ctx.tenant, entries, actor=ctx.actor, run=ctx.run.pk)


def _images(ctx: StageContext, rows: Sequence[InvoiceLink], ours: Mapping[Key, SubmittedInvoice]) -> None:
    """Note the images that are over there; those that we were about to send are looked for first."""
    noted = InvoiceImage.objects.filter(tenant=ctx.tenant, invoice__in=rows)
    noted.filter(state=ImageState.PENDING).update(state=ImageState.UNCERTAIN)
    known = set(noted.values_list("invoice_id", flat=True))
    InvoiceImage.objects.bulk_create(
        InvoiceImage(tenant=ctx.tenant, invoice=row, file_name=IMAGE_NAME, content_hash=digest, state=ImageState.SENT)
        for row in rows
        if row.pk not in known
        for digest in ours[row.vendor_num or 0, row.invoice_num].image_hashes
    )


def _taken(ctx: StageContext, avid_ids: Collection[str]) -> set[str]:
    rows = InvoiceLink.objects.filter(Q(avid_id__in=avid_ids) & ~Q(avid_id=""), tenant=ctx.tenant)
    return set(rows.values_list("avid_id", flat=True))


def _entry(ctx: StageContext, row: InvoiceLink) -> audit.Entry:
    after: dict[str, Any] = {"avid_id": row.avid_id, "external_id": row.external_id}
    return audit.Entry(action=f"{ctx.stage}.recognised", subject=("invoice", key(row)), after=after, reason=WHY)
