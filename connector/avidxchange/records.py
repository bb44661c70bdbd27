"""What is sent to and read from AvidXchange, in the names of the contract (avidxchange.md sections 2 to 6).

Sent items encode with ``encode()``: PascalCase names, money as JSON numbers taken from ``Decimal``, dates as
``YYYY-MM-DD``, absent values left out. ``content_hash()`` of an item says whether it changed since it was last sent.
Read records are what the client hands out after its tolerant decoding (contract 2.6); they hold plain values and
never more of a card than its last four digits. Names that the contract tags *assumed* are listed by ``resources`` and
``fields``. The file is long because it has one topic: the vocabulary of the wire.
"""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct, field

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="deterministic")


class Item(Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """Base of everything that is sent as one item of a batch, or inside one."""


class Address(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """A postal address; Line1, City, State and PostalCode are required over there (contract section 4)."""

    line1: str
    line2: str = ""
    line3: str = ""
    city: str
    state: str
    postal_code: str
    country_code: str = ""


class VendorItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One vendor upsert (R3). ``vendor_external_system_id`` is Company, VendorNum and remit-to joined by the separator.

    ``id`` is the AvidXchange vendor that an approved match attaches this vendor to (assumed), "" to create or update
    by external id.
    """

    vendor_external_system_id: str = field(name="VendorExternalSystemID")
    id: str = ""
    vendor_name: str
    tax_id: str = ""
    address: Address | None = None
    remit_to_address: Address | None = None
    email_address: str = ""
    phone_number: str = ""
    term_type_name: str = ""
    account_no: str = ""
    is_active: bool
    operation: str


class GLAccountItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One GL account upsert (R5); AvidXchange treats the chart as read-only."""

    account_number: str
    description: str = ""
    account_type: str = ""
    is_active: bool
    operation: str


class PurchaseOrderLineItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One line or release of a purchase order."""

    line_number: int
    release_number: int
    part_number: str = ""
    description: str = ""
    unit_of_measure: str = ""
    quantity: Decimal
    unit_price: Decimal
    amount: Decimal
    received_quantity: Decimal


class PurchaseOrderItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One purchase order upsert (R7); ``status`` is Open, Closed or Void."""

    po_number: str = field(name="PONumber")
    vendor_external_system_id: str = field(name="VendorExternalSystemID")
    order_date: date | None = None
    status: str
    total_amount: Decimal
    currency: str
    lines: tuple[PurchaseOrderLineItem, ...]
    operation: str


class ReceiptLineItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """What of one PO release came with one packing slip."""

    line_number: int
    release_number: int
    received_quantity: Decimal
    receipt_number: str
    receipt_date: date | None = None


class ReceiptItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """All receipts of one purchase order (R8), for three-way matching."""

    po_number: str = field(name="PONumber")
    vendor_external_system_id: str = field(name="VendorExternalSystemID")
    lines: tuple[ReceiptLineItem, ...]
    operation: str


class InvoiceLineItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One GL-coded line of a submitted invoice; a split Epicor line becomes several (contract 5.1)."""

    line_number: int
    amount: Decimal
    gl_account: str = field(name="GLAccount")
    description: str = ""
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    po_line_number: int | None = field(name="POLineNumber", default=None)
    receipt_number: str = ""


class ImageNote(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """Says which image will follow by R15."""

    file_name: str
    content_hash: str


class InvoiceItem(Item, frozen=True, kw_only=True, rename="pascal", omit_defaults=True):
    """One invoice submitted for approval and payment (R9). Credit memos have negative amounts (contract 5.1).

    ``external_id`` ends in the version, so that a corrected resend is a new logical write; the client wraps it as an
    identifier object. It is no part of the content hash.
    """

    external_id: str
    document_type: str
    vendor_external_system_id: str = field(name="VendorExternalSystemID")
    number: str
    invoice_date: date
    invoice_due_date: date | None = None
    gross_amount: Decimal
    currency: str
    discount_amount: Decimal | None = None
    discount_date: date | None = None
    po_number: str = field(name="PONumber", default="")
    term_type_name: str = ""
    memo: str = ""
    lines: tuple[InvoiceLineItem, ...]
    image: ImageNote | None = None


def encode(item: Item) -> bytes:
    """Return an item as the JSON that goes on the wire."""
    return _ENCODER.encode(item)


def content_hash(item: Item, *, leave_out: frozenset[str] = frozenset()) -> str:
    """Return the SHA-256 (hex) of an item's wire form, without the wire fields named in ``leave_out``."""
    if not leave_out:
        return hashlib.sha256(_ENCODER.encode(item)).hexdigest()
    plain = msgspec.to_builtins(item, builtin_types=(Decimal, date))
    return hashlib.sha256(_ENCODER.encode({k: v for k, v in plain.items() if k not in leave_out})).hexdigest()


# --- answers to writes -------------------------------------------------------------------------------------------


class BatchState(StrEnum):
    """A submitted batch's state, derived by us from its verdicts and never trusted alone (contract 5.1)."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"
    PROCESSING = "processing"


class Verdict(Struct, frozen=True, kw_only=True):
    """What AvidXchange said of one item. ``successful`` is None while it has not decided.

    ``external_id`` is the item's external id, found by echo or, if counts match, by position (contract 2.7).
    """

    external_id: str
    successful: bool | None
    avid_id: str = ""
    status: str = ""
    code: str = ""
    message: str = ""
    field: str = ""


class BatchAnswer(Struct, frozen=True, kw_only=True):
    """The answer to a batch write or a batch status read. Items without a verdict are in ``unmatched``."""

    avid_batch_id: str
    external_id: str
    status_text: str
    state: BatchState
    verdicts: tuple[Verdict, ...]
    unmatched: tuple[str, ...] = ()


# --- reads -------------------------------------------------------------------------------------------------------


class Vendor(Struct, frozen=True, kw_only=True):
    """A vendor as AvidXchange holds it (R4)."""

    id: str
    external_id: str
    name: str
    tax_id: str = ""
    line1: str = ""
    city: str = ""
    state: str = ""
    postal_code: str = ""
    is_active: bool = True
    modified_at: datetime | None = None


class SubmittedInvoice(Struct, frozen=True, kw_only=True):
    """An invoice we submitted, as AvidXchange holds it (R14)."""

    id: str
    external_id: str
    number: str
    vendor_external_id: str = ""
    gross_amount: Decimal = Decimal(0)
    approval_status: str = ""
    reject_reason: str = ""
    changed_at: datetime | None = None
    image_count: int = 0
    image_hashes: tuple[str, ...] = ()
    paid_amount: Decimal | None = None


class CapturedBatch(Struct, frozen=True, kw_only=True):
    """A closed batch of captured invoices (R11): its control totals and where its invoices are."""

    guid: str
    name: str
    invoice_count: int
    total: Decimal
    closed_at: datetime
    details_href: str


class CapturedLine(Struct, frozen=True, kw_only=True):
    """One coded line of a captured invoice; the paths to its fields are in the profile (contract 5.3)."""

    line_number: int
    amount: Decimal
    gl_account: str = ""
    description: str = ""
    quantity: Decimal | None = None
    unit_price: Decimal | None = None
    po_line_number: int | None = None
    receipt_number: str = ""


class CapturedInvoice(Struct, frozen=True, kw_only=True):
    """An approved invoice that AvidXchange captured (R12). A negative gross amount is a credit memo."""

    id: str
    number: str
    invoice_date: date | None
    due_date: date | None = None
    gross_amount: Decimal = Decimal(0)
    currency: str = ""
    po_number: str = ""
    memo: str = ""
    image_url: str = ""
    vendor_name: str = ""
    vendor_external_id: str = ""
    term_type_name: str = ""
    changed_at: datetime | None = None
    lines: tuple[CapturedLine, ...] = ()


class Remittance(Struct, frozen=True, kw_only=True):
    """What a payment pays of one invoice: gross off the balance, discount, net in cash (contract 6.2)."""

    number: str
    external_id: str = ""
    invoice_id: str = ""
    gross: Decimal = Decimal(0)
    discount: Decimal = Decimal(0)
    net: Decimal = Decimal(0)


class PaymentStatus(StrEnum):
    """Canonical payment statuses (contract 6.3)."""

    AWAITING = "awaiting"
    IN_FLIGHT = "in_flight"
    ISSUED = "issued"
    CLEARED = "cleared"
    ERROR = "error"
    VOID = "void"
    REFUNDED = "refunded"
    REISSUED = "reissued"
    UNKNOWN = "unknown"


class PaymentMethod(StrEnum):
    """Canonical payment methods; the map from wire texts is in the profile."""

    CHECK = "check"
    ACH = "ach"
    CARD = "card"
    UNKNOWN = "unknown"


class Payment(Struct, frozen=True, kw_only=True):
    """A payment as AvidXchange executed it (R19). ``card_last4`` is four digits or empty, whatever was sent."""

    id: str
    status: PaymentStatus
    status_text: str
    method: PaymentMethod
    method_text: str
    amount: Decimal
    currency: str = ""
    batch_id: str = ""
    external_ids: tuple[str, ...] = ()
    payer_check_number: str = ""
    network_check_number: str = ""
    ach_trace: str = ""
    card_last4: str = ""
    vendor_external_id: str = ""
    paid_at: datetime | None = None
    cleared_at: datetime | None = None
    modified_at: datetime | None = None
    voided_at: datetime | None = None
    void_reason: str = ""
    refunded_amount: Decimal | None = None
    replaces_id: str = ""
    replaced_by_id: str = ""
    exception_codes: tuple[str, ...] = ()
    remittances: tuple[Remittance, ...] = ()


def as_plain(record: Struct) -> dict[str, Any]:
    """Return a read record as JSON-ready values (Decimals and dates as text), for storing beside its row."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    return plain
