"""Invoices that Epicor shows and that began at AvidXchange although we hold no row of them.

What ``invoices_in`` wrote carries AvidXchange's id in the tenant's reference column, and must never go out: AvidXchange
would have it twice and pay it twice. After our database was put back from a backup that column is all that tells them
apart until ``invoices_in`` has read its batches again, so such an invoice is held, and gives way when it is recognised
(``captured_cases.claim``). A description is not only ours to write: there, and where a column of the tenant's own has
to be asked for, our prefix on the entry group decides first.
"""

from __future__ import annotations

from collections.abc import Mapping

from connector.epicor.invoice_columns import read_column
from connector.epicor.records import Invoice, InvoiceDocument, text
from connector.stages import Stage
from connector.translate.codebook import Hold
from syncjobs.engine.context import StageContext
from syncjobs.engine.invoice_rows import Key
from syncjobs.models import InvoiceLink, StageSchedule

CODE = "came_from_avidxchange"


def from_avidxchange(
    ctx: StageContext, documents: Mapping[Key, InvoiceDocument], before: Mapping[Key, InvoiceLink]
) -> dict[Key, Hold]:
    """Return which of these invoices carry an id of AvidXchange's, among those that we do not know already."""
    new = {one: document for one, document in documents.items() if one not in before or before[one].hold_code == CODE}
    if not new or not _captures(ctx):
        return {}
    marks = {one: _mark(ctx, document.header[0]) for one, document in new.items()}
    return {one: _hold(ctx, new[one].header[0], mark) for one, mark in marks.items() if mark}


def _captures(ctx: StageContext) -> bool:
    """Whether the tenant has captured invoices written to Epicor at all."""
    return StageSchedule.objects.filter(tenant=ctx.tenant, stage=Stage.INVOICES_IN, enabled=True).exists()


def _mark(ctx: StageContext, header: Invoice) -> str:
    column, prefix = ctx.options.external_ref_field, ctx.tenant.epicor_connection.ap_group_prefix
    if column == "ExternalID":
        return text(header.external_id)
    if not prefix or not text(header.group_id).startswith(prefix):
        return ""
    if column == "Description":
        return text(header.description)
    return read_column(ctx.epicor, header.vendor_num, header.invoice_num, column)


def _hold(ctx: StageContext, header: Invoice, mark: str) -> Hold:
    column = ctx.options.external_ref_field
    return Hold(
        CODE,
        f"Invoice {header.invoice_num} carries AvidXchange's id {mark} in Epicor, so AvidXchange captured it. It is "
        "not sent back, because it might be paid twice.",
        field=column,
        hint="It is recognised when Captured invoices to Epicor runs. If AvidXchange does not have it, clear its "
        f"{column} in Epicor.",
    )
