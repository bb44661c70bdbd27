"""What happens to decisions, captured invoices and payments at AvidXchange while we work."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from connector.stages import Stage
from tests.simulation.places import Place, Row, during


@during(Stage.APPROVALS_IN)
def _decided(place: Place) -> str:
    rows = list(place.customer.invoices.values())
    if not rows:
        return ""
    row = place.random.choice(rows)
    state = place.random.choice(["Approved", "Rejected", "Pending"])
    if row["Paid"] and state == "Rejected":
        return ""
    place.over_there("invoices", {"Id": row["Id"]}, set={"State": state})
    return f"{row['ExternalId']} {state}"


# --- captured invoices ------------------------------------------------------------------------------------------------


@during(Stage.INVOICES_IN)
def _batch_closed(place: Place) -> str:
    """A new batch of one or two invoices, or one more invoice in a batch that is closed again."""
    model = _captured(place, lambda row: not row["OnHold"] and not row["PONumber"] and row["GrossAmount"] > 0)
    if model is None:
        return ""
    added = {name: model[name] for name in ("VendorId", "GrossAmount", "Lines", "Currency")}
    added |= {"Number": place.fresh("C-3"), "InvoiceDate": model["InvoiceDate"]}
    place.over_there("captured_batches", {"BatchGUID": model["BatchGUID"]}, reclose={"add": [added]})
    return str(added["Number"])


@during(Stage.INVOICES_IN)
def _captured_changed(place: Place) -> str:
    row = _captured(place, lambda row: not row["OnHold"] and not row["PONumber"])
    if row is None:
        return ""
    more = Decimal("1.10") if row["GrossAmount"] > 0 else Decimal("-1.10")
    first, *rest = row["Lines"]
    lines = [{**first, "Amount": first["Amount"] + more, "UnitPrice": abs(first["Amount"] + more)}, *rest]
    change = {"Id": row["Id"], "set": {"GrossAmount": row["GrossAmount"] + more, "Lines": lines}}
    place.over_there("captured_batches", {"BatchGUID": row["BatchGUID"]}, reclose={"change": [change]})
    _for_a_person(place, row, "changed_after_posting")
    return str(row["Number"])


@during(Stage.INVOICES_IN)
def _captured_removed(place: Place) -> str:
    row = _captured(place, lambda row: not row["OnHold"] and not row["Paid"])
    if row is None:
        return ""
    place.over_there("captured_batches", {"BatchGUID": row["BatchGUID"]}, reclose={"remove": [row["Id"]]})
    _for_a_person(place, row, "removed_after_posting")
    return str(row["Number"])


@during(Stage.INVOICES_IN)
def _closed_again(place: Place) -> str:
    """Closed again with nothing changed."""
    row = _captured(place, lambda row: True)
    if row is None:
        return ""
    place.over_there("captured_batches", {"BatchGUID": row["BatchGUID"]}, reclose={})
    return str(row["BatchGUID"])[:8]


def _captured(place: Place, where: Callable[[Row], Any]) -> Row | None:
    kept = {number for batch in place.customer.captured_batches.values() for number in batch["InvoiceIds"]}
    rows = [row for number, row in place.customer.captured_invoices.items() if number in kept and where(row)]
    return place.random.choice(rows) if rows else None


def _for_a_person(place: Place, row: Row, code: str) -> None:
    for header in place.database["APInvHed"].all():
        if header["InvoiceNum"] == row["Number"]:
            place.excuse("invoice", f"{place.company}|{header['VendorNum']}|{header['InvoiceNum']}", code)
    place.excuse("invoice", "*", code)


# --- payments ---------------------------------------------------------------------------------------------------------


@during(Stage.PAYMENTS_IN)
def _payment_story(place: Place) -> str:
    row = _payment(place, lambda row: row["Status"] == "Cleared")
    if row is None:
        return ""
    story = place.random.choice(["refunded", "reissued", "reissued_unlinked"])
    if story != "refunded" and row["Method"] != "AvidPay Check":
        story = "refunded"
    place.over_there("payments", {"PaymentId": row["PaymentId"]}, story=story)
    _review(place, row)
    return f"{row['PaymentId']} {story}"


@during(Stage.PAYMENTS_IN)
def _payment_status(place: Place) -> str:
    """A status that takes back, that nobody knows, or an error; the last two pass."""
    row = _payment(place, lambda row: row["Status"] == "Cleared")
    if row is None:
        return ""
    status = place.random.choice(["Void", "Returned", "Frobnicated", "Error", "Issued to Supplier"])
    place.over_there("payments", {"PaymentId": row["PaymentId"]}, set={"Status": status})
    if status in ("Frobnicated", "Error", "Issued to Supplier"):
        key = {"PaymentId": row["PaymentId"]}
        place.lift(lambda: place.over_there("payments", key, set={"Status": "Cleared"}))
    _review(place, row)
    return f"{row['PaymentId']} {status}"


@during(Stage.PAYMENTS_IN)
def _number_changed(place: Place) -> str:
    row = _payment(place, lambda row: row["Method"] == "AvidPay Check")
    if row is None:
        return ""
    number = str(int(row["AvidPayCheckNumber"] or 1) + 500_000)
    place.over_there("payments", {"PaymentId": row["PaymentId"]}, set={"AvidPayCheckNumber": number})
    place.excuse("payment", str(row["PaymentId"]), "reference_changed")
    return f"{row['PaymentId']} check {number}"


def _payment(place: Place, where: Callable[[Row], Any]) -> Row | None:
    """Return a payment that nothing has happened to: one that is refunded and cleared again makes no sense."""
    seen = place.run.payments_met[place.company]
    rows = [row for number, row in place.customer.payments.items() if number not in seen and where(row)]
    if not rows:
        return None
    row = place.random.choice(rows)
    seen.add(row["PaymentId"])
    return row


def _review(place: Place, row: Row) -> None:
    """Money that came back is looked into by a person, and so is an invoice that is open again."""
    codes = ("undone_after_clearing", "reissued_without_link", "reference_changed", "went_back")
    place.excuse("payment", str(row["PaymentId"]), *codes)
    place.excuse("invoice", "*", "reopened_by_void")
