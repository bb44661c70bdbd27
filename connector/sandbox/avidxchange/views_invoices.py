"""Calls about batches and invoices: R3 and R5 to R9 (writes), R4, R10 to R16 (reads, images, acknowledgement)."""

from __future__ import annotations

from werkzeug.wrappers import Response

from connector.sandbox.avidxchange import captured, images
from connector.sandbox.avidxchange.call import Call, within
from connector.sandbox.avidxchange.chance import happens
from connector.sandbox.avidxchange.envelopes import batch_reply
from connector.sandbox.avidxchange.invoices import submit_invoice
from connector.sandbox.avidxchange.ledger import approval
from connector.sandbox.avidxchange.master import (
    upsert_dimension,
    upsert_gl_account,
    upsert_purchase_order,
    upsert_receipt,
    upsert_vendor,
)
from connector.sandbox.avidxchange.paging import page
from connector.sandbox.avidxchange.submissions import Handler, find, submit
from connector.sandbox.avidxchange.wire import Row, answer, gateway, moment, read_json

HANDLERS: dict[str, Handler] = {
    "vendors": upsert_vendor,
    "glAccounts": upsert_gl_account,
    "dimensions": upsert_dimension,
    "purchaseOrders": upsert_purchase_order,
    "receipts": upsert_receipt,
    "invoices": submit_invoice,
}


def post_batch(call: Call, kind: str) -> Response:
    """Take a batch: 200 with a verdict an item, or 202 with the verdicts to follow at R10."""
    batch = submit(call.customer, kind, read_json(call.request), HANDLERS[kind], call.now, call.options)
    body = batch_reply(batch, awkward=call.options.awkward, salt=call.salt)
    return answer(body, 202 if batch.verdicts is None else 200)


def get_batch(call: Call, batch_id: str) -> Response:
    """Return a captured batch by GUID (R10, T1), or the reply document of a submitted batch of any kind."""
    closed = call.customer.captured_batches.get(batch_id)
    if closed is not None:
        view = captured.batch_view(call.customer, closed, call.base_url)
        return answer({"Items": view if call.options.awkward else [view]})
    batch = find(call.customer, batch_id)
    if batch is None:
        raise gateway(404, f"No batch {batch_id}", wrapped=call.options.awkward)
    return answer(batch_reply(batch, awkward=call.options.awkward, salt=call.salt))


def get_vendors(call: Call) -> Response:
    """List vendors (R4), all or those modified on or after a day."""
    since = call.day("lastModifiedFrom")
    rows = list(call.customer.vendors.values())
    if since is not None:
        rows = [row for row in rows if row["LastModified"].date() >= since]
    return page(rows, call.request, call.options, by=(call.salt, call.customer.company), show=_vendor)


def _vendor(row: Row) -> Row:
    return {
        **row,
        "TaxId": {"Value": row["TaxId"]} if row["TaxId"] else None,
        "LastModified": moment(row["LastModified"]),
    }


def get_invoices(call: Call) -> Response:
    """List submitted invoices (R14) by the day of their last change or by external ids; one of the two is needed."""
    names = call.names("externalInvoiceIds", known=call.customer.invoice_by_external)
    days = call.window("lastModifiedFrom", "lastModifiedTo", limited=True)
    customer = call.customer
    if names is not None:
        found = (customer.invoice_by_external.get(name) for name in dict.fromkeys(names))
        rows = [customer.invoices[invoice_id] for invoice_id in found if invoice_id is not None]
    elif days is not None:
        rows = [row for row in customer.invoices.values() if within(row["LastChangedDate"], days)]
    else:
        raise gateway(400, "A filter is required", wrapped=call.options.awkward)
    by = (call.salt, customer.company)
    return page(rows, call.request, call.options, by=by, show=lambda row: _invoice(row, call))


def _invoice(row: Row, call: Call) -> Row:
    """Return a submitted invoice as R14 shows it; the whole body is assumed, ``Images`` (its uploads) included."""
    awkward = call.options.awkward and happens(25, "text amount", row["Id"])
    return {
        "Id": row["Id"],
        "ExternalId": {"Value": row["ExternalId"], "SchemeOwner": "Buyer"},
        "DocumentType": row["DocumentType"],
        "VendorExternalSystemID": row["VendorExternalSystemID"],
        "Number": row["Number"],
        "InvoiceDate": row["InvoiceDate"],
        "InvoiceDueDate": row["InvoiceDueDate"],
        "GrossAmount": str(row["GrossAmount"]) if awkward else row["GrossAmount"],
        "Currency": row["Currency"],
        "PONumber": row["PONumber"] or None,
        "Status": {"Description": row["State"]},
        "ApprovalStatus": approval(row),
        "RejectReason": row["RejectReason"],
        "LastChangedDate": moment(row["LastChangedDate"], naive=call.options.awkward and row["Id"] % 2 == 1),
        "Images": [{name: image[name] for name in ("Id", "FileName", "ContentHash")} for image in row["Images"]],
    }


def post_image(call: Call, invoice_id: int) -> Response:
    """Take an image for a submitted invoice (R15)."""
    return images.upload(call.customer, invoice_id, call.request, call.options, call.now)


def get_image(call: Call, invoice_id: int) -> Response:
    """Return a captured invoice's image (R16)."""
    row = call.customer.captured_invoices.get(invoice_id)
    if row is None or not row["HasImage"]:
        raise gateway(404, f"No image of {invoice_id}")
    return images.captured_image(row)


def get_closed(call: Call, system_id: int) -> Response:
    """List captured batches closed within a range of days (R11)."""
    if system_id != call.customer.accounting_system_id:
        raise gateway(404, f"No accounting system {system_id}")
    days = call.window("closeDateFrom", "closeDateTo", limited=False)
    if days is None:
        raise gateway(400, "closeDateFrom is required", wrapped=call.options.awkward)
    rows = [row for row in call.customer.captured_batches.values() if within(row["DateClosed"], days)]
    by = (call.salt, call.customer.company)
    return page(
        rows,
        call.request,
        call.options,
        by=by,
        show=lambda row: captured.batch_view(call.customer, row, call.base_url),
    )


def get_details(call: Call, batch_id: str) -> Response:
    """List the invoices of a captured batch (R12, reached through its full-details link)."""
    batch = call.customer.captured_batches.get(batch_id)
    if batch is None:
        raise gateway(404, f"No batch {batch_id}")
    rows = [call.customer.captured_invoices[invoice_id] for invoice_id in batch["InvoiceIds"]]
    by = (call.salt, call.customer.company)
    return page(
        rows,
        call.request,
        call.options,
        by=by,
        show=lambda row: captured.invoice_view(call.customer, row, call.base_url, call.options),
    )


def post_export_history(call: Call) -> Response:
    """Take the acknowledgement of an import (R13)."""
    result = captured.acknowledge(call.customer, read_json(call.request), call.now, call.options)
    return answer({"Results": result if call.options.awkward else [result]})
