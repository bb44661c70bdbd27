"""One AvidXchange customer: everything it holds, indexed by what it is looked up by.

A customer is reached only through its own credentials, so two customers never see each other's rows. Their ids are
counted from the same start on purpose: ids collide between customers as they may in the real system.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from connector.sandbox.avidxchange.timeline import Timeline
from connector.sandbox.avidxchange.wire import Row

if TYPE_CHECKING:
    from connector.sandbox.avidxchange.submissions import Submission

#: What payments are grouped by: AvidXchange vendor id and currency.
PayKey = tuple[int, str]


class Numbers:
    """Ids that rise by one; unlike ``itertools.count`` they can be copied with everything else a customer has."""

    def __init__(self, first: int) -> None:
        self._following = first

    def __next__(self) -> int:
        number = self._following
        self._following += 1
        return number


@dataclass
class Customer:
    """Tables are plain rows with the contract's column names; keys that begin with ``_`` never leave the sandbox."""

    company: str
    company_id: str
    accounting_system_id: int
    timeline: Timeline

    vendors: dict[int, Row] = field(default_factory=dict)
    vendor_by_external: dict[str, int] = field(default_factory=dict)
    gl_accounts: dict[str, Row] = field(default_factory=dict)
    dimensions: dict[tuple[str, str], Row] = field(default_factory=dict)
    purchase_orders: dict[str, Row] = field(default_factory=dict)
    receipts: dict[tuple[str, str], Row] = field(default_factory=dict)
    submissions: dict[str, Submission] = field(default_factory=dict)
    submission_by_client_id: dict[str, Submission] = field(default_factory=dict)
    invoices: dict[int, Row] = field(default_factory=dict)
    invoice_by_external: dict[str, int] = field(default_factory=dict)
    invoice_by_number: dict[tuple[int, str], int] = field(default_factory=dict)
    captured_batches: dict[str, Row] = field(default_factory=dict)
    captured_invoices: dict[int, Row] = field(default_factory=dict)
    export_histories: list[Row] = field(default_factory=list)
    payments: dict[int, Row] = field(default_factory=dict)
    payment_batches: dict[str, Row] = field(default_factory=dict)
    bank_accounts: list[Row] = field(default_factory=list)

    payable: dict[PayKey, dict[int, Row]] = field(default_factory=lambda: defaultdict(dict))
    runs_planned: set[PayKey] = field(default_factory=set)

    vendor_ids: Numbers = field(default_factory=lambda: Numbers(41001))
    record_ids: Numbers = field(default_factory=lambda: Numbers(70001))
    invoice_ids: Numbers = field(default_factory=lambda: Numbers(880001))
    image_ids: Numbers = field(default_factory=lambda: Numbers(1))
    payment_ids: Numbers = field(default_factory=lambda: Numbers(500001))
    payment_places: Numbers = field(default_factory=lambda: Numbers(1))
    history_ids: Numbers = field(default_factory=lambda: Numbers(1))
    check_numbers: Numbers = field(default_factory=lambda: Numbers(300000101))

    def vendor(self, external_id: str) -> Row | None:
        """Return the vendor that has this external id, or None."""
        found = self.vendor_by_external.get(external_id)
        return None if found is None else self.vendors[found]

    def add_vendor(self, row: Row, now: datetime) -> Row:
        """Store a new vendor under the next id and return it."""
        row = {"Id": next(self.vendor_ids), **row, "LastModified": now}
        self.vendors[row["Id"]] = row
        if row.get("VendorExternalSystemID"):
            self.vendor_by_external[row["VendorExternalSystemID"]] = row["Id"]
        return row

    def invoice(self, invoice_id: int) -> Row | None:
        """Return a submitted or captured invoice, or None."""
        return self.invoices.get(invoice_id) or self.captured_invoices.get(invoice_id)

    def index_number(self, row: Row) -> None:
        """Make an invoice findable by its vendor and number, for the duplicate check."""
        self.invoice_by_number[(row["VendorId"], number_key(row["Number"]))] = row["Id"]

    def same_number(self, vendor_id: int, number: str) -> Row | None:
        """Return the invoice that has this number at this vendor and was not rejected, or None."""
        found = self.invoice_by_number.get((vendor_id, number_key(number)))
        row = None if found is None else self.invoice(found)
        return None if row is None or row["State"] == "Rejected" else row


def number_key(number: str) -> str:
    """Return an invoice number as compared for duplicates: blanks around it and case do not count."""
    return number.strip().casefold()


def money(value: Decimal) -> Decimal:
    """Return an amount with two places; a half cent goes up, away from zero."""
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
