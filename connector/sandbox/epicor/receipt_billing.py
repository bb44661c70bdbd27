"""Billing received PO lines: uninvoiced receipts, the lines chosen, the invoice lines made (epicor.md 5.1, step 5b).

The dataset carries the whole state between the calls; only ``InvoiceSelectedLines`` writes.
"""

from __future__ import annotations

from decimal import Decimal

from connector.sandbox.epicor.calls import Body, Call, Dataset, method, new_row, reply
from connector.sandbox.epicor.errors import business
from connector.sandbox.epicor.invoice_distributions import save_line
from connector.sandbox.epicor.invoice_entry import CENT, INVOICES, open_invoice
from connector.sandbox.epicor.invoice_lines import line_amounts
from connector.sandbox.epicor.invoice_update import recalculate
from connector.sandbox.seed import Row

#: The columns of the four tables that are filled here.
RECEIPT_COLUMNS = """Company VendorNum PurPoint PackSlip PONum ReceiptDate InvoiceNum CurrencyCode PackSlipTotal
    DocPackSlipTotal"""
LINE_COLUMNS = """Company VendorNum PurPoint PackSlip PackLine PONum POLine PORelNum PartNum PartDescription OurQty
    VendorQty SupplierUnInvcReceiptQty PUM VendorUnitCost DocVendorUnitCost LineAmount DocLineAmount InvoiceNum
    CurrencyCode SelectLine"""
SELECTED_COLUMNS = """Company VendorNum PurPoint PackSlip PackLine PONum POLine PORelNum PartNum PartDescription OurQty
    VendorQty InvoiceQty PUM VendorUnitCost DocVendorUnitCost LineAmount DocLineAmount InvoiceNum CurrencyCode
    FinalInvoice DeselectLine"""

_COPIED = "VendorNum InvoiceNum PartNum PUM PONum POLine PORelNum PurPoint PackSlip PackLine"


@method(INVOICES, "GetAPUninvoicedReceipts", "ds InVendorNum InInvoiceNum InPONum")
def _uninvoiced(call: Call) -> Body:
    header = open_invoice(call, call.number("InVendorNum"), call.text("InInvoiceNum"))
    order = call.number("InPONum")
    lines = [row for row in _open_lines(call, header) if order in {0, row["PONum"]}]
    slips: dict[str, Row] = {}
    for row in lines:
        totals = {"PackSlipTotal": Decimal(0), "DocPackSlipTotal": Decimal(0)}
        slip = slips.setdefault(row["PackSlip"], _pick(row | totals, RECEIPT_COLUMNS) | {"RowMod": ""})
        slip["PackSlipTotal"] += row["DocLineAmount"]
        slip["DocPackSlipTotal"] += row["DocLineAmount"]
    found = {"APUninvoicedReceipts": list(slips.values()),
             "APUninvoicedRcptLines": [_pick(row, LINE_COLUMNS) | {"RowMod": ""} for row in lines]}  # fmt: skip
    return reply(ds={"APReceiptTotals": [], "APSelectedRcptLines": [], **call.ds, **found, "ExtensionTables": []})


@method(INVOICES, "SelectUninvoicedRcptLines",
        "ds InVendorNum InPurPoint InPONum InPackSlip InDropShip InvoiceNum InGRNIClearing")  # fmt: skip
def _select(call: Call) -> Body:
    ds = call.ds
    slip = call.text("InPackSlip").casefold()
    chosen: list[Row] = []
    rest: list[Row] = []
    for row in ds.get("APUninvoicedRcptLines", []):
        wanted = row.get("SelectLine") and row.get("RowMod") == "U" and slip in {"", str(row["PackSlip"]).casefold()}
        (chosen if wanted else rest).append(row)
    if not chosen:
        raise business("No receipt line is selected.", table="APUninvoicedRcptLines", field="SelectLine")
    for row in chosen:
        values = {**row, "InvoiceQty": row["SupplierUnInvcReceiptQty"], "FinalInvoice": True, "DeselectLine": False}
        ds.setdefault("APSelectedRcptLines", []).append(_pick(values, SELECTED_COLUMNS) | {"RowMod": "U"})
    ds["APUninvoicedRcptLines"] = rest
    return reply(ds=ds)


@method(INVOICES, "InvoiceSelectedLines", "ds")
def _invoice(call: Call) -> Body:
    ds: Dataset = call.ds
    selected = [row for row in ds.get("APSelectedRcptLines", []) if row.get("RowMod") and not row.get("DeselectLine")]
    if not selected:
        raise business("No receipt line is selected.", table="APSelectedRcptLines")
    keys = []
    for row in selected:
        header = open_invoice(call, row["VendorNum"], row["InvoiceNum"])
        _bill(call, header, row)
        keys.append((header["VendorNum"], header["InvoiceNum"]))
    for key in dict.fromkeys(keys):
        recalculate(call, *key)
    ds["APSelectedRcptLines"] = []
    return reply(opLOCMsg="", ds=ds)


def _open_lines(call: Call, header: Row) -> list[Row]:
    """Return the vendor's received lines that are not invoiced, with what they would cost."""
    lines = []
    for row in call.database["RcvDtl"].under(header["VendorNum"]):
        if row["Received"] and not row["Invoiced"] and row["SupplierUnInvcReceiptQty"] > 0:
            amount = (row["SupplierUnInvcReceiptQty"] * row["DocVendorUnitCost"]).quantize(CENT)
            lines.append({**row, "LineAmount": amount, "DocLineAmount": amount, "SelectLine": False,
                          "InvoiceNum": header["InvoiceNum"], "CurrencyCode": header["CurrencyCode"]})  # fmt: skip
    return lines


def _pick(row: Row, columns: str) -> Row:
    return {name: row[name] for name in columns.split()}


def _bill(call: Call, header: Row, row: Row) -> None:
    slip = call.database["RcvDtl"].get(row["VendorNum"], row["PurPoint"], row["PackSlip"], row["PackLine"])
    quantity = Decimal(str(row["InvoiceQty"]))
    if slip is None or slip["Invoiced"] or quantity > slip["SupplierUnInvcReceiptQty"]:
        raise business(f"Receipt line {row['PackSlip']}/{row['PackLine']} is already invoiced.", table="RcvDtl")
    taken = call.database["APInvDtl"].under(header["VendorNum"], header["InvoiceNum"])
    values = new_row("APInvDtl", **_pick(row, _COPIED),
                     InvoiceLine=max((line["InvoiceLine"] for line in taken), default=0) + 1, LineType="R",
                     Description=row["PartDescription"], VendorQty=quantity, ScrVendorQty=quantity,
                     FinalInvoice=bool(row["FinalInvoice"]), DebitMemo=header["DebitMemo"],
                     RelatedToRcvDtlSysRowID=slip["SysRowID"])  # fmt: skip
    price = Decimal(str(row["DocVendorUnitCost"]))
    values |= line_amounts(values, shown=(quantity * price).quantize(CENT))
    line = save_line(call, header, values, None)
    left = slip["SupplierUnInvcReceiptQty"] - quantity
    call.database.change("RcvDtl", slip, {"SupplierUnInvcReceiptQty": left, "Invoiced": left == 0,
                                          "InvoiceNum": line["InvoiceNum"],
                                          "InvoiceLine": line["InvoiceLine"]}, **call.who)  # fmt: skip
    release = call.database["PORel"].get(row["PONum"], row["POLine"], row["PORelNum"])
    if release is not None:
        call.database.change("PORel", release, {"InvoicedQty": release["InvoicedQty"] + quantity}, **call.who)
