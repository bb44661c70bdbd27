"""The methods that fill the row of an invoice line or header charge before it is saved; none of them writes."""

from __future__ import annotations

from decimal import Decimal

from connector.sandbox.epicor.calls import NEW_ID, Body, Call, add_new, method, reply
from connector.sandbox.epicor.errors import business
from connector.sandbox.epicor.groups import entered
from connector.sandbox.epicor.invoice_entry import CENT, INVOICES, UNIT, open_invoice
from connector.sandbox.seed import Row


def _new_line(call: Call, kind: str) -> Body:
    header = open_invoice(call, call.number("iVendorNum"), call.text("cInvoiceNum"))
    ds = call.ds
    stored = call.database["APInvDtl"].under(header["VendorNum"], header["InvoiceNum"])
    taken = [row["InvoiceLine"] for row in (*stored, *ds.get("APInvDtl", []))]
    add_new(ds, "APInvDtl", Company=call.database.company, VendorNum=header["VendorNum"],
                InvoiceNum=header["InvoiceNum"], InvoiceLine=max(taken, default=0) + 1, LineType=kind, PUM="EA",
                VendorQty=Decimal(1), ScrVendorQty=Decimal(1), DebitMemo=header["DebitMemo"],
                CurrencyCode=header["CurrencyCode"], RelatedToRcvDtlSysRowID=NEW_ID)  # fmt: skip
    return reply(ds=ds)


@method(INVOICES, "GetNewAPInvDtlMiscellaneous", "ds iVendorNum cInvoiceNum")
def _new_miscellaneous(call: Call) -> Body:
    return _new_line(call, "M")


@method(INVOICES, "GetNewAPInvDtlUnreceived", "ds iVendorNum cInvoiceNum")
def _new_unreceived(call: Call) -> Body:
    return _new_line(call, "U")


@method(INVOICES, "ChangePartNum", "ProposedPartNum ds")
def _change_part(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvDtl")
    row["PartNum"] = call.text("ProposedPartNum")
    return reply(ds=ds)


@method(INVOICES, "ChangeExtCost", "ProposedExtCost ds")
def _change_ext_cost(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvDtl")
    row |= line_amounts(row, shown=call.amount("ProposedExtCost"))
    return reply(ds=ds)


@method(INVOICES, "ChangeVendorQty", "ProposedVendorQty ds")
def _change_quantity(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvDtl")
    quantity = call.amount("ProposedVendorQty")
    row |= {"VendorQty": quantity, "ScrVendorQty": quantity}
    row |= line_amounts(row, shown=(quantity * Decimal(str(row["ScrUnitCost"]))).quantize(CENT))
    return reply(ds=ds)


@method(INVOICES, "ChangeUnitCost", "ProposedUnitCost ds")
def _change_unit_cost(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvDtl")
    price = call.amount("ProposedUnitCost")
    row |= line_amounts(row, shown=(price * Decimal(str(row["VendorQty"]))).quantize(CENT))
    row["ScrUnitCost"] = price
    return reply(ds=ds)


@method(INVOICES, "ChangePONum", "ProposedPONum ds")
def _change_po(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvDtl")
    order = call.database["POHeader"].get(call.number("ProposedPONum"))
    if order is None or order["VoidOrder"] or order["VendorNum"] != row["VendorNum"]:
        raise business(f"PO {call.number('ProposedPONum')} is not valid for the supplier.", table="APInvDtl")
    row["PONum"] = order["PONum"]
    return reply(ds=ds)


@method(INVOICES, "ChangePOLine", "ProposedPOLine ds")
def _change_po_line(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvDtl")
    line = call.database["PODetail"].get(row["PONum"], call.number("ProposedPOLine"))
    if line is None or line["VoidLine"]:
        raise business(f"PO line {row['PONum']}/{call.number('ProposedPOLine')} is not valid.", table="APInvDtl")
    row |= {"POLine": line["POLine"], "PORelNum": 1, "PartNum": line["PartNum"], "Description": line["LineDesc"],
            "PUM": line["PUM"], "VendorQty": line["OrderQty"], "ScrVendorQty": line["OrderQty"]}  # fmt: skip
    row |= line_amounts(row, shown=line["DocExtCost"])
    return reply(ds=ds)


@method(INVOICES, "GetNewHdrCharge", "ds iVendorNum cInvoiceNum lcFlag")
def _new_header_charge(call: Call) -> Body:
    header = open_invoice(call, call.number("iVendorNum"), call.text("cInvoiceNum"))
    ds = call.ds
    stored = call.database["APIHAPInvMsc"].under(header["VendorNum"], header["InvoiceNum"])
    number = max((row["MscNum"] for row in stored), default=0) + 1
    add_new(ds, "APIHAPInvMsc", Company=call.database.company, VendorNum=header["VendorNum"],
                InvoiceNum=header["InvoiceNum"], MscNum=number, InvExpSeq=number,
                CurrencyCode=header["CurrencyCode"])  # fmt: skip
    return reply(ds=ds)


def line_amounts(row: Row, *, shown: Decimal) -> Row:
    """Return a line's cost columns from the amount as the screen shows it (positive on debit memos)."""
    sign = -1 if row["DebitMemo"] else 1
    quantity = Decimal(str(row["VendorQty"] or 1))
    unit = (shown / quantity).quantize(UNIT)
    return {"ScrDocExtCost": shown, "ScrExtCost": shown, "DocExtCost": sign * shown, "ExtCost": sign * shown,
            "ScrUnitCost": unit, "DocUnitCost": sign * unit, "UnitCost": sign * unit}  # fmt: skip
