"""Captured invoices and the closed batches they come in (T1: R10 to R13), as contract 5.3 and facts 2.2 have them.

A batch may be closed again with invoices added, changed and removed; that needs a new acknowledgement. An invoice is
paid once its batch is acknowledged, unless its payment is on hold over here.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from connector.sandbox.avidxchange import payments
from connector.sandbox.avidxchange.chance import happens
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.wire import Row, moment


def batch_view(customer: Customer, batch: Row, base_url: str) -> Row:
    """Return a closed batch as R10 and R11 show it; ``base_url`` ends in the version segment."""
    here = f"{base_url}/invoices/batches/{batch['BatchGUID']}"
    return {
        "BatchGUID": batch["BatchGUID"],
        "BatchName": batch["BatchName"],
        "InvoiceCount": batch["_count"] if batch["_count"] is not None else len(batch["InvoiceIds"]),
        "BatchTotal": total(customer, batch) if batch["_total"] is None else batch["_total"],
        "DateClosed": moment(batch["DateClosed"], naive=True),
        "Links": [{"Rel": "self", "Href": here}, {"Rel": "full-details", "Href": f"{here}/details"}],
    }


def total(customer: Customer, batch: Row) -> Decimal:
    """Return what the invoices of a batch add up to."""
    rows = (customer.captured_invoices[invoice_id] for invoice_id in batch["InvoiceIds"])
    return sum((row["GrossAmount"] for row in rows), Decimal(0))


def invoice_view(customer: Customer, row: Row, base_url: str, options: Options) -> Row:
    """Return a captured invoice as R12 shows it: a PO number may be a number, "none" is a null (facts 2.2)."""
    vendor = customer.vendors[row["VendorId"]]
    order: str | int | None = row["PONumber"] or None
    if options.awkward and order is not None and str(order).isdecimal() and happens(50, "po", row["Id"]):
        order = int(order)
    return {
        "Id": row["Id"],
        "Number": row["Number"],
        "InvoiceDate": row["InvoiceDate"],
        "InvoiceDueDate": row["InvoiceDueDate"],
        "GrossAmount": row["GrossAmount"],
        "Currency": row["Currency"],
        "PONumber": order,
        "Memo": row["Memo"],
        "ImageUrl": f"{base_url}/images/{row['Id']}" if row["HasImage"] else None,
        "LastChangedDate": moment(row["LastChangedDate"], naive=options.awkward),
        "BuyerVendor": {
            "VendorName": row["VendorName"],
            "VendorExternalSystemID": vendor["VendorExternalSystemID"] or row["VendorExternalSystemID"],
        },
        "BuyerVendorAccount": {"AccountNo": row["AccountNo"] or "none"},
        "TermType": {"termTypeName": row["TermTypeName"]},
        "Lines": row["Lines"],
    }


def acknowledge(customer: Customer, body: Row, now: datetime, options: Options) -> Row:
    """Take an export history (R13) and return its result; status 1 alone means imported (contract 5.3)."""
    batch = customer.captured_batches.get(str(body.get("BatchId")))
    if batch is None:
        error = {"Code": "VALIDATION", "Message": f"No closed batch {body.get('BatchId')}", "Field": "BatchId"}
        return {"Successful": False, "Item": {}, "Errors": [error]}
    history = {"Id": len(customer.export_histories) + 1, **body, "InsertDateTime": now}
    customer.export_histories.append(history)
    if body.get("ExportHistoryStatusId") == 1:
        batch["Acknowledged"] = True
        for invoice_id in batch["InvoiceIds"]:
            row = customer.captured_invoices[invoice_id]
            if not row["OnHold"] and row["Paid"] == 0:
                payments.release(customer, row, now, options)
    return {"Successful": True, "Item": {"Id": history["Id"], "BatchId": batch["BatchGUID"]}, "Errors": []}


def add_invoice(customer: Customer, batch: Row, values: Row, now: datetime) -> Row:
    """Put another invoice into a batch and return it; ``values`` must name vendor id, number, amount and lines."""
    row = {
        "Id": next(customer.invoice_ids),
        "BatchGUID": batch["BatchGUID"],
        "VendorName": customer.vendors[values["VendorId"]]["VendorName"],
        "VendorExternalSystemID": None,
        "InvoiceDate": now.date().isoformat(),
        "InvoiceDueDate": None,
        "Currency": "USD",
        "PONumber": "",
        "Memo": "",
        "AccountNo": "",
        "TermTypeName": "",
        "HasImage": True,
        "OnHold": False,
        "State": "Approved",
        "Paid": Decimal(0),
        **values,
        "LastChangedDate": now,
    }
    customer.captured_invoices[row["Id"]] = row
    customer.index_number(row)
    batch["InvoiceIds"].append(row["Id"])
    return row


def close_again(customer: Customer, batch: Row, changes: Row, now: datetime) -> None:
    """Close a batch again: ``changes`` has lists ``add`` (values), ``change`` ({"Id", "set"}) and ``remove`` (ids).

    Raises ``KeyError`` for an invoice that is not in the batch.
    """
    for invoice_id in changes.get("remove", ()):
        batch["InvoiceIds"].remove(_member(batch, invoice_id))
        row = customer.captured_invoices.pop(invoice_id)
        customer.payable[(row["VendorId"], row["Currency"])].pop(invoice_id, None)
    for change in changes.get("change", ()):
        row = customer.captured_invoices[_member(batch, change["Id"])]
        row.update(change["set"], LastChangedDate=now)
    for values in changes.get("add", ()):
        add_invoice(customer, batch, values, now)
    batch.update(DateClosed=now, Acknowledged=False)


def _member(batch: Row, invoice_id: int) -> int:
    if invoice_id not in batch["InvoiceIds"]:
        raise KeyError(invoice_id)
    return invoice_id
