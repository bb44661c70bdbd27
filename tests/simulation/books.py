"""What both far systems hold for one tenant, read straight from their tables, and what we have told people about it.

Nothing here uses the product's clients, translation or reconciliation: the judge shares nothing with the judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from connector.sandbox.server import Sandbox
from syncjobs.models import Problem
from syncjobs.states import ProblemState
from tenants.models import Tenant

Row = dict[str, Any]
#: A problem as (subject kind, subject key, code).
Told = tuple[str, str, str]

IDENTITY = "AvidXchange payment "
#: What a calm world tells people of: an invoice with a payment on it, one on an inactive account, a vendor unknown.
CALM: dict[str, frozenset[Told]] = {
    "EPIC06": frozenset(
        {
            ("invoice", "EPIC06|119|O'B-8", "partly_paid"),
            ("invoice", "EPIC06|112|INV-10022", "gl_account_inactive"),
            ("invoice", "EPIC06|AvidXchange 880013", "vendor_not_mapped"),
        }
    )
}


@dataclass
class Books:
    """One tenant's company on both sides. ``told`` are problems that are open, or that a person has closed."""

    tenant: Tenant
    company: str
    epicor: dict[str, list[Row]]
    files: dict[int, tuple[str, str, bytes]]
    vendors: list[Row]
    gl_accounts: dict[str, Row]
    purchase_orders: dict[str, Row]
    receipts: list[Row]
    invoices: list[Row]
    captured_batches: list[Row]
    captured: dict[int, Row]
    payments: dict[int, Row]
    #: The far systems' day, as text.
    today: str
    open: set[Told] = field(default_factory=set)
    told: set[Told] = field(default_factory=set)
    #: What people over there have done on purpose: problems that it explains, by (kind, key or "*", code).
    excuses: set[Told] = field(default_factory=set)
    excused_invoices: set[str] = field(default_factory=set)
    excused_accounts: set[str] = field(default_factory=set)

    def is_told(self, kind: str, key: str) -> bool:
        """Whether a person knows that something is the matter with a subject."""
        return any((one[0], one[1]) == (kind, key) for one in self.told)

    def captured_told(self, row: Row, there: list[Row]) -> bool:
        """Whether a person knows of a captured invoice, by AvidXchange's id or by Epicor's key."""
        keys = {f"{self.company}|AvidXchange {row['Id']}"}
        keys |= {f"{self.company}|{one['VendorNum']}|{one['InvoiceNum']}" for one in there}
        if "Number" in row:
            keys |= {one[1] for one in self.told if one[0] == "invoice" and one[1].endswith(f"|{row['Number']}")}
        return any(self.is_told("invoice", key) for key in keys)

    def explained(self, kind: str, key: str, code: str) -> bool:
        """Whether the rows that every world begins with, or somebody over there, give reason for a problem."""
        known = CALM.get(self.company, frozenset()) | self.excuses
        return bool({(kind, key, code), (kind, "*", code)} & known) or self._rejected(kind, key, code)

    def _rejected(self, kind: str, key: str, code: str) -> bool:
        there = {row["ExternalId"].rsplit("|", 1)[0]: row["State"] for row in self.invoices}
        return (kind, code) == ("invoice", "rejected_in_approval") and there.get(key) == "Rejected"

    def vendor_records(self, vendor_num: int) -> list[Row]:
        """Return AvidXchange's records of one Epicor vendor, whichever remit-to they were made with."""
        return [row for row in self.vendors if _of(row["VendorExternalSystemID"], self.company, vendor_num)]

    def submitted(self, vendor_num: int, number: str) -> list[Row]:
        """Return AvidXchange's copies of one Epicor invoice."""
        mine = {row["Id"] for row in self.vendor_records(vendor_num)}
        wanted = number.strip().casefold()
        return [
            row
            for row in self.invoices
            if row["Number"].strip().casefold() == wanted
            and (row["VendorId"] in mine or _of(row["ExternalId"], self.company, vendor_num))
        ]

    def under(self, table: str, **key: Any) -> list[Row]:
        """Return the rows of an Epicor table that have these values."""
        return [row for row in self.epicor[table] if all(row[name] == value for name, value in key.items())]

    def first_pdf(self, vendor_num: int, number: str) -> str:
        """Return the hash of the image an invoice is to have over there, "" for none: the first PDF, by content."""
        rows = self.under("APInvHedAttch", VendorNum=vendor_num, InvoiceNum=number)
        rows.sort(key=lambda row: (not row["FileName"].lower().endswith(".pdf"), row["DrawingSeq"]))
        contents = (self.files[row["XFileRefNum"]][2] for row in rows)
        found = next((content for content in contents if content.startswith(b"%PDF-")), None)
        return "" if found is None else f"sha256:{sha256(found).hexdigest()}"


def _of(external_id: str | None, company: str, vendor_num: int) -> bool:
    return str(external_id or "").startswith(f"{company}|{vendor_num}|")


def read(sandbox: Sandbox, tenant: Tenant) -> Books:
    """Read both sides of one tenant, after letting everything happen over there that is due."""
    sandbox.avidxchange.tick()
    company = tenant.epicor_connection.company
    database, customer = sandbox.epicor.companies[company], sandbox.avidxchange.customers[company]
    books = Books(
        tenant=tenant,
        company=company,
        epicor={name: list(table.all()) for name, table in database.tables.items()},
        files=database.files,
        vendors=list(customer.vendors.values()),
        gl_accounts=customer.gl_accounts,
        purchase_orders=customer.purchase_orders,
        receipts=list(customer.receipts.values()),
        invoices=list(customer.invoices.values()),
        captured_batches=list(customer.captured_batches.values()),
        captured=customer.captured_invoices,
        payments=customer.payments,
        today=sandbox.epicor.today.isoformat(),
    )
    for row in Problem.objects.filter(tenant=tenant).values(
        "subject_kind", "subject_key", "code", "state", "resolved_by"
    ):
        told = (row["subject_kind"], row["subject_key"], row["code"])
        if row["state"] == ProblemState.OPEN:
            books.open.add(told)
        if row["state"] != ProblemState.RESOLVED or row["resolved_by"] != "ml-connector":
            books.told.add(told)
    return books


def everything(sandbox: Sandbox, company: str) -> str:
    """Return one company's whole books on both sides as text, to see whether anything of it has changed."""
    sandbox.avidxchange.tick()
    tables = sandbox.epicor.companies[company].tables
    customer = sandbox.avidxchange.customers[company]
    there = {name: value for name, value in vars(customer).items() if isinstance(value, dict | list)}
    return repr([list(table.all()) for table in tables.values()]) + repr(there)
