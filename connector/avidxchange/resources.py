"""Every call of the contract's section 3 that the product makes: its row, method, default path and how sure we are.

One table, from which the default paths of a profile, the "may be missing over there" rule and the user's
documentation all come. ``Tag``: known and observed names may be called AvidXchange's; assumed ones must be labelled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Tag(StrEnum):
    """How sure the contract is of a name (avidxchange.md, table of tags)."""

    KNOWN = "known"
    OBSERVED = "observed"
    ASSUMED = "assumed"
    OURS = "ours"


@dataclass(frozen=True, slots=True)
class Resource:
    """One call. ``path`` is a template below the base address and the path prefix.

    ``may_be_missing``: the path is assumed, so 404, 405 and 501 mean that this AvidXchange does not offer it.
    """

    row: str
    method: str
    path: str
    tag: Tag
    use: str
    may_be_missing: bool = False


#: Name of a path in a profile's ``paths`` -> the call. R12, R16 and next pages are addresses the other side hands out.
RESOURCES: dict[str, Resource] = {
    "token": Resource("R1", "POST", "/authorizations", Tag.OBSERVED, "log in"),
    "accounting_systems": Resource("R2", "GET", "/accountingSystems", Tag.OBSERVED, "connection test"),
    "vendors_batches": Resource("R3", "POST", "/vendors/batches", Tag.ASSUMED, "send vendors", True),
    "vendors": Resource("R4", "GET", "/vendors", Tag.ASSUMED, "read vendors", True),
    "gl_accounts_batches": Resource("R5", "POST", "/glAccounts/batches", Tag.ASSUMED, "send GL accounts", True),
    "purchase_orders_batches": Resource(
        "R7", "POST", "/purchaseOrders/batches", Tag.ASSUMED, "send purchase orders", True
    ),
    "receipts_batches": Resource("R8", "POST", "/receipts/batches", Tag.ASSUMED, "send receipts", True),
    "invoices_batches": Resource("R9", "POST", "/invoices/batches", Tag.ASSUMED, "submit invoices", True),
    "batch": Resource("R10", "GET", "/invoices/batches/{id}", Tag.OBSERVED, "look up a batch"),
    "closed_batches": Resource(
        "R11", "GET", "/invoices/batches/closed/acctgSysId/{id}", Tag.OBSERVED, "find closed batches"
    ),
    "export_histories": Resource("R13", "POST", "/invoices/batches/exportHistories", Tag.OBSERVED, "confirm an import"),
    "invoices": Resource("R14", "GET", "/invoices", Tag.ASSUMED, "read approvals", True),
    "images": Resource("R15", "POST", "/invoices/{id}/images", Tag.ASSUMED, "upload an invoice image", True),
    "payments": Resource("R19", "GET", "/payments", Tag.OBSERVED, "read payments"),
    "bank_accounts": Resource("R23", "GET", "/bankAccounts", Tag.ASSUMED, "read bank accounts", True),
}

#: Name of a query parameter in a profile's ``params`` -> how sure the contract is, and the name on the wire.
PARAMS: dict[str, tuple[Tag, str]] = {
    "modified_from": (Tag.OBSERVED, "lastModifiedFrom"),
    "modified_to": (Tag.OBSERVED, "lastModifiedTo"),
    "closed_from": (Tag.OBSERVED, "closeDateFrom"),
    "closed_to": (Tag.OBSERVED, "closeDateTo"),
    "external_invoice_ids": (Tag.ASSUMED, "externalInvoiceIds"),
    "payment_ids": (Tag.OBSERVED, "paymentIds"),
}
