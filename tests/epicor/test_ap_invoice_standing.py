"""A document compared with its draft: what is recognised, what is wrong, and in which words."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.epicor import ap_invoice_entry as entry
from connector.epicor.ap_invoice_standing import accounts, differences, standing, wrong_accounts
from connector.epicor.drafts import InvoiceDraft, InvoiceLineDraft
from connector.epicor.records import (
    Invoice,
    InvoiceDocument,
    InvoiceExpense,
    InvoiceExpenseAccount,
    InvoiceLine,
)
from connector.transport.errors import Rejected
from tests.epicor.connected import connected, invoice_draft

Rows = list[tuple[str, list[str]]]


def draft_of(*lines: tuple[str, str], **more: Any) -> InvoiceDraft:
    made = tuple(
        InvoiceLineDraft(line_number=place, amount=Decimal(amount), gl_account=account, description="x")
        for place, (amount, account) in enumerate(lines, start=1)
    )
    total = sum((line.amount for line in made), Decimal(0))
    values: dict[str, Any] = {
        "company": "EPIC06",
        "vendor_num": 104,
        "vendor_id": "ACME",
        "invoice_num": "INV-1",
        "invoice_date": date(2026, 11, 2),
        "due_date": None,
        "apply_date": None,
        "currency": "USD",
        "terms_code": "",
        "description": "",
        "external_id": "880001",
        "po_num": None,
        "debit_memo": total < 0,
    }
    return InvoiceDraft(amount=total, lines=made, **(values | more))


def document_of(draft: InvoiceDraft, rows: Rows, *, slip: str = "", **header: Any) -> InvoiceDocument:
    """A document with these (amount, accounts) as its lines."""
    key = {"company": draft.company, "vendor_num": draft.vendor_num, "invoice_num": draft.invoice_num}
    total = sum((Decimal(amount) for amount, _ in rows), Decimal(0))
    values = {"doc_invoice_amt": total, "doc_invoice_vendor_amt": draft.amount, "currency_code": "USD", **header}
    return InvoiceDocument(
        header=[Invoice(**key, **values)],
        lines=[
            InvoiceLine(**key, invoice_line=place, doc_ext_cost=Decimal(amount), pack_slip=slip)
            for place, (amount, _) in enumerate(rows, start=1)
        ],
        expense_accounts=[
            InvoiceExpenseAccount(company=draft.company, invoice_line=place, gl_account=account, coa_code="MAIN")
            for place, (_, booked) in enumerate(rows, start=1)
            for account in booked
        ],
    )


def test_an_invoice_that_stands_as_drafted_differs_in_nothing() -> None:
    draft = draft_of(("10.00", "1|2|3"), ("5.50", "4|5|6"))
    document = document_of(draft, [("10", ["1|2|3"]), ("5.50", ["4|5|6|"])])
    assert standing(document, draft).lines == {1: 1, 2: 2}
    assert differences(document, draft) == []


def test_lines_in_another_order_are_the_same_lines() -> None:
    draft = draft_of(("10.00", "1"), ("10.00", "2"), ("5.00", "1"))
    document = document_of(draft, [("5.00", ["1"]), ("10.00", ["2"]), ("10.00", ["1"])])
    assert standing(document, draft).lines == {1: 3, 2: 2, 3: 1}
    assert differences(document, draft) == []


def test_a_line_whose_account_was_lost_is_recognised_and_named() -> None:
    draft = draft_of(("10.00", "1|2"), ("20.00", "3|4"))
    document = document_of(draft, [("10.00", ["9|9"])])
    assert standing(document, draft).lines == {1: 1}
    assert wrong_accounts(document, draft) == {1: 1}
    assert differences(document, draft) == [
        "line 1: account 1|2 wanted, 9|9 found",
        "line 2 (20.00) is missing",
    ]


def test_a_split_by_hand_and_a_line_without_distribution_are_wrong() -> None:
    draft = draft_of(("10.00", "1|2"), ("20.00", "3|4"))
    document = document_of(draft, [("10.00", ["1|2", "5|6"]), ("20.00", [])])
    assert differences(document, draft) == [
        "line 1: account 1|2 wanted, 1|2, 5|6 found",
        "line 2: account 3|4 wanted, none found",
    ]


def test_what_nobody_drafted_is_named() -> None:
    draft = draft_of(("10.00", "1"))
    document = document_of(draft, [("6.00", ["1"]), ("4.00", ["1"])])
    assert standing(document, draft).strange == (1, 2)
    assert differences(document, draft) == [
        "line 1 (10.00) is missing",
        "line 1 in Epicor (6.00) was not approved",
        "line 2 in Epicor (4.00) was not approved",
    ]


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"doc_invoice_amt": Decimal("10.80")}, "total of lines, charges and tax: 10.00 wanted, 10.80 found"),
        ({"doc_invoice_vendor_amt": Decimal("9.00")}, "invoice amount: 10.00 wanted, 9.00 found"),
        ({"currency_code": "EUR"}, "currency: USD wanted, EUR found"),
    ],
)
def test_a_header_that_differs_is_named(header: dict[str, Any], words: str) -> None:
    draft = draft_of(("10.00", "1"))
    assert differences(document_of(draft, [("10.00", ["1"])], **header), draft) == [words]


def test_a_line_against_a_receipt_is_known_by_what_it_bills() -> None:
    line = InvoiceLineDraft(
        line_number=1,
        amount=Decimal("30.00"),
        gl_account="1",
        description="",
        po_num=7,
        po_line=2,
        receipt_number="ps-1",
    )
    draft = msgspec.structs.replace(draft_of(("30.00", "1")), lines=(line,))
    document = document_of(draft, [("30.00", ["2010|00"])], slip="PS-1")
    billed = msgspec.structs.replace(document.lines[0], po_num=7, po_line=2)
    document = msgspec.structs.replace(document, lines=[billed])
    assert differences(document, draft) == []
    dearer = msgspec.structs.replace(document, lines=[msgspec.structs.replace(billed, doc_ext_cost=Decimal("31.5"))])
    assert differences(dearer, draft) == ["line 1: 30.00 wanted, 31.5 found"]
    # No coded line ever takes a receipt's line for its own, or its account would be overwritten.
    assert standing(document, draft_of(("30.00", "2010|00"))).lines == {}


def test_accounts_are_those_of_the_first_chart_or_of_the_plain_distributions() -> None:
    draft = draft_of(("10.00", "1"))
    document = document_of(draft, [("10.00", ["1"])])
    other = InvoiceExpenseAccount(company="EPIC06", invoice_line=1, gl_account="8", coa_code="STAT")
    both = msgspec.structs.replace(document, expense_accounts=[*document.expense_accounts, other])
    assert accounts(both, 1) == ["1"]
    plain = InvoiceExpense(
        company="EPIC06", vendor_num=1, invoice_num="X", invoice_line=1, inv_exp_seq=1, gl_account="5"
    )
    assert accounts(msgspec.structs.replace(document, expense_accounts=[], expenses=[plain]), 1) == ["5"]


amounts = st.sampled_from(["1.00", "2.00", "-1.00"])
codings = st.lists(st.tuples(amounts, st.sampled_from(["A", "B"])), min_size=1, max_size=6)


@given(lines=codings, order=st.randoms(use_true_random=False))
def test_the_same_lines_in_any_order_always_match(lines: list[tuple[str, str]], order: Any) -> None:
    draft, shuffled = draft_of(*lines), list(lines)
    order.shuffle(shuffled)
    assert differences(document_of(draft, [(amount, [account]) for amount, account in shuffled]), draft) == []


@given(lines=codings, there=codings)
def test_each_line_is_used_once_and_nothing_is_overlooked(
    lines: list[tuple[str, str]], there: list[tuple[str, str]]
) -> None:
    draft = draft_of(*lines)
    document = document_of(draft, [(amount, [account]) for amount, account in there])
    stands = standing(document, draft)
    assert len(set(stands.lines.values())) == len(stands.lines)
    assert sorted([*stands.lines.values(), *stands.strange]) == list(range(1, len(there) + 1))
    assert (differences(document, draft) == []) == (sorted(lines) == sorted(there))


def test_an_unposted_invoice_is_deleted_and_a_posted_one_stays() -> None:
    with connected() as here:
        draft = invoice_draft(here)
        entry.ensure_group(here.client, "AVX1")
        entry.create_header(here.client, "AVX1", draft)
        document = here.client.invoice(draft.vendor_num, draft.invoice_num)
        assert document is not None
        assert entry.reference(here.client, draft, document) == draft.external_id
        for column in ("InvoiceComment", "Description"):
            other = msgspec.structs.replace(draft, external_ref_field=column)
            said = {"InvoiceComment": "", "Description": draft.description}[column]
            assert entry.reference(here.client, other, document) == said
        entry.delete_unposted(here.client, draft)
        assert here.client.invoice(draft.vendor_num, draft.invoice_num) is None
        posted = next(row for row in here.rows("APInvHed") if row["Posted"])
        there = msgspec.structs.replace(draft, vendor_num=posted["VendorNum"], invoice_num=posted["InvoiceNum"])
        with pytest.raises(Rejected, match="posted"):
            entry.delete_unposted(here.client, there)
