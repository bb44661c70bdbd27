"""Submitted invoices (R9, topology T3): what is refused, and how one that was taken is approved.

The submit endpoint is assumed as a whole (contract 5.1); the names of the error codes are section 7's. An invoice
goes Received, Pending, then Approved or, for a few per cent by the hash of its external id, Rejected with a reason.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from connector.sandbox.avidxchange import payments
from connector.sandbox.avidxchange.chance import happens, roll
from connector.sandbox.avidxchange.checks import ItemCheck
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.master import known_vendor, match_order
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.submissions import Verdict
from connector.sandbox.avidxchange.wire import Row

REASONS = (
    "Wrong department",
    "Goods not received in full",
    "Price differs from the agreement",
    "Duplicate of an earlier request",
)


def submit_invoice(customer: Customer, check: ItemCheck, now: datetime, options: Options) -> Verdict:
    """Take one invoice, or say why not; an external id that is known is answered with what is there."""
    external = check.identifier("ExternalId", required=True)
    echo: Row = {"ExternalId": {"Value": external}} if external else {}
    known = customer.invoice_by_external.get(external)
    if known is not None:
        check.fault("DUPLICATE_INVOICE", f"This invoice is here already as {known}", "ExternalId")
        status = {"Description": customer.invoices[known]["State"]}
        return Verdict({"Id": known, **echo, "Status": status}, check.errors)
    vendor = known_vendor(customer, check)
    row = _row(customer, check, vendor)
    if vendor is not None and row["Number"]:
        same = customer.same_number(vendor["Id"], row["Number"])
        if same is not None:
            check.fault("DUPLICATE_INVOICE", f"Number {row['Number']} is here already as {same['Id']}", "Number")
    if check.errors:
        return Verdict(echo, check.errors)
    row = {"Id": next(customer.invoice_ids), "ExternalId": external, **row, "State": "Received", "LastChangedDate": now}
    customer.invoices[row["Id"]] = row
    customer.invoice_by_external[external] = row["Id"]
    customer.index_number(row)
    customer.timeline.after(now, lambda at: _pending(customer, row, at, options))
    return Verdict({"Id": row["Id"], **echo, "Status": {"Description": "Received"}})


def _row(customer: Customer, check: ItemCheck, vendor: Row | None) -> Row:
    kind = check.choice("DocumentType", ("Invoice", "CreditMemo"))
    gross = check.amount("GrossAmount", required=True)
    order = match_order(customer, check, vendor) if check.item.get("PONumber") else None
    lines = [_line(customer, line, order) for line in check.rows("Lines")]
    _balance(check, kind, gross, lines)
    return {
        "DocumentType": kind,
        "VendorId": vendor["Id"] if vendor else None,
        "VendorExternalSystemID": check.item.get("VendorExternalSystemID"),
        "Number": check.text("Number", longest=50, required=True),
        "InvoiceDate": check.day("InvoiceDate", required=True),
        "InvoiceDueDate": check.day("InvoiceDueDate"),
        "GrossAmount": gross,
        "Currency": check.text("Currency", longest=3) or "USD",
        "DiscountAmount": check.amount("DiscountAmount") or Decimal(0),
        "DiscountDate": check.day("DiscountDate"),
        "PONumber": check.text("PONumber", longest=50),
        "TermTypeName": check.text("TermTypeName", longest=255),
        "Memo": check.text("Memo", longest=1000),
        "Lines": lines,
        "Images": [],
        "RejectReason": None,
        "Paid": Decimal(0),
    }


def _line(customer: Customer, line: ItemCheck, order: Row | None) -> Row:
    account = line.text("GLAccount", longest=200)
    known = customer.gl_accounts.get(account)
    if known is None or not known["IsActive"]:
        line.fault("GL_NOT_FOUND", f"No active GL account {account!r}", "GLAccount")
    place = line.whole("POLineNumber")
    if order is not None and place is not None and place not in {row["LineNumber"] for row in order["Lines"]}:
        line.fault("UNEXPECTED_MATCH_ERROR", f"The purchase order has no line {place}", "POLineNumber")
    for value in line.rows("Dimensions") if line.item.get("Dimensions") else ():
        name, code = value.text("Name", longest=100), value.text("Code", longest=100)
        if (name, code) not in customer.dimensions:
            line.fault("DIMENSION_NOT_FOUND", f"No value {code} of {name}", "Dimensions")
    return {
        "LineNumber": line.whole("LineNumber", required=True),
        "Amount": line.amount("Amount", required=True),
        "GLAccount": account,
        "Description": line.text("Description", longest=1000),
        "Quantity": line.amount("Quantity", places=8),
        "UnitPrice": line.amount("UnitPrice", places=8),
        "POLineNumber": place,
        "ReceiptNumber": line.text("ReceiptNumber", longest=50),
    }


def _balance(check: ItemCheck, kind: str, gross: Decimal | None, lines: list[Row]) -> None:
    """Lines must add up to the gross amount, and only a credit memo is negative (contract 5.1)."""
    if gross is None:
        return
    if (gross < 0) != (kind == "CreditMemo"):
        check.fault("AMOUNT_MISMATCH", f"The sign of GrossAmount does not fit {kind}", "GrossAmount")
    total = sum((line["Amount"] or Decimal(0) for line in lines), Decimal(0))
    if total != gross:
        check.fault("AMOUNT_MISMATCH", f"The lines add up to {total}, not to {gross}", "GrossAmount")


def _pending(customer: Customer, row: Row, at: datetime, options: Options) -> None:
    if row["State"] != "Received":
        return
    row.update(State="Pending", LastChangedDate=at)
    customer.timeline.after(at, lambda then: decide(customer, row, then, options))


def decide(customer: Customer, row: Row, at: datetime, options: Options, *, approve: bool | None = None) -> None:
    """Approve or reject a pending invoice; an approved one is paid later. One already decided stays as it is."""
    if row["State"] not in ("Received", "Pending"):
        return
    rejected = happens(options.reject_percent, "reject", row["ExternalId"]) if approve is None else not approve
    if rejected:
        reason = REASONS[roll("reason", row["ExternalId"], sides=len(REASONS))]
        row.update(State="Rejected", RejectReason=row["RejectReason"] or reason, LastChangedDate=at)
        return
    row.update(State="Approved", LastChangedDate=at)
    payments.release(customer, row, at, options)
