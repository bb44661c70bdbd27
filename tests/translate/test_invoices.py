"""Invoices on their way out: whole, open, coded to the cent, or held with the reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.records import ImageNote, InvoiceItem, InvoiceLineItem
from connector.epicor.records import InvoiceDocument
from connector.translate.codebook import AccountEntry, Hold
from connector.translate.invoices import to_avidxchange
from tests.translate.examples import (
    FREIGHT,
    POSITIVE,
    SOME_CENTS,
    STEEL,
    TAX,
    charge,
    charge_expense,
    codebook,
    document,
    expense,
    good,
    header,
    held,
    line,
    property_test,
    rules,
    shown,
    stored,
)

D = Decimal


def translate(found: InvoiceDocument, **options: Any) -> InvoiceItem | Hold:
    given_options: dict[str, Any] = {
        "external_id": "EPIC06|104|INV-77|1", "image": None, "codebook": codebook(), "rules": rules()
    }  # fmt: skip
    return to_avidxchange(found, **{**given_options, **options})


def test_a_whole_invoice_goes_out_with_everything_it_says() -> None:
    image = ImageNote(file_name="INV-77.pdf", content_hash="sha256:00")
    found = document(
        "1250.00",
        ref_po_num=4500123,
        description=" Spring order ",
        doc_discount_amt=D("25.00"),
        discount_date="2026-11-12T00:00:00",
        lines=[
            line(1, D("1250.00"), vendor_qty=D(5), doc_unit_cost=D(250), po_num=4500123, po_line=3, pack_slip="PS-1")
        ],
    )

    assert good(translate(found, image=image)) == InvoiceItem(
        external_id="EPIC06|104|INV-77|1",
        document_type="Invoice",
        vendor_external_system_id="EPIC06|104|MAIN",
        number="INV-77",
        invoice_date=date(2026, 11, 2),
        invoice_due_date=date(2026, 12, 2),
        gross_amount=D("1250.00"),
        currency="USD",
        discount_amount=D("25.00"),
        discount_date=date(2026, 11, 12),
        po_number="4500123",
        term_type_name="Net 30",
        memo="Spring order",
        lines=(
            InvoiceLineItem(
                line_number=1,
                amount=D("1250.00"),
                gl_account="01-20-6100",
                description="Line 1",
                quantity=D(5),
                unit_price=D(250),
                po_line_number=3,
                receipt_number="PS-1",
            ),
        ),
        image=image,
    )


SHAPES = st.lists(
    st.lists(st.tuples(SOME_CENTS, st.sampled_from([FREIGHT, STEEL])), min_size=1, max_size=4), min_size=1, max_size=6
)


@property_test
@given(SHAPES, st.lists(SOME_CENTS, max_size=3), st.sampled_from([D(0), D("7.35"), D("-0.01")]))
def test_every_cent_is_kept_whatever_the_split(
    shape: list[list[tuple[Decimal, str]]], charges: list[Decimal], tax: Decimal
) -> None:
    lines = [line(number, sum((part for part, _ in parts), D(0))) for number, parts in enumerate(shape, start=1)]
    gross = sum((row.doc_ext_cost for row in lines), D(0)) + sum(charges, D(0)) + tax
    found = InvoiceDocument(
        header=[header(gross, doc_tax_amt=tax)],
        lines=lines[::-1],
        expenses=[
            expense(number, seq, part, account)
            for number, parts in enumerate(shape, start=1)
            for seq, (part, account) in enumerate(parts, start=1)
        ],
        charges=[charge(number, value) for number, value in enumerate(charges, start=1)],
        charge_expenses=[charge_expense(number, value, STEEL) for number, value in enumerate(charges, start=1)],
    )
    result = translate(found, rules=rules(tax_gl_account=TAX))
    if not gross:
        assert held(result).code == "nothing_to_pay"
        return
    item = good(result)

    assert sum(row.amount for row in item.lines) == item.gross_amount == gross
    assert item.document_type == ("CreditMemo" if gross < 0 else "Invoice")
    assert [row.line_number for row in item.lines] == list(range(1, len(item.lines) + 1))
    written = [(part, shown(account)) for parts in shape for part, account in parts]
    written += [(value, shown(STEEL)) for value in charges] + ([(tax, shown(TAX))] if tax else [])
    assert [(row.amount, row.gl_account) for row in item.lines] == written


@property_test
@given(st.lists(POSITIVE, min_size=1, max_size=5), SOME_CENTS)
def test_an_invoice_that_is_not_its_lines_is_held_with_both_amounts(amounts: list[Decimal], off: Decimal) -> None:
    right = sum(amounts, D(0))
    gross = right + off
    found = document(*map(str, amounts), header=[header(gross)])
    hold = held(translate(found, rules=rules(tax_gl_account=TAX)))
    if not gross:
        assert hold.code == "nothing_to_pay"
    else:
        assert hold.code == "lines_do_not_sum"
        assert f"sum to {right:.2f}, the invoice is {gross:.2f}" in hold.message


def test_the_stored_account_is_preferred_to_the_read_one() -> None:
    found = document("5.00", expense_accounts=[stored(1, 1, STEEL), stored(1, 1, "  "), stored(1, 2, TAX)])
    assert good(translate(found)).lines[0].gl_account == shown(STEEL)


def test_the_read_account_counts_where_none_is_stored() -> None:
    found = document("5.00", expense_accounts=[stored(1, 1, "||"), stored(1, 1, "")])
    assert good(translate(found)).lines[0].gl_account == shown(FREIGHT)


def test_several_stored_accounts_are_settled_or_held_never_picked() -> None:
    both = [stored(1, 1, STEEL), stored(1, 1, FREIGHT)]
    assert good(translate(document("5.00", expense_accounts=both))).lines[0].gl_account == shown(FREIGHT)

    unread = [expense(1, 1, D("5.00"), "")]
    hold = held(translate(document("5.00", expense_accounts=both, expenses=unread)))
    assert hold.code == "gl_account_ambiguous"
    assert STEEL in hold.message
    assert FREIGHT in hold.message

    one_mapped = [stored(1, 1, STEEL), stored(1, 1, "9|9|9")]
    item = good(translate(document("5.00", expense_accounts=one_mapped, expenses=unread)))
    assert item.lines[0].gl_account == shown(STEEL)


def test_an_account_of_another_chart_says_nothing() -> None:
    found = document(
        "5.00",
        expenses=[expense(1, 1, D("5.00"), STEEL, coa_code="MAIN")],
        expense_accounts=[stored(1, 1, FREIGHT, coa_code="TAXBOOK")],
    )
    assert good(translate(found)).lines[0].gl_account == shown(STEEL)


def test_empty_trailing_segments_do_not_hide_an_account() -> None:
    found = document("5.00", expenses=[expense(1, 1, D("5.00"), FREIGHT + "||")])
    assert good(translate(found)).lines[0].gl_account == shown(FREIGHT)


def test_an_account_that_is_not_mapped_is_named() -> None:
    hold = held(translate(document("5.00", expenses=[expense(1, 1, D("5.00"), "7000|10|02")])))
    assert (hold.code, hold.field) == ("gl_account_not_mapped", "GLAccount")
    assert "7000|10|02" in hold.message

    blank = codebook(accounts={FREIGHT: AccountEntry("MAIN", FREIGHT, "")})
    assert held(translate(document("5.00"), codebook=blank)).code == "gl_account_not_mapped"


@pytest.mark.parametrize("expenses", [[], [expense(1, 1, D("5.00"), "")], [expense(1, 1, D("5.00"), "||")]])
def test_a_line_without_an_account_is_held(expenses: list[Any]) -> None:
    assert held(translate(document("5.00", expenses=expenses))).code == "line_without_account"


def test_a_receipt_line_without_distribution_takes_the_tenants_account_if_there_is_one() -> None:
    found = document("5.00", expenses=[], lines=[line(1, D("5.00"), line_type="R")])
    assert held(translate(found)).code == "line_without_account"
    assert good(translate(found, rules=rules(receipt_gl_account=STEEL))).lines[0].gl_account == shown(STEEL)


def test_distributions_that_miss_their_line_by_a_cent_are_held() -> None:
    hold = held(translate(document("5.00", expenses=[expense(1, 1, D("2.00")), expense(1, 2, D("2.99"))])))
    assert hold.code == "split_does_not_sum"
    assert "Line 1 amounts to 5.00, its GL distributions to 4.99." in hold.message


def test_distributions_of_nothing_need_no_account_and_are_left_out() -> None:
    found = document(
        "5.00", "0.00", expenses=[expense(1, 1, D("0.00"), ""), expense(1, 2, D("5.00"))], lines=[
            line(1, D("5.00")), line(2, D("0.00"))
        ],
    )  # fmt: skip
    assert [(row.line_number, row.amount) for row in good(translate(found)).lines] == [(1, D("5.00"))]


def test_a_split_line_has_no_quantity() -> None:
    found = document("5.00", expenses=[expense(1, 1, D("2.00")), expense(1, 2, D("3.00"), STEEL)])
    assert [(row.quantity, row.unit_price) for row in good(translate(found)).lines] == [(None, None)] * 2


@pytest.mark.parametrize(
    ("quantity", "price", "sent"),
    [
        ("3", "3.333333", True),
        ("4", "2.50", True),
        ("100", "10.00", False),
        ("0", "10.00", False),
        ("3", "3.33", False),
    ],
)
def test_quantity_and_price_go_only_if_they_make_the_amount(quantity: str, price: str, sent: bool) -> None:
    found = document("10.00", lines=[line(1, D("10.00"), vendor_qty=D(quantity), doc_unit_cost=D(price))])
    row = good(translate(found)).lines[0]
    assert (row.quantity, row.unit_price) == ((D(quantity), D(price)) if sent else (None, None))


def test_a_debit_memo_is_a_credit_memo_with_negative_amounts() -> None:
    item = good(translate(document("-5.00", "-2.50")))
    assert (item.document_type, item.gross_amount) == ("CreditMemo", D("-7.50"))
    assert [row.amount for row in item.lines] == [D("-5.00"), D("-2.50")]


def test_tax_that_no_line_carries_needs_an_account() -> None:
    found = document("100.00", header=[header(D("107.35"), doc_tax_amt=D("7.35"))])
    hold = held(translate(found))
    assert hold.code == "tax_without_account"
    assert "7.35" in hold.message

    item = good(translate(found, rules=rules(tax_gl_account=TAX)))
    assert item.lines[1] == InvoiceLineItem(line_number=2, amount=D("7.35"), gl_account=shown(TAX), description="Tax")


def test_tax_inside_the_lines_adds_no_line() -> None:
    assert len(good(translate(document("107.35", doc_tax_amt=D("7.35")))).lines) == 1


def test_charges_without_an_account_or_with_a_wrong_sum_are_held() -> None:
    def charged(*rows: Any) -> InvoiceDocument:
        return document("5.00", header=[header(D("8.00"))], charges=[charge(1, D("3.00"))], charge_expenses=list(rows))

    assert held(translate(charged())).code == "line_without_account"
    assert held(translate(charged(charge_expense(1, D("3.00"), "")))).code == "line_without_account"
    assert held(translate(charged(charge_expense(1, D("2.00"))))).code == "split_does_not_sum"
    assert good(translate(charged(charge_expense(1, D("3.00"), TAX)))).lines[1] == InvoiceLineItem(
        line_number=2, amount=D("3.00"), gl_account=shown(TAX), description="Freight"
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"posted": False}, "not_posted"),
        ({"open_payable": False}, "closed"),
        ({"invoice_held": True}, "on_hold"),
        ({"pay_hold": True}, "on_hold"),
        ({"doc_unposted_bal": D("4.99")}, "partly_paid"),
        ({"doc_unposted_bal": D(0), "doc_invoice_bal": D("5.00")}, "partly_paid"),
        ({"currency_code": "CAD"}, "currency_not_payable"),
        ({"debit_memo": True}, "sign_contradicts_type"),
        ({"vendor_num": 999}, "vendor_not_mapped"),
        ({"company": "EPIC07"}, "other_company"),
        ({"invoice_date": None}, "missing"),
        ({"invoice_date": "yesterday"}, "bad_date"),
        ({"invoice_num": "X" * 51}, "too_long"),
        ({"terms_code": "NEW"}, "terms_not_known"),
    ],
)
def test_what_holds_an_invoice(changes: dict[str, Any], code: str) -> None:
    assert held(translate(document("5.00", **changes))).code == code


@pytest.mark.parametrize("amount", ["5.001", "0.0000001"])
def test_a_part_of_a_cent_is_held_never_rounded(amount: str) -> None:
    assert held(translate(document(amount))).code == "amount_not_in_cents"
    found = document("5.00", header=[header(D("5.00"))], lines=[line(1, D(amount))])
    assert held(translate(found)).code == "amount_not_in_cents"


def test_an_answer_without_one_header_is_held() -> None:
    assert held(translate(InvoiceDocument(header=[]))).code == "document_incomplete"


def test_numbers_keep_their_odd_characters_and_their_limit() -> None:
    number = "A/B'C#1 2" + "x" * 41
    assert good(translate(document("5.00", invoice_num=number))).number == number


@pytest.mark.parametrize(
    ("header_po", "line_pos", "sent"),
    [
        (7, (7, 8), "7"),
        (0, (8, 8), "8"),
        (None, (8, None), "8"),
        (0, (8, 9), ""),
        (None, (0, None), ""),
        (-1, (0, 0), ""),
    ],
)
def test_a_po_is_named_only_by_a_number_that_is_not_in_doubt(
    header_po: int | None, line_pos: tuple[int | None, int | None], sent: str
) -> None:
    lines = [
        line(number, D(1), po_num=po, po_line=number, pack_slip=f"S{number}") for number, po in enumerate(line_pos, 1)
    ]
    item = good(translate(document("1.00", "1.00", ref_po_num=header_po, lines=lines)))
    assert item.po_number == sent
    for row, po in zip(item.lines, line_pos, strict=True):
        ours = bool(sent) and str(po) == sent
        assert (row.po_line_number, row.receipt_number) == (
            (row.line_number, f"S{row.line_number}") if ours else (None, "")
        )


@pytest.mark.parametrize(
    ("amount", "day", "sent"),
    [("1.00", "2026-11-12T00:00:00", True), ("0", "2026-11-12T00:00:00", False), ("1.00", None, False)],
)
def test_a_discount_is_offered_with_its_last_day_or_not_at_all(amount: str, day: str | None, sent: bool) -> None:
    item = good(translate(document("50.00", doc_discount_amt=D(amount), discount_date=day)))
    assert (item.discount_amount, item.discount_date) == ((D("1.00"), date(2026, 11, 12)) if sent else (None, None))


def test_a_payable_currency_goes_out_by_its_code_and_none_is_the_base_currency() -> None:
    both = rules(currencies=frozenset({"USD", "CAD"}))
    assert good(translate(document("5.00", currency_code="cad"), rules=both)).currency == "CAD"
    assert good(translate(document("5.00", currency_code=None))).currency == "USD"
