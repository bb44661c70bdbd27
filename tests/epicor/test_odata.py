"""OData text: what goes out is what a strict server reads back, whatever the values are."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.epicor import odata


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("O'Brien & Söhne", "'O''Brien & Söhne'"),
        ("", "''"),
        (104, "104"),
        (True, "true"),
        (False, "false"),
        (Decimal("1E+2"), "100"),
        (Decimal("697.940"), "697.940"),
        (date(2026, 11, 2), "2026-11-02T00:00:00Z"),
        (datetime(2026, 11, 2, 23, 30, tzinfo=timezone(timedelta(hours=-5))), "2026-11-03T04:30:00Z"),
        (datetime(2026, 11, 2, 4, 30, 0, 999_000, tzinfo=UTC), "2026-11-02T04:30:00Z"),
    ],
)
def test_literals(value: odata.Literal, written: str) -> None:
    assert odata.literal(value) == written


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        odata.literal(datetime(2026, 11, 2))  # noqa: DTZ001  (the point)


def test_clauses_are_joined_with_their_parentheses() -> None:
    either = odata.or_(odata.eq("A", 1), odata.eq("A", 2))
    assert odata.and_(either, "", odata.ge("D", date(2026, 1, 2))) == "(A eq 1 or A eq 2) and D ge 2026-01-02T00:00:00Z"
    assert odata.and_() == odata.or_("", "") == ""
    assert odata.and_("", "B eq 1") == "B eq 1"
    assert odata.le("N", 5) == "N le 5"


def test_keyset_clauses() -> None:
    assert odata.keyset_clause(["N"], [104]) == "N gt 104"
    assert odata.keyset_clause(["N", "T"], [104, "a'b"]) == "N gt 104 or (N eq 104 and T gt 'a''b')"
    assert odata.keyset_clause(["N", "V"], [7, False]) == "N gt 7 or (N eq 7 and V eq true)"
    assert odata.keyset_clause(["N", "V"], [7, True]) == "N gt 7"
    with pytest.raises(ValueError, match="as many values"):
        odata.keyset_clause(["N", "T"], [1])


def test_urls_name_the_company_and_use_percent_20() -> None:
    url = odata.build_url(
        "https://h/i",
        "EPIC06",
        "Erp.BO.VendorSvc",
        "Vendors",
        {"$filter": "Name eq 'A+B #1/%'", "$orderby": "VendorNum"},
    )
    assert url == (
        "https://h/i/api/v2/odata/EPIC06/Erp.BO.VendorSvc/Vendors"
        "?$filter=Name%20eq%20'A%2BB%20%231%2F%25'&$orderby=VendorNum"
    )
    assert odata.build_url("https://h/i", "C", "S", "M") == "https://h/i/api/v2/odata/C/S/M"


def test_a_url_without_a_company_is_never_built() -> None:
    with pytest.raises(ValueError, match="company"):
        odata.build_url("https://h/i", "", "Erp.BO.VendorSvc", "Vendors")


@given(st.text())
def test_quoting_round_trips_through_a_url(text: str) -> None:
    """A strict server decodes %-escapes, takes + as a plus, strips the quotes and halves the doubled ones."""
    if any("\ud800" <= char <= "\udfff" for char in text):
        return
    url = odata.build_url("https://h/i", "C", "S", "E", {"$filter": odata.eq("Name", text)})
    query = urlsplit(url).query
    assert "+" not in query
    assert "&" not in query
    written = unquote(query.removeprefix("$filter="))
    literal = written.removeprefix("Name eq ")
    assert literal[0] == literal[-1] == "'"
    assert literal[1:-1].replace("''", "").count("'") == 0
    assert literal[1:-1].replace("''", "'") == text
    assert dict(parse_qsl(query, keep_blank_values=True))["$filter"] == written


@given(st.lists(st.integers(1, 10**9), max_size=300), st.integers(60, 1900))
def test_chunks_name_every_value_once_and_fit(values: list[int], room: int) -> None:
    clauses = list(odata.any_of("PONum", values, room=room))
    named = [int(part.removeprefix("PONum eq ")) for clause in clauses for part in clause.split(" or ")]
    assert named == list(dict.fromkeys(values))
    assert all(len(clause.replace(" ", "%20")) <= room for clause in clauses)
