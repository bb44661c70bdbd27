"""AvidXchange's rows as our records: one function a record, all names through the profile's paths.

A row that cannot be read is put aside with its key and a plain reason, and the page goes on. A card's number is cut to
its last four digits here, so that no longer one ever exists in a record; free text of a payment is redacted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from connector.avidxchange import statuses
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import (
    CapturedBatch,
    CapturedInvoice,
    CapturedLine,
    Payment,
    Remittance,
    SubmittedInvoice,
    Vendor,
)
from connector.avidxchange.wire import Reader, Unreadable, pick, text
from connector.transport.redact import redact_text

Record = TypeVar("Record")

#: Approval words as the contract spells them (5.2); another spelling of the same word becomes this one.
_APPROVALS = {word.casefold(): word for word in ("Received", "Pending", "Approved", "Rejected")}
FULL_DETAILS = "full-details"


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read: its id if it had one, and why in plain words."""

    key: str
    reason: str


class Records(list[Record], Generic[Record]):
    """The records of one page. ``bad`` are the rows that could not be read; they must be reported, not dropped."""

    def __init__(self, records: Iterable[Record] = (), bad: Iterable[BadRow] = ()) -> None:
        super().__init__(records)
        self.bad: tuple[BadRow, ...] = tuple(bad)


Decode = Callable[[Any, Profile], Record]


def records(rows: Iterable[Any], decode: Decode[Record], profile: Profile, *, kind: str) -> Records[Record]:
    """Decode rows one by one. ``kind`` is the first part of the records' field names, to find a bad row's id."""
    good: list[Record] = []
    bad: list[BadRow] = []
    for row in rows:
        try:
            good.append(decode(row, profile))
        except Unreadable as error:
            bad.append(BadRow(_id_of(row, kind, profile), str(error)))
    return Records(good, bad)


def _id_of(row: object, kind: str, profile: Profile) -> str:
    for name in ("id", "guid", "number"):
        for path in profile.fields.get(f"{kind}.{name}", ()):
            found = text(pick(row, path))
            if found:
                return found
    return ""


def _reader(row: object, kind: str, profile: Profile) -> Reader:
    if not isinstance(row, dict):
        raise Unreadable("the row is not an object")
    return Reader(row, kind, profile.fields, profile.zone)


def vendor(row: Any, profile: Profile) -> Vendor:
    """Decode a vendor (R4). Raises ``Unreadable``. A vendor that does not say whether it is active is."""
    read = _reader(row, "vendor", profile)
    address = read.inner("address", "address")
    active = read.flag("is_active")
    return Vendor(
        id=read.required("id"),
        external_id=read.text("external_id"),
        name=read.text("name"),
        tax_id=read.text("tax_id"),
        line1=address.text("line1"),
        city=address.text("city"),
        state=address.text("state"),
        postal_code=address.text("postal_code"),
        is_active=active is not False,
        modified_at=read.moment("modified_at"),
    )


def submitted_invoice(row: Any, profile: Profile) -> SubmittedInvoice:
    """Decode an invoice we submitted (R14). Raises ``Unreadable``."""
    read = _reader(row, "invoice", profile)
    approval = read.text("approval_status")
    images = read.rows("images")
    hashes = (Reader(image, "invoice", profile.fields).text("image_hash") for image in images)
    count = read.whole("image_count")
    return SubmittedInvoice(
        id=read.required("id"),
        external_id=read.text("external_id"),
        number=read.text("number"),
        vendor_external_id=read.text("vendor_external_id"),
        gross_amount=read.amount("gross_amount"),
        approval_status=_APPROVALS.get(approval.casefold(), approval),
        reject_reason=read.text("reject_reason"),
        changed_at=read.moment("changed_at"),
        image_count=len(images) if count is None else count,
        image_hashes=tuple(item for item in hashes if item),
        paid_amount=read.number("paid_amount"),
    )


def captured_batch(row: Any, profile: Profile) -> CapturedBatch:
    """Decode a closed batch (R11). Raises ``Unreadable``; without control totals it cannot be checked, so neither can
    be left out (contract 5.3)."""
    read = _reader(row, "batch", profile)
    count, closed_at = read.whole("invoice_count"), read.moment("closed_at")
    if count is None or closed_at is None:
        raise Unreadable("InvoiceCount is missing" if count is None else "DateClosed is missing")
    links = (link for link in read.rows("links") if (text(pick(link, "Rel")) or "").casefold() == FULL_DETAILS)
    return CapturedBatch(
        guid=read.required("guid"),
        name=read.text("name"),
        invoice_count=count,
        total=read.amount("total"),
        closed_at=closed_at,
        details_href=next((text(pick(link, "Href")) or "" for link in links), ""),
    )


def captured_invoice(row: Any, profile: Profile) -> CapturedInvoice:
    """Decode a captured invoice (R12). Raises ``Unreadable``, also for one of its lines."""
    read = _reader(row, "captured", profile)
    return CapturedInvoice(
        id=read.required("id"),
        number=read.text("number"),
        invoice_date=read.day("invoice_date"),
        due_date=read.day("due_date"),
        gross_amount=read.amount("gross_amount"),
        currency=read.text("currency"),
        po_number=read.text("po_number"),
        memo=read.text("memo"),
        image_url=read.text("image_url"),
        vendor_name=read.text("vendor_name"),
        vendor_external_id=read.text("vendor_external_id"),
        term_type_name=read.text("term_type_name"),
        changed_at=read.moment("changed_at"),
        lines=tuple(_captured_line(line, place, profile) for place, line in enumerate(read.rows("lines"), start=1)),
    )


def _captured_line(row: Any, place: int, profile: Profile) -> CapturedLine:
    try:
        read = _reader(row, "line", profile)
        line_number = read.whole("line_number")
        return CapturedLine(
            line_number=place if line_number is None else line_number,
            amount=read.amount("amount"),
            gl_account=read.text("gl_account"),
            description=read.text("description"),
            quantity=read.number("quantity"),
            unit_price=read.number("unit_price"),
            po_line_number=read.whole("po_line_number"),
            receipt_number=read.text("receipt_number"),
        )
    except Unreadable as error:
        raise Unreadable(f"line {place}: {error}") from None


def payment(row: Any, profile: Profile) -> Payment:
    """Decode a payment (R19). Raises ``Unreadable``, also for one of its remittances.

    An unknown status or method is no fault: it becomes UNKNOWN with the raw text kept (contract 6.3).
    """
    read = _reader(row, "payment", profile)
    status_text, method_text = redact_text(read.text("status")), redact_text(read.text("method"))
    exceptions = (Reader(item, "exception", profile.fields).text("code") for item in read.rows("exceptions"))
    return Payment(
        id=read.required("id"),
        status=statuses.payment_status(status_text, profile.status_map),
        status_text=status_text,
        method=statuses.payment_method(method_text, profile.method_map),
        method_text=method_text,
        amount=read.amount("amount"),
        currency=read.text("currency"),
        batch_id=read.text("batch_id"),
        external_ids=tuple(found for item in read.rows("external_ids") if (found := text(item))),
        payer_check_number=read.text("payer_check_number"),
        network_check_number=read.text("network_check_number"),
        ach_trace=read.text("ach_trace"),
        card_last4=last_four(read.text("card_last4")),
        vendor_external_id=read.text("vendor_external_id"),
        paid_at=read.moment("paid_at"),
        cleared_at=read.moment("cleared_at"),
        modified_at=read.moment("modified_at"),
        voided_at=read.moment("voided_at"),
        void_reason=redact_text(read.text("void_reason")),
        refunded_amount=read.number("refunded_amount"),
        replaces_id=read.text("replaces_id"),
        replaced_by_id=read.text("replaced_by_id"),
        exception_codes=tuple(code for code in exceptions if code),
        remittances=tuple(_remittance(item, place, profile) for place, item in enumerate(read.rows("remittances"), 1)),
    )


def _remittance(row: Any, place: int, profile: Profile) -> Remittance:
    """Decode what a payment pays of one invoice. One missing amount follows from the other two: gross = net + discount
    (facts 2.3)."""
    try:
        read = _reader(row, "remittance", profile)
        gross, discount, net = read.number("gross"), read.number("discount"), read.number("net")
        if gross is None and net is None:
            raise Unreadable("neither Gross nor Net is there")
        if discount is None:
            discount = gross - net if gross is not None and net is not None else Decimal(0)
        if gross is None:
            gross = (net or Decimal(0)) + discount
        return Remittance(
            number=read.text("number"),
            external_id=read.text("external_id"),
            invoice_id=read.text("invoice_id"),
            gross=gross,
            discount=discount,
            net=gross - discount if net is None else net,
        )
    except Unreadable as error:
        raise Unreadable(f"remittance {place}: {error}") from None


def pair(row: Any, profile: Profile, *, kind: str, second: str) -> tuple[str, str]:
    """Decode an id with a name or a status (R2, R23). Raises ``Unreadable``."""
    read = _reader(row, kind, profile)
    return read.required("id"), read.text(second)


def last_four(written: str) -> str:
    """Return the last four digits of a card number or of what is left of one; "" if there are not four."""
    digits = re.sub(r"[^0-9]", "", written)
    return digits[-4:] if len(digits) >= 4 else ""
