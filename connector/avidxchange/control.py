"""The control checks of a captured batch (contract 5.3): what was read must be what AvidXchange says was closed."""

from __future__ import annotations

from decimal import Decimal

from connector.avidxchange.decode import Records
from connector.avidxchange.records import CapturedBatch, CapturedInvoice


def faults(batch: CapturedBatch, invoices: Records[CapturedInvoice]) -> list[str]:
    """Return why a batch must go to review before anything of it is posted, one plain sentence each; none = it adds up.

    ``invoices`` is what ``captured_invoices`` gave, with the rows that could not be read.
    """
    found = [f"Invoice {row.key or 'without an id'} cannot be read: {row.reason}." for row in invoices.bad]
    count = len(invoices) + len(invoices.bad)
    if count != batch.invoice_count:
        found.append(f"The batch says it has {batch.invoice_count} invoices, but {count} came.")
    total = sum((invoice.gross_amount for invoice in invoices), Decimal(0))
    if total != batch.total and not invoices.bad:
        found.append(f"The batch says it totals {batch.total}, but its invoices add up to {total}.")
    return found
