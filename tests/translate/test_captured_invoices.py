"""Captured invoices on their way into Epicor: the right vendor, account and amount, or held."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.records import CapturedInvoice, CapturedLine
from connector.epicor.drafts import InvoiceDraft, InvoiceLineDraft
from connector.translate.codebook import Hold, VendorEntry
from connector.translate.invoices import to_epicor
from tests.translate.examples import (
    FREIGHT,
    SOME_CENTS,
    STEEL,
    TODAY,
    captured,
    codebook,
    good,
    held,
    property_test,
    rules,
    shown,
)

D = Decimal


def translate(invoice: CapturedInvoice, **options: Any) -> InvoiceDraft | Hold:
    given_options: dict[str, Any] = {"codebook": codebook(), "rules": rules(), "today": TODAY}
    return to_epicor(invoice, **{**given_options, **options})


def captured_line(number: int, amount: str, **changes: Any) -> CapturedLine:
    given_fields: dict[str, Any] = {"line_number": number, "amount": D(amount), "gl_account": shown(STEEL)}
    return CapturedLine(**{**given_fields, **changes})


def test_a_captured_invoice_becomes_a_whole_draft() -> None:
    invoice = captured(
        "30.00",
        "12.50",
        memo=" by mail ",
        po_number="4500123",
        currency="usd",
        term_type_name="NET 10",
        lines=(
            captured_line(20, "12.50", quantity=D(5), unit_price=D("2.50"), description=" Nuts "),
            captured_line(10, "30.00", gl_account=shown(FREIGHT), quantity=D(3), unit_price=D(9), po_line_number=1),
        ),
    )

    assert good(translate(invoice)) == InvoiceDraft(
        company="EPIC06",
        vendor_num=104,
        vendor_id="BOLTS",
        invoice_num="C-1",
        invoice_date=date(2026, 11, 2),
        due_date=date(2026, 12, 2),
        apply_date=date(2026, 11, 2),
        currency="USD",
        amount=D("42.50"),
        terms_code="N10",
        description="by mail",
        external_id="880123",
        po_num=4500123,
        debit_memo=False,
        lines=(
            InvoiceLineDraft(line_number=1, amount=D("30.00"), gl_account=FREIGHT, description="Invoice line"),
            InvoiceLineDraft(
                line_number=2,
                amount=D("12.50"),
                gl_account=STEEL,
                description="Nuts",
                quantity=D(5),
                unit_price=D("2.50"),
            ),
        ),
        external_ref_field="ExternalID",
    )


@property_test
@given(st.lists(SOME_CENTS, min_size=1, max_size=8), st.sampled_from([D(0), D("0.01"), D("-0.01")]))
def test_lines_make_the_amount_to_the_cent_or_it_is_held(amounts: list[Decimal], off: Decimal) -> None:
    gross = sum(amounts, D(0)) + off
    result = translate(captured(*map(str, amounts), gross_amount=gross))
    if not gross:
        assert held(result).code == "nothing_to_pay"
    elif off:
        assert held(result).code == "lines_do_not_sum"
    else:
        draft = good(result)
        assert draft.amount == gross == sum(line.amount for line in draft.lines)
        assert [line.amount for line in draft.lines] == amounts
        assert draft.debit_memo == (gross < 0)
        for line in draft.lines:
            assert line.unit_price is None or (line.quantity * line.unit_price).quantize(D("0.01")) == line.amount


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"vendor_external_id": ""}, "vendor_not_mapped"),
        ({"vendor_external_id": "EPIC06|999|MAIN"}, "vendor_not_mapped"),
        ({"vendor_external_id": "something"}, "vendor_not_mapped"),
        ({"vendor_external_id": "EPIC07|104|MAIN"}, "other_company"),
        ({"number": "  "}, "missing"),
        ({"number": "N" * 51}, "too_long"),
        ({"invoice_date": None}, "missing"),
        ({"id": ""}, "missing"),
        ({"currency": "EUR"}, "currency_not_payable"),
        ({"lines": ()}, "no_lines"),
        ({"lines": (captured_line(1, "5.00", gl_account="01-20-7000"),)}, "gl_account_not_mapped"),
        ({"lines": (captured_line(1, "5.00", gl_account=" "),)}, "line_without_account"),
        ({"lines": (captured_line(1, "5.001"),)}, "amount_not_in_cents"),
        ({"gross_amount": D("5.001")}, "amount_not_in_cents"),
    ],
)
def test_what_holds_a_captured_invoice(changes: dict[str, Any], code: str) -> None:
    assert held(translate(captured("5.00", **changes))).code == code


def test_another_companys_vendor_is_refused_even_if_a_mapping_has_its_id() -> None:
    entry = VendorEntry(104, "BOLTS", "EPIC07|104|MAIN", "A-1", "Bolts", "USD", "N30")
    book = codebook(vendors_by_external={"EPIC07|104|MAIN": entry})
    assert (
        held(translate(captured("5.00", vendor_external_id="EPIC07|104|MAIN"), codebook=book)).code == "other_company"
    )


def test_a_vendor_is_found_by_an_id_of_any_form_and_whatever_its_remit_to() -> None:
    entry = VendorEntry(105, "PIPES", "legacy-7", "A-1", "Pipes", "USD", "N10")
    book = codebook(vendors_by_external={"legacy-7": entry})
    assert good(translate(captured("5.00", vendor_external_id="legacy-7"), codebook=book)).vendor_id == "PIPES"
    assert good(translate(captured("5.00", vendor_external_id="EPIC06|105|9"))).vendor_id == "PIPES"
    assert good(translate(captured("5.00", vendor_external_id="epic06|104|MAIN"))).vendor_id == "BOLTS"


def test_a_negative_amount_is_a_debit_memo() -> None:
    draft = good(translate(captured("-5.00", "1.00")))
    assert (draft.debit_memo, draft.amount, [line.amount for line in draft.lines]) == (
        True,
        D("-4.00"),
        [D("-5.00"), D("1.00")],
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("Net 10", "N10"), (" net 30", "N30"), ("Net 99", "N30"), ("", "N30")],
)
def test_terms_go_back_to_a_code_or_to_the_vendors_own(name: str, code: str) -> None:
    assert good(translate(captured("5.00", term_type_name=name))).terms_code == code


def test_terms_that_several_codes_mean_are_the_first_unless_the_vendors_own_is_one() -> None:
    invoice = captured("5.00", term_type_name="Net 30", vendor_external_id="EPIC06|105|2")
    assert good(translate(invoice)).terms_code == "M30"


def test_the_apply_date_follows_the_tenants_rule() -> None:
    assert good(translate(captured("5.00"), rules=rules(apply_date_rule="today"))).apply_date == TODAY


@pytest.mark.parametrize(
    ("written", "number", "description"),
    [
        ("4500123", 4500123, "memo"),
        (" 77 ", 77, "memo"),
        ("PO-77", None, "PO PO-77; memo"),
        ("99999999999", None, "PO 99999999999; memo"),
        ("７７", None, "PO ７７; memo"),
        ("0", None, "memo"),
        ("", None, "memo"),
    ],
)
def test_without_matching_a_po_reference_is_kept_as_number_or_as_text(
    written: str, number: int | None, description: str
) -> None:
    draft = good(translate(captured("5.00", po_number=written, memo="memo")))
    assert (draft.po_num, draft.description) == (number, description)


@pytest.mark.parametrize("mode", ["receipts_only", "allow_unreceived"])
def test_with_matching_a_po_number_must_be_one(mode: Any) -> None:
    hold = held(translate(captured("5.00", po_number="PO-77"), rules=rules(po_match_mode=mode)))
    assert (hold.code, hold.field) == ("po_number_not_numeric", "PONumber")
    assert good(translate(captured("5.00", po_number=""), rules=rules(po_match_mode=mode))).po_num is None


def test_a_line_is_written_against_its_receipt_only_where_the_tenant_asked_for_it() -> None:
    invoice = captured(
        "5.00",
        "2.00",
        po_number="77",
        lines=(
            captured_line(1, "5.00", gl_account="", po_line_number=3, receipt_number=" PS-1 "),
            captured_line(2, "2.00"),
        ),
    )
    lines = good(translate(invoice, rules=rules(po_match_mode="receipts_only"))).lines
    assert [(line.po_num, line.po_line, line.receipt_number, line.gl_account) for line in lines] == [
        (77, 3, "PS-1", ""),
        (None, None, "", STEEL),
    ]
    assert held(translate(invoice)).code == "line_without_account"


def test_a_po_line_without_receipt_waits_or_is_written_by_its_account() -> None:
    invoice = captured("5.00", po_number="77", lines=(captured_line(1, "5.00", po_line_number=3),))
    assert held(translate(invoice, rules=rules(po_match_mode="receipts_only"))).code == "receipt_missing"

    line = good(translate(invoice, rules=rules(po_match_mode="allow_unreceived"))).lines[0]
    assert (line.po_num, line.po_line, line.receipt_number, line.gl_account) == (None, None, "", STEEL)
