"""Payments on their way into Epicor: every cent on a known invoice of one vendor, or held."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.records import Payment, PaymentMethod, PaymentStatus, Remittance
from connector.epicor.drafts import AllocationDraft, PaymentDraft
from connector.translate.check_numbers import as_number
from connector.translate.codebook import Hold
from connector.translate.payments import (
    InvoiceRef,
    avid_key,
    external_key,
    number_key,
    recordable,
    reverses,
    to_epicor,
    wanted,
)
from tests.translate.examples import POSITIVE, codebook, good, held, payment, property_test, remittance, rules

D = Decimal
ONE, TWO = InvoiceRef(104, "INV-1"), InvoiceRef(104, "INV-2")
KNOWN = {external_key("EPIC06|104|INV-1|1"): ONE, external_key("EPIC06|104|INV-2|1"): TWO}


def translate(found: Payment, invoices: Any = None, **changes: Any) -> PaymentDraft | Hold:
    return to_epicor(found, KNOWN if invoices is None else invoices, codebook=codebook(), rules=rules(**changes))


def test_a_check_over_two_invoices_becomes_a_whole_draft() -> None:
    found = payment(remittance("INV-1", "100.00"), remittance("INV-2", "-20.00"), remittance("INV-1", "0.50"))

    assert good(translate(found)) == PaymentDraft(
        company="EPIC06",
        vendor_num=104,
        vendor_id="BOLTS",
        bank_account_id="AVID",
        payment_method_id=11,
        check_number=123,
        check_date=date(2026, 11, 5),
        currency="USD",
        cash=D("80.50"),
        reference="CHK 000123",
        reference_field="XRefCheckNum",
        identity="AvidXchange payment 9001",
        identity_field="Description",
        allocations=(
            AllocationDraft(invoice_num="INV-1", amount=D("100.50"), discount=D("0.00")),
            AllocationDraft(invoice_num="INV-2", amount=D("-20.00"), discount=D("0.00")),
        ),
    )


ROWS = st.lists(
    st.tuples(st.sampled_from(["INV-1", "INV-2"]), POSITIVE, st.decimals(min_value=0, max_value=50, places=2)),
    min_size=1,
    max_size=8,
)


@property_test
@given(ROWS, st.sampled_from([D(0), D("0.01"), D("-0.01")]))
def test_cash_is_what_comes_off_less_the_discounts_to_the_cent(
    rows: list[tuple[str, Decimal, Decimal]], off: Decimal
) -> None:
    found = payment(*(remittance(number, str(net), discount=str(discount)) for number, net, discount in rows))
    cash = found.amount + off
    wrong = payment(*found.remittances, amount=cash)
    for semantics in ("gross", "net"):
        result = translate(wrong, discounts=True, discount_semantics=semantics)
        if cash <= 0:
            assert held(result).code == "amount_not_positive"
            continue
        if off:
            assert held(result).code == "remittances_do_not_sum"
            continue
        draft = good(result)
        discounts = sum(row.discount for row in draft.allocations)
        assert discounts == sum(discount for _, _, discount in rows)
        taken = sum(row.amount for row in draft.allocations)
        assert taken - (discounts if semantics == "gross" else 0) == draft.cash == cash
        assert len({row.invoice_num for row in draft.allocations}) == len(draft.allocations)


def test_a_sum_that_is_off_is_held_with_both_amounts() -> None:
    hold = held(translate(payment(remittance("INV-1", "100.00"), amount=D("100.01"))))
    assert hold.code == "remittances_do_not_sum"
    assert "sum to 100.00, the payment is 100.01" in hold.message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"status": PaymentStatus.UNKNOWN}, "payment_status_unknown"),
        ({"status": PaymentStatus.VOID}, "payment_not_settled"),
        ({"status": PaymentStatus.IN_FLIGHT}, "payment_not_settled"),
        ({"method": PaymentMethod.UNKNOWN}, "payment_method_unknown"),
        ({"currency": "CAD"}, "no_bank_account"),
        ({"amount": D(0)}, "amount_not_positive"),
        ({"amount": D("-5.00")}, "amount_not_positive"),
        ({"amount": D("5.005")}, "amount_not_in_cents"),
        ({"remittances": ()}, "no_remittances"),
        ({"id": " "}, "missing"),
        ({"paid_at": None}, "no_payment_date"),
        ({"vendor_external_id": "EPIC07|104|MAIN"}, "other_company"),
        ({"vendor_external_id": "EPIC06|105|2"}, "vendor_differs"),
        ({"vendor_external_id": "EPIC06|999|2"}, "vendor_not_mapped"),
        ({"network_check_number": "50000000", "id": "P-77777777"}, "no_check_number"),
        ({"network_check_number": "", "id": "9f3c"}, "no_check_number"),
    ],
)
def test_what_holds_a_payment(changes: dict[str, Any], code: str) -> None:
    row = remittance("INV-1", "5.00")
    assert held(translate(payment(row, **{"remittances": (row,), **changes}))).code == code


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_only_a_settled_payment_becomes_a_draft(status: PaymentStatus) -> None:
    result = translate(payment(remittance("INV-1", "5.00"), status=status))
    assert isinstance(result, PaymentDraft) == (status in {PaymentStatus.ISSUED, PaymentStatus.CLEARED})


def test_a_method_without_an_epicor_method_is_held() -> None:
    hold = held(translate(payment(remittance("INV-1", "5.00")), payment_methods={"ach": 12}))
    assert (hold.code, hold.field) == ("payment_method_not_mapped", "PMUID")


@pytest.mark.parametrize(
    ("changes", "number", "reference"),
    [
        ({}, 123, "CHK 000123"),
        ({"network_check_number": "", "payer_check_number": "CHK-45"}, 45, "CHK CHK-45"),
        ({"network_check_number": "12-345"}, 12345, "CHK 12-345"),
        ({"network_check_number": "50000000"}, 9001, "CHK 50000000"),
        ({"network_check_number": "49999999"}, 49999999, "CHK 49999999"),
        ({"network_check_number": ""}, 9001, "CHK payment 9001"),
        ({"method": PaymentMethod.ACH, "ach_trace": "0123"}, 9001, "ACH 0123"),
        ({"method": PaymentMethod.ACH}, 9001, "ACH payment 9001"),
        ({"method": PaymentMethod.CARD, "card_last4": "1234"}, 9001, "VCC 1234"),
        ({"method": PaymentMethod.CARD, "card_last4": "4111111111111234"}, 9001, "VCC payment 9001"),
        ({"method": PaymentMethod.CARD, "card_last4": "12a4"}, 9001, "VCC payment 9001"),
        ({"method": PaymentMethod.CARD}, 9001, "VCC payment 9001"),
    ],
)
def test_check_number_and_reference_say_how_it_was_paid(changes: dict[str, Any], number: int, reference: str) -> None:
    draft = good(translate(payment(remittance("INV-1", "5.00"), **changes)))
    assert (draft.check_number, draft.reference) == (number, reference)


def test_a_tenant_may_number_every_payment_by_its_id() -> None:
    assert good(translate(payment(remittance("INV-1", "5.00")), check_num_source="payment_id")).check_number == 9001


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("000123", 123), ("CHK-123", 123), ("PAY 12 34", 1234), ("#77", 77), ("", 0), ("9f3c", 0), ("12a", 0),
        ("１２", 0), ("1" * 19, 0), ("-", 0),
    ],
)  # fmt: skip
def test_only_a_number_written_as_one_counts(written: str, number: int) -> None:
    assert as_number(written) == number


@property_test
@given(st.text(max_size=25), st.text("0123456789-abcP ", max_size=20))
def test_a_check_number_is_always_one_that_epicor_leaves_free(check: str, payment_id: str) -> None:
    result = translate(payment(remittance("INV-1", "5.00"), network_check_number=check, id=payment_id))
    if isinstance(result, PaymentDraft):
        assert 0 < result.check_number < 50_000_000
    else:
        assert result.code in {"no_check_number", "missing"}


def test_the_identity_moves_when_its_column_is_the_chosen_reference_field() -> None:
    draft = good(translate(payment(remittance("INV-1", "5.00")), payment_ref_field="Description"))
    assert (draft.reference_field, draft.identity_field) == ("Description", "XRefCheckNum")


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        (datetime(2026, 11, 1, 3, 30, tzinfo=UTC), "UTC", date(2026, 11, 1)),
        (datetime(2026, 11, 1, 3, 30, tzinfo=UTC), "America/Chicago", date(2026, 10, 31)),
        (datetime(2026, 11, 1, 0, 0, tzinfo=UTC), "America/Chicago", date(2026, 11, 1)),
        (datetime(2026, 10, 31, 23, 30, tzinfo=UTC), "Pacific/Kiritimati", date(2026, 11, 1)),
    ],
)
def test_the_check_date_is_the_tenants_day_and_a_bare_date_is_never_shifted(
    moment: datetime, zone: str, day: date
) -> None:
    found = payment(remittance("INV-1", "5.00"), paid_at=moment)
    assert good(translate(found, time_zone=zone)).check_date == day


def test_the_day_is_when_it_was_paid_else_cleared_else_last_changed() -> None:
    cleared, changed = datetime(2026, 11, 7, 9, tzinfo=UTC), datetime(2026, 11, 9, 9, tzinfo=UTC)
    rows = (remittance("INV-1", "5.00"),)
    assert good(translate(payment(*rows, cleared_at=cleared, modified_at=changed))).check_date == date(2026, 11, 5)
    late = payment(*rows, paid_at=None, cleared_at=cleared, modified_at=changed)
    assert good(translate(late)).check_date == date(2026, 11, 7)
    assert good(translate(payment(*rows, paid_at=None, modified_at=changed))).check_date == date(2026, 11, 9)


def test_a_discount_is_refused_unless_the_tenant_tested_it() -> None:
    found = payment(remittance("INV-1", "98.00", discount="2.00"))
    hold = held(translate(found))
    assert hold.code == "discount_not_enabled"
    assert "2.00" in hold.message

    gross = good(translate(found, discounts=True)).allocations
    assert gross == (AllocationDraft(invoice_num="INV-1", amount=D("100.00"), discount=D("2.00")),)
    net = good(translate(found, discounts=True, discount_semantics="net")).allocations
    assert net == (AllocationDraft(invoice_num="INV-1", amount=D("98.00"), discount=D("2.00")),)


def test_a_gross_left_out_is_net_and_discount_and_a_wrong_one_is_held() -> None:
    out = remittance("INV-1", "98.00", discount="2.00", gross=D(0))
    assert good(translate(payment(out), discounts=True)).allocations[0].amount == D("100.00")
    wrong = remittance("INV-1", "98.00", discount="2.00", gross=D("99.00"))
    assert held(translate(payment(wrong), discounts=True)).code == "remittance_does_not_add_up"


def test_credits_are_refused_where_the_tenant_says_so() -> None:
    found = payment(remittance("INV-1", "100.00"), remittance("INV-2", "-20.00"))
    assert held(translate(found, allow_credit_rows=False)).code == "credit_not_enabled"


def test_rows_that_cancel_out_are_left_out() -> None:
    found = payment(remittance("INV-1", "9.00"), remittance("INV-2", "5.00"), remittance("INV-2", "-5.00"))
    assert [row.invoice_num for row in good(translate(found)).allocations] == ["INV-1"]


@pytest.mark.parametrize(
    ("balance", "net", "code"),
    [("5.00", "5.00", ""), ("5.01", "5.00", ""), ("4.99", "5.00", "over_payment"), ("0", "5.00", "over_payment"),
     ("-5.00", "5.00", "over_payment")],
)  # fmt: skip
def test_nothing_is_paid_beyond_its_balance(balance: str, net: str, code: str) -> None:
    refs = {external_key("EPIC06|104|INV-1|1"): InvoiceRef(104, "INV-1", D(balance))}
    result = translate(payment(remittance("INV-1", net)), refs)
    assert (result.code if isinstance(result, Hold) else "") == code


def test_a_balance_bounds_the_sum_of_an_invoices_rows() -> None:
    refs = {
        external_key("EPIC06|104|INV-1|1"): InvoiceRef(104, "INV-1", D("6.00")),
        avid_key("880"): InvoiceRef(104, "INV-1"),
    }
    rows = (remittance("INV-1", "4.00"), remittance("INV-1", "3.00", external_id="", invoice_id="880"))
    assert held(translate(payment(*rows), refs)).code == "over_payment"


def ids(number: str = "INV-1", **changes: Any) -> Remittance:
    return remittance(number, "5.00", **changes)


def test_an_invoice_is_found_by_our_id_theirs_or_its_number_with_the_vendor() -> None:
    for row, key in (
        (ids(), external_key("EPIC06|104|INV-1|1")),
        (ids(external_id="", invoice_id="880"), avid_key("880")),
        (ids("inv-1", external_id=""), number_key(104, "INV-1")),
    ):
        found = payment(row)
        assert key in wanted(found, codebook=codebook(), rules=rules())
        assert good(translate(found, {key: ONE})).allocations[0].invoice_num == "INV-1"


def test_an_id_beats_a_number() -> None:
    refs = {avid_key("880"): ONE, number_key(104, "INV-9"): TWO}
    row = ids("INV-9", external_id="", invoice_id="880")
    assert good(translate(payment(row), refs)).allocations[0].invoice_num == "INV-1"


def test_a_number_alone_names_nothing_without_its_vendor() -> None:
    found = payment(ids(external_id=""), vendor_external_id="")
    assert wanted(found, codebook=codebook(), rules=rules()) == frozenset()
    assert held(translate(found, {number_key(104, "INV-1"): ONE})).code == "invoice_not_found"


def test_wanted_keys_are_all_names_and_an_unmapped_vendor_gives_only_ids() -> None:
    rows = (ids(invoice_id="880"), ids("INV-2"))
    everything = {
        external_key("EPIC06|104|INV-1|1"), avid_key("880"), number_key(104, "INV-1"),
        external_key("EPIC06|104|INV-2|1"), number_key(104, "INV-2"),
    }  # fmt: skip
    assert wanted(payment(*rows), codebook=codebook(), rules=rules()) == everything
    unmapped = payment(*rows, vendor_external_id="EPIC06|999|MAIN")
    assert wanted(unmapped, codebook=codebook(), rules=rules()) == {key for key in everything if key[0] != "number"}


def test_two_names_for_two_invoices_are_held() -> None:
    refs = {external_key("EPIC06|104|INV-1|1"): ONE, avid_key("880"): TWO}
    assert held(translate(payment(ids(invoice_id="880")), refs)).code == "remittance_ambiguous"


def test_invoices_of_several_vendors_are_held() -> None:
    refs = {**KNOWN, external_key("EPIC06|104|INV-2|1"): InvoiceRef(105, "INV-2")}
    found = payment(remittance("INV-1", "5.00"), remittance("INV-2", "5.00"), vendor_external_id="")
    assert held(translate(found, refs)).code == "several_vendors"


def test_the_vendor_is_the_invoices_where_the_payment_names_none() -> None:
    assert good(translate(payment(remittance("INV-1", "5.00"), vendor_external_id=""))).vendor_id == "BOLTS"
    refs = {external_key("EPIC06|104|INV-1|1"): InvoiceRef(999, "INV-1")}
    found = payment(remittance("INV-1", "5.00"), vendor_external_id="")
    assert held(translate(found, refs)).code == "vendor_not_mapped"


def test_what_is_recorded_and_what_is_taken_back() -> None:
    assert {status for status in PaymentStatus if recordable(status)} == {PaymentStatus.CLEARED}
    assert {status for status in PaymentStatus if recordable(status, "ISSUED")} == {
        PaymentStatus.ISSUED,
        PaymentStatus.CLEARED,
    }
    assert {status for status in PaymentStatus if reverses(status)} == {
        PaymentStatus.VOID,
        PaymentStatus.REFUNDED,
        PaymentStatus.REISSUED,
    }
