"""Contract 6.3, row by row: which word is which canonical status, and that unknown words stay unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.profile import Profile
from connector.avidxchange.records import PaymentMethod, PaymentStatus
from connector.avidxchange.statuses import heals_by_itself, key, payment_method, payment_status

ROWS = {
    PaymentStatus.AWAITING: ["Pending Approval", "Held"],
    PaymentStatus.IN_FLIGHT: [
        "Processing",
        "Debit Requested",
        "Funds Received",
        "VCC Processing",
        "Sent to Check Printer",
    ],
    PaymentStatus.ISSUED: ["Issued to Supplier", "Sent", "ACH Credit Issued"],
    PaymentStatus.CLEARED: ["Cleared"],
    PaymentStatus.ERROR: ["Error"],
    PaymentStatus.VOID: ["Void", "Voided", "VOID - stale", "Void by payer", "Stopped", "Cancelled"],
    PaymentStatus.REFUNDED: ["Refunded", "Returned"],
    PaymentStatus.REISSUED: ["Reissued"],
    PaymentStatus.UNKNOWN: ["", "Escheated", "Sent to somebody", "Avoided", "Cleared partially", "Partially Refunded"],
}
MAP = Profile().status_map


@pytest.mark.parametrize(("status", "text"), [(status, text) for status, texts in ROWS.items() for text in texts])
def test_status_row(status: PaymentStatus, text: str) -> None:
    assert payment_status(text, MAP) is status
    assert payment_status(f"  {text.upper()}  ", MAP) is status


def test_a_profile_may_say_otherwise_even_of_void() -> None:
    profile = Profile.from_overrides({"status_map": {"Void requested": "in_flight", "Escheated": "refunded"}})
    assert payment_status("void  requested", profile.status_map) is PaymentStatus.IN_FLIGHT
    assert payment_status("escheated", profile.status_map) is PaymentStatus.REFUNDED
    assert payment_status("voided", profile.status_map) is PaymentStatus.VOID


@given(st.text(max_size=40))
def test_only_words_of_the_table_and_voids_are_known(text: str) -> None:
    written = key(text)
    known = written in MAP or written.startswith("void")
    assert (payment_status(text, MAP) is not PaymentStatus.UNKNOWN) == known


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("AvidPay Check", PaymentMethod.CHECK),
        ("avidpay direct", PaymentMethod.ACH),
        ("Virtual Credit Card", PaymentMethod.CARD),
        ("e-Payment", PaymentMethod.UNKNOWN),
        ("Carrier Pigeon", PaymentMethod.UNKNOWN),
        ("", PaymentMethod.UNKNOWN),
    ],
)
def test_method_row(text: str, method: PaymentMethod) -> None:
    assert payment_method(text, Profile().method_map) is method


@pytest.mark.parametrize(
    ("codes", "heals"),
    [((), False), (("4",), True), (("4", "5", "6", "9"), True), (("4", "7"), False), (("7",), False)],
)
def test_an_error_heals_by_itself_only_if_every_reason_does(codes: tuple[str, ...], heals: bool) -> None:
    assert heals_by_itself(codes, Profile().exception_map) is heals
