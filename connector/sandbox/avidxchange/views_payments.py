"""Calls about payments (R18 to R21), bank accounts (R23), accounting systems (R2) and the ping (R24)."""

from __future__ import annotations

from werkzeug.wrappers import Response

from connector.sandbox.avidxchange.call import Call, within
from connector.sandbox.avidxchange.documents import pdf, png
from connector.sandbox.avidxchange.paging import page
from connector.sandbox.avidxchange.payment_view import batch_view, history_view, payment_view
from connector.sandbox.avidxchange.wire import Row, answer, gateway


def get_payments(call: Call) -> Response:
    """List payments (R19); at least one filter is needed, several narrow the list down together.

    ``externalPaymentIds`` on a read is assumed. Lists come in the order of PaymentId.
    """
    rows = list(call.customer.payments.values())
    days = call.window("lastModifiedFrom", "lastModifiedTo", limited=True)
    batch_id = call.request.args.get("batchId")
    numbers, external = call.names("paymentIds"), call.names("externalPaymentIds")
    if days is None and batch_id is None and numbers is None and external is None:
        raise gateway(400, "A filter is required", wrapped=call.options.awkward)
    if numbers is not None:
        found = (call.customer.payments.get(int(part)) for part in sorted(set(numbers)) if part.isdecimal())
        rows = [row for row in found if row is not None]
    if days is not None:
        rows = [row for row in rows if within(row["LastModified"], days)]
    if batch_id is not None:
        rows = [row for row in rows if row["BatchId"] == batch_id]
    if external is not None:
        rows = [row for row in rows if set(row["ExternalPaymentIds"]) & set(external)]
    rows.sort(key=lambda row: int(row["PaymentId"]))
    by = (call.salt, call.customer.company)
    return page(rows, call.request, call.options, by=by, show=lambda row: payment_view(row, call.options))


def get_payment_batches(call: Call) -> Response:
    """List payment batches by id (R18); without the filter it is refused (facts 3.2.6)."""
    names = call.names("batchIds")
    if not names:
        raise gateway(400, "batchIds is required", wrapped=call.options.awkward)
    batches = [call.customer.payment_batches[name] for name in names if name in call.customer.payment_batches]
    payments = list(call.customer.payments.values())

    def show(batch: Row) -> Row:
        return batch_view(batch, [row for row in payments if row["BatchId"] == batch["BatchId"]])

    return page(batches, call.request, call.options, by=(call.salt, call.customer.company), show=show)


def get_history(call: Call, payment_id: int) -> Response:
    """List what happened to a payment (R20)."""
    rows = _payment(call, payment_id)["History"]
    return page(rows, call.request, call.options, by=(call.salt, call.customer.company), show=history_view)


def get_cleared_image(call: Call, payment_id: int) -> Response:
    """Return the image of a cleared check (R21), a PNG or a PDF; 404 while there is none."""
    row = _payment(call, payment_id)
    if not row["HasClearedCheckImages"]:
        raise gateway(404, f"No image of payment {payment_id}")
    if payment_id % 2:
        return Response(png(), content_type="image/png")
    return Response(pdf(f"Check {row['AvidPayCheckNumber']}", "sandbox image"), content_type="application/pdf")


def get_bank_accounts(call: Call) -> Response:
    """List bank accounts with their readiness (R23)."""
    rows = call.customer.bank_accounts
    return page(rows, call.request, call.options, by=(call.salt, call.customer.company), show=dict)


def get_accounting_systems(call: Call) -> Response:
    """List accounting systems (R2)."""
    item = {"ID": call.customer.accounting_system_id, "Name": f"Epicor {call.customer.company}"}
    return answer({"Items": item if call.options.awkward else [item]})


def get_ping(_call: Call) -> Response:
    """Say that the credentials work (R24, assumed)."""
    return answer({"Status": "OK"})


def _payment(call: Call, payment_id: int) -> Row:
    row = call.customer.payments.get(payment_id)
    if row is None:
        raise gateway(404, f"No payment {payment_id}", wrapped=call.options.awkward)
    return row
