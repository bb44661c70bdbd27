"""Tolerant of shape, strict of meaning (contract 2.6, 2.9, 2.10)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange import wire
from connector.avidxchange.wire import Unreadable


def test_numbers_are_exact_from_the_token_on() -> None:
    body = wire.decode(b'\xef\xbb\xbf{"Amount": 12345678901234.123456789, "Whole": 10, "Id": 123456789012345678901}')
    assert body == {"Amount": Decimal("12345678901234.123456789"), "Whole": 10, "Id": 123456789012345678901}


@pytest.mark.parametrize("body", [b"", b"  ", b"<html>", b'{"Items": [', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        wire.decode(body)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-(10**12), max_value=10**12))
def test_an_amount_is_the_same_as_number_and_as_text(amount: Decimal) -> None:
    assert wire.number(wire.decode(str(amount).encode())) == amount
    assert wire.number(str(amount)) == amount
    assert wire.number(f" {amount} ") == amount


@pytest.mark.parametrize(
    "value",
    ["twelve", "1,250.00", "$5", "NaN", "Infinity", "1e99", True, [1], {"a": 1}, Decimal("NaN"), Decimal("1e400")],
)
def test_what_is_no_amount_is_never_zero(value: Any) -> None:
    with pytest.raises(Unreadable):
        wire.number(value)


def test_absent_null_and_empty_are_alike() -> None:
    assert wire.number(None) is wire.number("") is None
    assert wire.text(None) is wire.text("") is wire.text("  ") is None
    assert wire.day(None) is wire.day("") is None
    assert wire.moment(None, UTC) is wire.moment("", UTC) is None


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("A-1 ", "A-1"),
        (4500123, "4500123"),
        (Decimal("10.50"), "10.50"),
        ({"Value": "X|1", "SchemeOwner": "Buyer"}, "X|1"),
        ({"value": 7}, "7"),
        (True, None),
        ({"Id": 1}, None),
        (["x"], None),
    ],
)
def test_text(value: Any, read: str | None) -> None:
    assert wire.text(value) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [(True, True), (False, False), ("true", True), ("False", False), (" TRUE ", True), (1, True), ("0", False),
     ("yes", None), (None, None), (2, None), ([], None)],
)  # fmt: skip
def test_flag(value: Any, read: bool | None) -> None:
    assert wire.flag(value) is read


def test_whole_numbers_have_no_fraction() -> None:
    assert wire.whole("3") == wire.whole(Decimal("3.00")) == 3
    with pytest.raises(Unreadable):
        wire.whole("3.5")


@pytest.mark.parametrize(
    "value", ["2026-11-02", "2026-11-02T23:59:59-12:00", "2026-11-02T00:00:00+14:00", "2026-11-02 10:00"]
)
def test_a_date_is_taken_textually_and_never_shifted(value: str) -> None:
    assert wire.day(value) == date(2026, 11, 2)


@pytest.mark.parametrize("value", ["02.11.2026", "2026-13-01", "2026-11-021", 20261102, "soon"])
def test_no_date(value: Any) -> None:
    with pytest.raises(Unreadable):
        wire.day(value)


@pytest.mark.parametrize(
    ("value", "zone", "read"),
    [
        ("2026-11-02T10:00:00Z", "UTC", datetime(2026, 11, 2, 10, tzinfo=UTC)),
        ("2026-11-02T10:00:00", "UTC", datetime(2026, 11, 2, 10, tzinfo=UTC)),
        ("2026-11-02T10:00:00", "America/New_York", datetime(2026, 11, 2, 15, tzinfo=UTC)),
        ("2026-11-02T10:00:00.1234567+02:00", "America/New_York", datetime(2026, 11, 2, 8, 0, 0, 123456, tzinfo=UTC)),
        ("2026-11-02", "UTC", datetime(2026, 11, 2, tzinfo=UTC)),
    ],
)
def test_a_naive_timestamp_is_in_the_profile_s_zone(value: str, zone: str, read: datetime) -> None:
    assert wire.moment(value, ZoneInfo(zone)) == read


@pytest.mark.parametrize("value", ["yesterday", 5, "0001-01-01T00:00:00+14:00"])
def test_no_timestamp(value: Any) -> None:
    with pytest.raises(Unreadable):
        wire.moment(value, UTC)


def test_paths_are_dotted_and_case_matters_only_between_twins() -> None:
    row = {"TermType": {"termTypeName": "Net 30"}, "id": 1, "ID": 2, "Null": None}
    assert wire.pick(row, "termtype.TermTypeName") == "Net 30"
    assert wire.pick(row, "ID") == 2
    assert wire.pick(row, "TermType.Nothing.There") is None
    assert wire.pick([row], "id") is None


def test_a_fault_names_the_place_and_not_the_value() -> None:
    reader = wire.Reader({"Amount": "4111111111111111x"}, "payment", {"payment.amount": ("Amount",)})
    with pytest.raises(Unreadable, match=r"^Amount is not a number$"):
        reader.amount("amount")
    with pytest.raises(Unreadable, match=r"^Amount is missing$"):
        wire.Reader({}, "payment", {"payment.amount": ("Amount",)}).amount("amount")
