"""Everything a customer holds, as JSON-ready values for assertions: amounts as text, no files, no tokens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.submissions import Submission
from connector.sandbox.avidxchange.wire import Row


def customer_ledger(customer: Customer) -> dict[str, Any]:
    """Return a customer's part of the ledger; ``settled`` says whether nothing more will happen by itself."""
    return {
        "settled": customer.timeline.empty,
        "vendors": _plain(customer.vendors.values()),
        "gl_accounts": _plain(customer.gl_accounts.values()),
        "dimensions": _plain(customer.dimensions.values()),
        "purchase_orders": _plain(customer.purchase_orders.values()),
        "receipts": _plain(customer.receipts.values()),
        "batches": [_batch(batch) for batch in customer.submissions.values()],
        "invoices": [
            {**plain(row), "ApprovalStatus": approval(row), "image_count": len(row["Images"])}
            for row in customer.invoices.values()
        ],
        "captured_batches": [
            {
                **plain(batch),
                "acknowledged": batch["Acknowledged"],
                "invoices": _plain(customer.captured_invoices[invoice_id] for invoice_id in batch["InvoiceIds"]),
            }
            for batch in customer.captured_batches.values()
        ],
        "export_histories": _plain(customer.export_histories),
        "payments": _plain(customer.payments.values()),
        "bank_accounts": _plain(customer.bank_accounts),
    }


def approval(invoice: Row) -> str:
    """Return the contract's word for an invoice's state (5.2); one just received is pending."""
    return "Pending" if invoice["State"] == "Received" else str(invoice["State"])


def _batch(batch: Submission) -> Row:
    verdicts = batch.verdicts
    return {
        "kind": batch.kind,
        "BatchId": batch.client_id,
        "Id": batch.avid_id,
        "items": len(batch.items),
        "successful": None if verdicts is None else sum(verdict.successful for verdict in verdicts),
        "errors": [plain(error) for verdict in verdicts or () for error in verdict.errors],
    }


def _plain(rows: Iterable[Row]) -> list[Any]:
    return [plain(row) for row in rows]


def plain(value: Any) -> Any:
    """Return a value with amounts and times as text and without the keys that begin with ``_``."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if not name.startswith("_")}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value
