"""Saving an AP invoice's dataset: Update, and UpdateMaster whose HTTP 200 may mean that nothing was saved.

Each method call is atomic alone (epicor.md section 8): a refused row takes back what the call wrote before it. The
reply holds the whole invoice as it now stands.
"""

from __future__ import annotations

from decimal import Decimal

from connector.sandbox.epicor.calls import Body, Call, Dataset, edited, full_dataset, method, reply
from connector.sandbox.epicor.catalog import SERVICES
from connector.sandbox.epicor.errors import bad_input, business, duplicate, not_found
from connector.sandbox.epicor.groups import changes, current, guard_group, is_closed, plain
from connector.sandbox.epicor.invoice_distributions import change_account, save_charge, save_line
from connector.sandbox.epicor.invoice_entry import (
    CENT,
    INVOICES,
    due_dates,
    open_invoice,
    vendor_by_id,
    vendor_columns,
)
from connector.sandbox.epicor.reads import document
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import TEMPLATES, Row

_CLOSED = "The apply date is not in an open fiscal period."
#: Longest invoice number (epicor.md 4.5).
MAX_INVOICE_NUM = 50
_FIXED = ("VendorNum", "InvoiceNum", "Posted", "GroupID", "DocInvoiceAmt", "InvoiceAmt", "DocInvoiceBal", "InvoiceBal",
          "DocUnpostedBal", "UnpostedBal", "OpenPayable", "DebitMemo", "DocInvoiceVariance")  # fmt: skip


@method(INVOICES, "Update", "ds")
def _update(call: Call) -> Body:
    sent = _sent(call.ds)
    if any(is_closed(call.state, day) for day in _apply_dates(call, sent)):
        raise business(_CLOSED, table="APInvHed", field="ApplyDate")
    return reply(ds=_save(call, sent))


@method(
    INVOICES,
    "UpdateMaster",
    "ds cGroupID cTableName runChkCPay runChkBankRef runChkRevChrg suppressUserPrompts",
)
def _update_master(call: Call) -> Body:
    ds, sent = call.ds, _sent(call.ds)
    if call.text("cTableName") not in SERVICES[INVOICES].tables:
        raise bad_input(f"Table {call.text('cTableName')} is not part of the dataset.")
    group = guard_group(call.database, "APInvGrp", call.text("cGroupID"), call.user)
    message, prompt = "", False
    if any(is_closed(call.state, day) for day in _apply_dates(call, sent)):
        message = _CLOSED
    elif call.state.options.bpm_prompt and not call.flag("suppressUserPrompts"):
        message, prompt = call.state.options.bpm_prompt, True
    else:
        ds = _save(call, sent)
    return reply(
        ds=ds,
        grpTotalInvAmt=group_total(call.database, group["GroupID"]),
        requiresUserInput=prompt,
        opMessage=message,
        opMsgChkBankRef="",
        opChkRevMsg="",
        lEnableGenLegalNum=False,
        lUpdateRan=not message,
        opDUAMsg="",
    )


@method(INVOICES, "DeleteByID", "vendorNum invoiceNum")
def _delete(call: Call) -> Body:
    header = open_invoice(call, call.number("vendorNum"), call.text("invoiceNum"))
    _drop(call, header)
    return reply()


def group_total(database: Database, group: str) -> Decimal:
    """Return the sum of a group's unposted invoices in document currency."""
    rows = (row for row in database["APInvHed"].all() if row["GroupID"] == group and not row["Posted"])
    return sum((row["DocInvoiceAmt"] for row in rows), Decimal(0))


def _sent(ds: Dataset) -> Dataset:
    """Return the edited rows of a dataset by table, checked."""
    return {table: edited(INVOICES, ds, table) for table in SERVICES[INVOICES].tables}


def _apply_dates(call: Call, sent: Dataset) -> list[str | None]:
    """Return the apply dates of every header that edited rows belong to; attachments need none."""
    days = [row.get("ApplyDate") for row in sent["APInvHed"] if row["RowMod"] != "D"]
    for table in SERVICES[INVOICES].tables[1:-1]:
        for row in sent[table]:
            stored = call.database["APInvHed"].get(row["VendorNum"], row["InvoiceNum"])
            days.append(stored["ApplyDate"] if stored else None)
    return days


def _save(call: Call, sent: Dataset) -> Dataset:
    """Write every edited row; returns the invoices concerned as they now stand."""
    touched: list[tuple[int, str]] = []
    for row in sent["APInvHed"]:
        header = _save_header(call, row)
        if header is not None:
            touched.append((header["VendorNum"], header["InvoiceNum"]))
    for table in SERVICES[INVOICES].tables[1:]:
        for row in sent[table]:
            key = (row["VendorNum"], row["InvoiceNum"])
            _save_below(call, table, row, key)
            touched.append(key)
    whole: dict[str, list[Row]] = {}
    for key in dict.fromkeys(touched):
        recalculate(call, *key)
        for table, rows in document(call.database, INVOICES, key).items():
            whole.setdefault(table, []).extend(rows)
    return full_dataset(INVOICES, whole)


def _save_header(call: Call, sent: Row) -> Row | None:
    database = call.database
    if sent["RowMod"] == "A":
        return add_header(call, plain(sent))
    stored = current(database, "APInvHed", sent)
    open_invoice(call, stored["VendorNum"], stored["InvoiceNum"])
    if sent["RowMod"] == "D":
        _drop(call, stored)
        return None
    changed = changes(stored, sent, fixed=_FIXED)
    if "TermsCode" in changed:
        due_dates(database, terms=changed["TermsCode"], invoice_date=sent["InvoiceDate"])
    return database.change("APInvHed", stored, changed | _vendor_amount(stored, sent), **call.who)


def add_header(call: Call, row: Row) -> Row:
    """Store a new header. Raises 400 for what is missing or not valid, 409 for a number its vendor has used."""
    database = call.database
    guard_group(database, "APInvGrp", row["GroupID"], call.user)
    vendor = database["Vendor"].get(row["VendorNum"]) if row["VendorNum"] else None
    vendor = vendor or vendor_by_id(database, row["VendorNumVendorID"])
    number = row["InvoiceNum"].strip()
    if not number or len(number) > MAX_INVOICE_NUM:
        raise business(f"Invoice number must have 1 to {MAX_INVOICE_NUM} characters.", table="APInvHed")
    if database["APInvHed"].get(vendor["VendorNum"], number) is not None:
        raise duplicate(f"Duplicate record: invoice {number} already exists for this supplier.", table="APInvHed")
    if not row["InvoiceDate"]:
        raise business("Invoice date is required.", table="APInvHed", field="InvoiceDate")
    values = {**row, **{name: value for name, value in vendor_columns(database, vendor).items() if not row[name]}}
    values |= {"VendorNum": vendor["VendorNum"], "VendorNumVendorID": vendor["VendorID"],
               "VendorNumName": vendor["Name"], "InvoiceNum": number, "Posted": False, "OpenPayable": True}  # fmt: skip
    dates = due_dates(database, terms=values["TermsCode"], invoice_date=values["InvoiceDate"])
    values |= {name: value for name, value in dates.items() if not values[name]}
    return database.insert("APInvHed", values | _vendor_amount(TEMPLATES["APInvHed"], values), **call.who)


def _vendor_amount(before: Row, sent: Row) -> Row:
    """Return the control total's columns: the screen column where it was set, else the Doc column.

    The Doc column is negative on debit memos and the screen column is not (epicor.md 4.5).
    """
    sign = -1 if sent["DebitMemo"] else 1
    shown = sent["ScrDocInvoiceVendorAmt"]
    if shown == before["ScrDocInvoiceVendorAmt"] and sent["DocInvoiceVendorAmt"] != before["DocInvoiceVendorAmt"]:
        shown = sign * sent["DocInvoiceVendorAmt"]
    base = (sign * shown * sent["ExchangeRate"]).quantize(CENT)
    return {"ScrDocInvoiceVendorAmt": shown, "DocInvoiceVendorAmt": sign * shown, "InvoiceVendorAmt": base,
            "ScrInvoiceVendorAmt": sign * base}  # fmt: skip


def _save_below(call: Call, table: str, sent: Row, key: tuple[int, str]) -> None:
    """Write one row below a header."""
    if table == "APInvHedAttch":
        _save_attachment(call, sent)
        return
    header = open_invoice(call, *key)
    stored = None if sent["RowMod"] == "A" else current(call.database, table, sent)
    if table == "APInvDtl" and sent["RowMod"] != "D":
        save_line(call, header, sent, stored)
    elif table == "APInvDtl" and stored is not None:
        for child in ("APInvExp", "APInvExpTGLC"):
            for row in call.database[child].under(*key, stored["InvoiceLine"]):
                call.database.remove(child, row)
        call.database.remove("APInvDtl", stored)
    elif table == "APInvExpTGLC" and stored is not None and sent["RowMod"] == "U":
        change_account(call, header, stored, sent)
    elif table == "APIHAPInvMsc" and sent["RowMod"] == "A":
        save_charge(call, header, sent)
    elif stored is None or changes(stored, sent, fixed=("GLAccount", "ExpDispGLAcct", "GLAccountDesc")):
        raise business(f"{table} cannot be changed this way.", table=table)


def _save_attachment(call: Call, sent: Row) -> None:
    database = call.database
    if sent["RowMod"] != "A":
        stored = current(database, "APInvHedAttch", sent)
        if sent["RowMod"] == "D":
            database.remove("APInvHedAttch", stored)
        else:
            database.change("APInvHedAttch", stored, changes(stored, sent, fixed=("XFileRefNum",)), **call.who)
        return
    header = database["APInvHed"].get(sent["VendorNum"], sent["InvoiceNum"])
    if header is None:
        raise not_found()
    uploaded = database.uploads.get(sent["FileName"])
    if uploaded is None:
        raise business(f"File {sent['FileName']} was not found on the server.", table="APInvHedAttch", field="FileName")
    number, database.next_file = database.next_file, database.next_file + 1
    database.files[number] = uploaded
    row = plain(sent) | {"XFileRefNum": number, "ForeignSysRowID": header["SysRowID"],
                         "DocTypeID": sent["DocTypeID"] or uploaded[1]}  # fmt: skip
    database.insert("APInvHedAttch", row, **call.who)


def _drop(call: Call, header: Row) -> None:
    """Delete an unposted invoice with everything below it; receipts it billed can be billed again."""
    database = call.database
    key = (header["VendorNum"], header["InvoiceNum"])
    for slip in database["RcvDtl"].under(header["VendorNum"]):
        if slip["InvoiceNum"] == header["InvoiceNum"]:
            free = {"Invoiced": False, "InvoiceNum": "", "InvoiceLine": 0}
            database.change("RcvDtl", slip, free | {"SupplierUnInvcReceiptQty": slip["VendorQty"]}, **call.who)
    for table in reversed(SERVICES[INVOICES].tables):
        for row in database[table].under(*key):
            database.remove(table, row)


def recalculate(call: Call, vendor: int, number: str) -> None:
    """Make a header's totals and balances follow its lines and charges, while it is unposted."""
    database = call.database
    header = database["APInvHed"].get(vendor, number)
    if header is None or header["Posted"]:
        return
    lines = sum((row["DocExtCost"] for row in database["APInvDtl"].under(vendor, number)), Decimal(0))
    total = sum((row["DocMiscAmt"] for row in database["APIHAPInvMsc"].under(vendor, number)), lines)
    base = (total * header["ExchangeRate"]).quantize(CENT)
    shown = abs(total) if header["DebitMemo"] else total
    values = {"DocInvoiceAmt": total, "InvoiceAmt": base, "ScrDocInvoiceAmt": shown, "ScrInvoiceAmt": abs(base),
              "DocInvoiceBal": total, "InvoiceBal": base, "ScrDocInvoiceBal": shown, "DocUnpostedBal": total,
              "UnpostedBal": base, "ScrDocUnpostedBal": shown,
              "DocInvoiceVariance": header["DocInvoiceVendorAmt"] - total}  # fmt: skip
    changed = changes(header, values)
    if changed:
        database.change("APInvHed", header, changed, **call.who)
