"""Rows are found by key range, never by a scan that a range would spare, and always the same rows as a scan finds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sandbox.epicor.errors import Refused
from connector.sandbox.epicor.filters import Filter
from connector.sandbox.epicor.sets import Query, _candidates
from connector.sandbox.epicor.store import Database, Table
from connector.sandbox.seed import TEMPLATES, Company, Row
from connector.sandbox.seed.columns import KINDS

KINDS_OF_INVOICES = KINDS["APInvHed"]
_NUMBERS = ("a", "A2", "b", "O'B", "z/1")
keys = st.tuples(st.integers(1, 6), st.sampled_from(_NUMBERS))
comparisons = st.one_of(
    st.builds("VendorNum {} {}".format, st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"]), st.integers(0, 7)),
    st.builds("SysRevID {} {}".format, st.sampled_from(["gt", "le"]), st.integers(0, 12)),
    st.builds("InvoiceNum {} '{}'".format, st.sampled_from(["eq", "gt"]), st.sampled_from(["A", "b", "O''B"])),
)
clauses = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("({}) or ({})".format, inner, inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=5,
)


def _table(numbers: list[tuple[int, str]]) -> Table:
    rows = [
        {**TEMPLATES["APInvHed"], "VendorNum": vendor, "InvoiceNum": number, "SysRevID": place}
        for place, (vendor, number) in enumerate(numbers)
    ]
    return Table("APInvHed", rows)


@given(st.lists(keys, unique=True), clauses, st.sampled_from(["", "VendorNum", "VendorNum,InvoiceNum", "SysRevID"]))
def test_a_range_finds_what_a_scan_finds(numbers: list[tuple[int, str]], clause: str, order: str) -> None:
    table = _table(numbers)
    chosen = Filter(clause, kinds=KINDS_OF_INVOICES, type_name="Erp.APInvoice")
    query = Query.read(f"$orderby={order}")
    _, rows = _candidates(table, chosen, query.order)
    found = [(row["VendorNum"], row["InvoiceNum"]) for row in rows if chosen.matches(row)]
    scanned = [row for row in table.all() if chosen.matches(row)]
    if order == "SysRevID":
        scanned.sort(key=lambda row: row["SysRevID"])
    assert found == [(row["VendorNum"], row["InvoiceNum"]) for row in scanned]


def test_a_keyset_page_touches_only_the_rows_of_its_page() -> None:
    table = _table([(vendor, "a") for vendor in range(1, 1001)])
    clause = "VendorNum gt 500 or (VendorNum eq 500 and InvoiceNum gt 'a')"
    chosen = Filter(clause, kinds=KINDS_OF_INVOICES, type_name="Erp.APInvoice")
    _, rows = _candidates(table, chosen, [("VendorNum", False), ("InvoiceNum", False)])
    assert chosen.bounds("VendorNum") == (500, None)
    assert next(iter(rows))["VendorNum"] == 500
    _, rows = _candidates(
        table, Filter("SysRevID gt 990", kinds=KINDS_OF_INVOICES, type_name=""), [("SysRevID", False)]
    )
    assert [row["SysRevID"] for row in rows] == list(range(990, 1000))


@pytest.fixture
def database() -> Database:
    """An empty company."""
    versions = iter(range(1, 100))
    return Database(Company(code="EPIC06", name="Empty"), next_revision=lambda: next(versions))


WHO: dict[str, Any] = {"today": "2026-11-23T00:00:00", "user": "tester"}


def _row(number: str) -> Row:
    return {**TEMPLATES["APInvHed"], "VendorNum": 1, "InvoiceNum": number}


def test_keys_are_one_without_regard_to_case(database: Database) -> None:
    stored = database.insert("APInvHed", _row("Inv-1"), **WHO)
    assert database["APInvHed"].get(1, "INV-1") is stored
    with pytest.raises(Refused, match="A duplicate row already exists in APInvHed: 1, inv-1"):
        database.insert("APInvHed", _row("inv-1"), **WHO)


def test_a_rolled_back_call_leaves_no_trace(database: Database) -> None:
    kept = database.insert("APInvHed", _row("kept"), **WHO)
    gone = database.insert("APInvHed", _row("gone"), **WHO)
    before = [dict(row) for row in database["APInvHed"].all()]
    database.begin()
    database.change("APInvHed", kept, {"Description": "changed"}, **WHO)
    database.remove("APInvHed", gone)
    database.insert("APInvHed", _row("new"), **WHO)
    database.roll_back()
    assert list(database["APInvHed"].all()) == before
