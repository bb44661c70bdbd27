"""Writing an AP invoice, one function a step, in the order of Epicor's own UpdateMaster sequence (epicor.md 5.1-5.5).

Nothing spans calls over there, so a posting may stop between any two steps. It is resumed by looking
(``client.invoice``) and calling the step that is missing; no step looks for itself whether it was done. Each step ends
in one call that writes; everything before it only computes. The account of a line is not in the line: the server makes
distributions with a default account when the line is saved, and the right one is written into them afterwards.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

from connector.epicor.client import EpicorClient
from connector.epicor.datasets import (
    Dataset,
    TableRow,
    dataset,
    is_true,
    new_row,
    put,
    refuse,
    require_saved,
    rows,
    stamp,
)
from connector.epicor.drafts import InvoiceDraft, InvoiceLineDraft
from connector.epicor.groups import INVOICE_GROUPS, InvoiceGroup, find_or_make
from connector.epicor.records import InvoiceDocument, text
from connector.transport.errors import Held, System, Uncertain

GROUPS = "Erp.BO.APInvGrpSvc"
INVOICES = "Erp.BO.APInvoiceSvc"
ATTACHMENTS = "Ice.BO.AttachmentSvc"


def ensure_group(client: EpicorClient, group_id: str) -> None:
    """Make the entry group if it is not there. Raises ``Held`` (``group_locked``) naming who holds it."""

    def make() -> None:
        reply = client.method(GROUPS, "GetNewAPInvGrpNoLock", {"ds": {"APInvGrp": []}}, writes=False)
        ds = dataset(reply, "GetNewAPInvGrpNoLock")
        put(new_row(ds, "APInvGrp", "GetNewAPInvGrpNoLock"), {"GroupID": group_id})
        client.method(GROUPS, "Update", {"ds": ds}, writes=True)

    find_or_make(client, INVOICE_GROUPS, group_id, InvoiceGroup, make=make)


def create_header(client: EpicorClient, group_id: str, draft: InvoiceDraft) -> None:
    """Save the header. Raises ``Rejected`` (``duplicate``) if the vendor has an invoice of this number already."""
    kind = "GetNewAPInvHedDebitMemo" if draft.debit_memo else "GetNewAPInvHedInvoice"
    ds = dataset(client.method(INVOICES, kind, {"ds": {}, "cGroupID": group_id}, writes=False), kind)
    ds = _change(client, ds, "ChangeVendorID", {"ProposedVendorID": draft.vendor_id, "confirmCheck": False})
    header = new_row(ds, "APInvHed", kind)
    if header.get("VendorNum") != draft.vendor_num:
        raise Held(
            f"Vendor {draft.vendor_id} is no longer vendor number {draft.vendor_num} in Epicor.",
            system=System.EPICOR,
            code="vendor_changed",
            hint="The vendor ID was given to another vendor. Review the vendor's mapping.",
        )
    if draft.currency and header.get("CurrencyCode") != draft.currency:
        ds = _change(client, ds, "ChangeCurrency", {"ProposedCurrencyCode": draft.currency})
        header = new_row(ds, "APInvHed", kind)
    put(header, _header_values(draft))
    client.method(INVOICES, "Update", {"ds": ds}, writes=True)


def _header_values(draft: InvoiceDraft) -> dict[str, object]:
    values: dict[str, object] = {
        "InvoiceNum": draft.invoice_num,
        "InvoiceDate": stamp(draft.invoice_date),
        "ScrDocInvoiceVendorAmt": _shown(draft, draft.amount),
        "Description": draft.description,
        draft.external_ref_field: draft.external_id,
    }
    for column, day in (("DueDate", draft.due_date), ("ApplyDate", draft.apply_date)):
        if day is not None:
            values[column] = stamp(day)
    if draft.terms_code:
        values["TermsCode"] = draft.terms_code
    if draft.po_num is not None:
        values["REFPONum"] = draft.po_num
    return values


def add_line(client: EpicorClient, group_id: str, draft: InvoiceDraft, line: InvoiceLineDraft) -> int:
    """Save a miscellaneous line and then its account; returns its InvoiceLine.

    If the second of the two saves fails the line stands with the default account: look, then ``set_account``.
    """
    key = {"iVendorNum": draft.vendor_num, "cInvoiceNum": draft.invoice_num}
    reply = client.method(INVOICES, "GetNewAPInvDtlMiscellaneous", {"ds": {}, **key}, writes=False)
    ds = dataset(reply, "GetNewAPInvDtlMiscellaneous")
    row = new_row(ds, "APInvDtl", "GetNewAPInvDtlMiscellaneous")
    put(row, {"Description": line.description, "ScrDocExtCost": _shown(draft, line.amount)})
    number = row.get("InvoiceLine")
    saved = _update_master(client, group_id, "APInvDtl", ds)
    number = int(number or max((int(item.get("InvoiceLine") or 0) for item in rows(saved, "APInvDtl")), default=0))
    if not number:
        raise Uncertain(
            f"UpdateMaster: the answer does not show the line of {draft.invoice_num}.",
            system=System.EPICOR,
            code="answer_unreadable",
        )
    set_account(client, group_id, draft, number, line)
    return number


def set_account(
    client: EpicorClient, group_id: str, draft: InvoiceDraft, invoice_line: int, line: InvoiceLineDraft
) -> None:
    """Write the line's account into the distribution the server made for it; nothing is sent if it stands there.

    Raises ``Held`` (``no_distribution``) if the server made none, ``Rejected`` for an account it refuses.
    """
    ds = _document(client, draft)
    found = [row for row in rows(ds, "APInvExpTGLC") if row.get("InvoiceLine") == invoice_line]
    if not found:
        raise Held(
            f"Epicor made no GL distribution for line {invoice_line} of invoice {draft.invoice_num}.",
            system=System.EPICOR,
            code="no_distribution",
            hint="Check the AP posting rules and GL controls; enter the account in Epicor or delete the line.",
        )
    # Rows of other charts belong to other books and follow from the posting rules.
    chart = found[0].get("COACode")
    wrong = [row for row in found if row.get("COACode") == chart and row.get("GLAccount") != line.gl_account]
    if not wrong:
        return
    for row in wrong:
        put(row, {"GLAccount": line.gl_account, **_segments(row, line.gl_account), "RowMod": "U"})
    _update_master(client, group_id, "APInvExpTGLC", ds)


def _segments(row: TableRow, account: str) -> dict[str, object]:
    """The account's segments in their columns; segments the old account had beyond them are emptied."""
    given = account.split("|")
    values: dict[str, object] = {f"SegValue{place}": value for place, value in enumerate(given, start=1)}
    for place in range(len(given) + 1, 21):
        if row.get(f"SegValue{place}"):
            values[f"SegValue{place}"] = ""
    return values


def add_receipt_lines(
    client: EpicorClient, group_id: str, draft: InvoiceDraft, lines: Sequence[InvoiceLineDraft]
) -> None:
    """Bill received PO lines: find them among the uninvoiced receipts, select them, make invoice lines of them.

    All lines of one PO are made by one call. Quantity is the draft's, price the receipt's; the caller re-reads and
    compares amounts. Raises ``Held`` (``receipt_not_found``, ``receipt_ambiguous``) before anything is written.
    """
    for po_num in dict.fromkeys(line.po_num for line in lines if line.po_num is not None):
        of_order = [line for line in lines if line.po_num == po_num]
        question = {"InVendorNum": draft.vendor_num, "InInvoiceNum": draft.invoice_num, "InPONum": po_num, "ds": {}}
        reply = client.method(INVOICES, "GetAPUninvoicedReceipts", question, writes=False)
        ds = dataset(reply, "GetAPUninvoicedReceipts")
        chosen = [(line, _receipt_row(ds, line)) for line in of_order]
        for _, row in chosen:
            put(row, {"SelectLine": True, "RowMod": "U"})
        for slip in dict.fromkeys((str(row.get("PurPoint") or ""), str(row["PackSlip"])) for _, row in chosen):
            ds = _select(client, ds, draft, po_num, slip)
        for line, row in chosen:
            _set_quantity(ds, line, row)
        reply = client.method(INVOICES, "InvoiceSelectedLines", {"ds": ds}, writes=True)
        if str(reply.get("opLOCMsg") or "").strip():
            raise refuse(
                str(reply["opLOCMsg"]), operation="InvoiceSelectedLines", code="needs_user_input", show=client.show
            )


def _receipt_row(ds: Dataset, line: InvoiceLineDraft) -> TableRow:
    fits = [
        row
        for row in rows(ds, "APUninvoicedRcptLines")
        if row.get("PONum") == line.po_num
        and row.get("POLine") == line.po_line
        and (not line.receipt_number or str(row.get("PackSlip")).lower() == line.receipt_number.lower())
        and not is_true(row.get("SelectLine"))
    ]
    if len(fits) == 1:
        return fits[0]
    where = f"PO {line.po_num} line {line.po_line}" + (
        f", receipt {line.receipt_number}" if line.receipt_number else ""
    )
    if fits:
        raise Held(
            f"{where}: {len(fits)} uninvoiced receipt lines fit.",
            system=System.EPICOR,
            code="receipt_ambiguous",
            hint="Enter the packing slip with the invoice in AvidXchange, or match the invoice in Epicor.",
        )
    raise Held(
        f"{where}: nothing is received that is not invoiced.",
        system=System.EPICOR,
        code="receipt_not_found",
        hint="Receive the goods in Epicor, or enter the invoice there against the right order.",
    )


def _select(client: EpicorClient, ds: Dataset, draft: InvoiceDraft, po_num: int, slip: tuple[str, str]) -> Dataset:
    question = {
        "ds": ds,
        "InVendorNum": draft.vendor_num,
        "InPurPoint": slip[0],
        "InPONum": po_num,
        "InPackSlip": slip[1],
        "InDropShip": False,
        "InvoiceNum": draft.invoice_num,
        "InGRNIClearing": False,
    }
    reply = client.method(INVOICES, "SelectUninvoicedRcptLines", question, writes=False)
    return dataset(reply, "SelectUninvoicedRcptLines")


def _set_quantity(ds: Dataset, line: InvoiceLineDraft, receipt: TableRow) -> None:
    for row in rows(ds, "APSelectedRcptLines"):
        if (row.get("PackSlip"), row.get("PackLine")) == (receipt.get("PackSlip"), receipt.get("PackLine")):
            whole = Decimal(str(row.get("InvoiceQty") or 0))
            if line.quantity != whole:
                put(row, {"InvoiceQty": line.quantity, "FinalInvoice": False})


def attach(client: EpicorClient, draft: InvoiceDraft, *, file_name: str, doc_type: str, file: BinaryIO) -> None:
    """Upload the invoice's image and hang it on the invoice (epicor.md 7).

    The whole file goes into one JSON body, so the caller limits its size. If the second call fails the uploaded file
    is left on the server without an owner; attaching again uploads it again, which harms nothing.
    """
    data = base64.b64encode(file.read()).decode()
    upload = {"docTypeID": doc_type, "parentTable": "APInvHed", "fileName": file_name, "data": data}
    path = client.method(ATTACHMENTS, "UploadFile", upload, writes=True).get("returnObj")
    ds = _document(client, draft)
    key = {"vendorNum": draft.vendor_num, "invoiceNum": draft.invoice_num}
    ds = dataset(client.method(INVOICES, "GetNewAPInvHedAttch", {"ds": ds, **key}, writes=False), "GetNewAPInvHedAttch")
    row = new_row(ds, "APInvHedAttch", "GetNewAPInvHedAttch")
    put(row, {"FileName": str(path or file_name), "DrawDesc": file_name, "DocTypeID": doc_type})
    client.method(INVOICES, "Update", {"ds": ds}, writes=True)


def reference(client: EpicorClient, draft: InvoiceDraft, document: InvoiceDocument) -> str:
    """Return what the column that carries AvidXchange's id says in the invoice that was read.

    A column that the typed document does not have (mostly a ``_c`` one) is asked for once more.
    """
    header = document.header[0]
    known = {"ExternalID": header.external_id, "Description": header.description}
    if draft.external_ref_field in known:
        return text(known[draft.external_ref_field])
    shown = rows(_document(client, draft), "APInvHed")
    return str((shown[0].get(draft.external_ref_field) if shown else None) or "").strip()


def delete_unposted(client: EpicorClient, draft: InvoiceDraft) -> None:
    """Delete an invoice that is still in its entry group; receipts it billed can be billed again.

    Raises ``Rejected`` for a posted one, which Epicor keeps.
    """
    key = {"vendorNum": draft.vendor_num, "invoiceNum": draft.invoice_num}
    client.method(INVOICES, "DeleteByID", key, writes=True)


def release_group(client: EpicorClient, group_id: str) -> None:
    """Give back the group's lock, so that people can work in it."""
    client.method(GROUPS, "UnlockGroup", {"InGroupID": group_id}, writes=True)


def _shown(draft: InvoiceDraft, amount: Decimal) -> Decimal:
    """An amount as Epicor's screens show it: positive on debit memos, whose stored columns are negative (4.5)."""
    return -amount if draft.debit_memo else amount


def _document(client: EpicorClient, draft: InvoiceDraft) -> Dataset:
    key = {"vendorNum": draft.vendor_num, "invoiceNum": draft.invoice_num}
    return dataset(client.method(INVOICES, "GetByID", key, writes=False), "GetByID", name="returnObj")


def _change(client: EpicorClient, ds: Dataset, method: str, values: Mapping[str, object]) -> Dataset:
    """Call a Change method, which fills defaults; a question it asks back is for a person."""
    reply = client.method(INVOICES, method, {"ds": ds, **values}, writes=False)
    if str(reply.get("confirmMsg") or "").strip():
        raise refuse(str(reply["confirmMsg"]), operation=method, code="needs_user_input", show=client.show)
    return dataset(reply, method)


def _update_master(client: EpicorClient, group_id: str, table: str, ds: Dataset) -> Dataset:
    switches: dict[str, Any] = dict.fromkeys(
        ("runChkCPay", "runChkBankRef", "runChkRevChrg", "suppressUserPrompts"), False
    )
    question = {"ds": ds, "cGroupID": group_id, "cTableName": table, **switches}
    reply = client.method(INVOICES, "UpdateMaster", question, writes=True)
    require_saved(reply, "UpdateMaster", show=client.show)
    return dataset(reply, "UpdateMaster", writes=True)
