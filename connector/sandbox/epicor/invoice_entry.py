"""The methods that fill an AP invoice's dataset before it is saved: GetNew and Change, in the order of the UI.

None of them writes: each takes the dataset, changes the row being entered, and gives the dataset back (epicor.md 5.1).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from connector.sandbox.epicor.calls import Body, Call, add_new, method, reply
from connector.sandbox.epicor.errors import business, not_found
from connector.sandbox.epicor.groups import entered, guard_group, is_closed
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import Row
from connector.sandbox.seed.writer import stamp

INVOICES = "Erp.BO.APInvoiceSvc"
CENT = Decimal("0.01")
UNIT = Decimal("0.00001")


def vendor_columns(database: Database, vendor: Row) -> Row:
    """Return the header columns that follow from the vendor. Raises a 400 refusal for an inactive one."""
    if vendor["Inactive"]:
        raise business(f"Supplier {vendor['VendorID']} is inactive.", table="APInvHed", field="VendorNum")
    base = "USD" if vendor["CurrencyCode"] == "USD" else vendor["CurrencyCode"]
    return {
        "VendorNum": vendor["VendorNum"],
        "VendorNumVendorID": vendor["VendorID"],
        "VendorNumName": vendor["Name"],
        "TermsCode": vendor["TermsCode"],
        "CurrencyCode": base,
        "ExchangeRate": Decimal(1) if base == "USD" else Decimal("0.73"),
        "PMUID": vendor["PMUID"],
        "VendorPayHold": vendor["PayHold"],
        "PayHold": vendor["PayHold"],
    }


def vendor_by_id(database: Database, vendor_id: str) -> Row:
    """Return a vendor by its code. Raises a 400 refusal if there is none."""
    for row in database["Vendor"].all():
        if row["VendorID"].casefold() == vendor_id.casefold():
            return row
    raise business(f"Supplier {vendor_id} is not valid.", table="APInvHed", field="VendorNumVendorID")


def due_dates(database: Database, *, terms: str, invoice_date: str) -> Row:
    """Return due and discount dates by the terms. Raises a 400 refusal for unknown terms."""
    found = database["PurTerms"].get(terms)
    if found is None:
        raise business(f"Terms code {terms} is not valid.", table="APInvHed", field="TermsCode")
    day = date.fromisoformat(invoice_date[:10])
    discount = stamp(day + timedelta(days=found["DiscountDays"])) if found["DiscountDays"] else None
    return {"DueDate": stamp(day + timedelta(days=found["DueDays"])), "DiscountDate": discount}


def open_invoice(call: Call, vendor: int, number: str) -> Row:
    """Return an unposted invoice whose group the caller may write in. Raises refusals otherwise."""
    row = call.database["APInvHed"].get(vendor, number)
    if row is None:
        raise not_found(f"Invoice {number} was not found for supplier {vendor}.")
    if row["Posted"]:
        raise business(f"Invoice {row['InvoiceNum']} is posted and cannot be changed.", table="APInvHed")
    guard_group(call.database, "APInvGrp", row["GroupID"], call.user)
    return row


def _new_header(call: Call, *, debit_memo: bool) -> Body:
    group = guard_group(call.database, "APInvGrp", call.text("cGroupID"), call.user)
    ds = call.ds
    add_new(ds, "APInvHed", Company=call.database.company, GroupID=group["GroupID"], InvoiceDate=call.state.stamp,
                ApplyDate=group["ApplyDate"], FiscalYear=group["FiscalYear"], FiscalPeriod=group["FiscalPeriod"],
                DebitMemo=debit_memo, InvoiceType="DEB" if debit_memo else "STD", CurrencyCode="USD",
                ExchangeRate=Decimal(1), OpenPayable=True, EntryPerson=call.user)  # fmt: skip
    return reply(ds=ds)


@method(INVOICES, "GetNewAPInvHedInvoice", "ds cGroupID")
def _new_invoice(call: Call) -> Body:
    return _new_header(call, debit_memo=False)


@method(INVOICES, "GetNewAPInvHedDebitMemo", "ds cGroupID")
def _new_debit_memo(call: Call) -> Body:
    return _new_header(call, debit_memo=True)


@method(INVOICES, "ChangeVendorID", "ProposedVendorID confirmCheck ds")
def _change_vendor(call: Call) -> Body:
    ds = call.ds
    vendor = vendor_by_id(call.database, call.text("ProposedVendorID"))
    row = entered(ds, "APInvHed")
    row |= vendor_columns(call.database, vendor)
    row |= due_dates(call.database, terms=row["TermsCode"], invoice_date=row["InvoiceDate"])
    return reply(confirmMsg="", ds=ds)


@method(INVOICES, "ChangeRefPONum", "ProposedRefPONum confirmCheck ds")
def _change_ref_po(call: Call) -> Body:
    order = call.database["POHeader"].get(call.number("ProposedRefPONum"))
    if order is None or order["VoidOrder"]:
        raise business(f"PO {call.number('ProposedRefPONum')} is not valid.", table="APInvHed", field="REFPONum")
    vendor = call.database["Vendor"].get(order["VendorNum"])
    ds = call.ds
    row = entered(ds, "APInvHed")
    if row["VendorNum"] not in {0, order["VendorNum"]}:
        raise business(f"PO {order['PONum']} belongs to another supplier.", table="APInvHed", field="REFPONum")
    row |= {"REFPONum": order["PONum"], **vendor_columns(call.database, vendor or {})}
    return reply(confirmMsg="", ds=ds)


def _change_date(call: Call) -> Row:
    ds = call.ds
    day = f"{call.text('ProposedInvoiceDate')[:10]}T00:00:00"
    row = entered(ds, "APInvHed")
    row["InvoiceDate"] = day
    if row["TermsCode"]:
        row |= due_dates(call.database, terms=row["TermsCode"], invoice_date=day)
    return {"ds": ds}


@method(INVOICES, "ChangeInvoiceDate", "ProposedInvoiceDate recalcAmts ds")
def _change_invoice_date(call: Call) -> Body:
    return reply(**_change_date(call))


@method(INVOICES, "ChangeInvoiceDateEx", "ProposedInvoiceDate recalcAmts ds")
def _change_invoice_date_ex(call: Call) -> Body:
    return reply(cMessageText="", **_change_date(call))


def _apply_date(call: Call) -> Row:
    ds = call.ds
    day = call.text("NewApplyDate")
    row = entered(ds, "APInvHed")
    row |= {"ApplyDate": f"{day[:10]}T00:00:00", "FiscalYear": int(day[:4]), "FiscalPeriod": int(day[5:7])}
    return {"ds": ds}


@method(INVOICES, "OnChangeofApplyDate", "InvoiceNum NewApplyDate VendorNum recalcAmts ds")
def _change_apply_date(call: Call) -> Body:
    return reply(**_apply_date(call))


@method(INVOICES, "OnChangeofApplyDateEx", "InvoiceNum NewApplyDate VendorNum recalcAmts ds")
def _change_apply_date_ex(call: Call) -> Body:
    return reply(**_apply_date(call))


@method(INVOICES, "OnChangeofApplyDateWithDateCheck", "InvoiceNum NewApplyDate VendorNum recalcAmts ds")
def _change_apply_date_checked(call: Call) -> Body:
    message = "The apply date is in a closed fiscal period." if is_closed(call.state, call.text("NewApplyDate")) else ""
    return reply(DateMessage=message, **_apply_date(call))


@method(INVOICES, "ChangeInvoiceVendorAmt", "ProposedInvoiceVendorAmt ds")
def _change_vendor_amount(call: Call) -> Body:
    ds = call.ds
    amount = call.amount("ProposedInvoiceVendorAmt")
    row = entered(ds, "APInvHed")
    sign = -1 if row["DebitMemo"] else 1
    row |= {"ScrDocInvoiceVendorAmt": amount, "DocInvoiceVendorAmt": sign * amount}
    return reply(ds=ds)


@method(INVOICES, "ChangeTermsCode", "ProposedTermsCode ds")
def _change_terms(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvHed")
    row["TermsCode"] = call.text("ProposedTermsCode")
    row |= due_dates(call.database, terms=row["TermsCode"], invoice_date=row["InvoiceDate"])
    return reply(ds=ds)


@method(INVOICES, "ChangeDueDate", "ProposedDueDate ds")
def _change_due_date(call: Call) -> Body:
    ds = call.ds
    row = entered(ds, "APInvHed")
    row["DueDate"] = f"{call.text('ProposedDueDate')[:10]}T00:00:00"
    return reply(ds=ds)


@method(INVOICES, "ChangeCurrency", "ProposedCurrencyCode ds")
def _change_currency(call: Call) -> Body:
    ds = call.ds
    if call.database["Currency"].get(call.text("ProposedCurrencyCode")) is None:
        raise business(f"Currency {call.text('ProposedCurrencyCode')} is not valid.", table="APInvHed")
    row = entered(ds, "APInvHed")
    code = call.text("ProposedCurrencyCode")
    row |= {"CurrencyCode": code, "ExchangeRate": Decimal(1) if code == "USD" else Decimal("0.73")}
    return reply(ds=ds)


@method(INVOICES, "PreUpdate", "ds")
def _pre_update(call: Call) -> Body:
    return reply(ds=call.ds, requiresUserInput=False)


@method(INVOICES, "GetNewAPInvHedAttch", "ds vendorNum invoiceNum")
def _new_attachment(call: Call) -> Body:
    header = call.database["APInvHed"].get(call.number("vendorNum"), call.text("invoiceNum"))
    if header is None:
        raise not_found()
    ds = call.ds
    below = call.database["APInvHedAttch"].under(header["VendorNum"], header["InvoiceNum"])
    add_new(ds, "APInvHedAttch", Company=call.database.company, VendorNum=header["VendorNum"],
                InvoiceNum=header["InvoiceNum"], ForeignSysRowID=header["SysRowID"],
                DrawingSeq=max((row["DrawingSeq"] for row in below), default=0) + 1)  # fmt: skip
    return reply(ds=ds)
