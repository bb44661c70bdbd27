"""What a payment's news means: every combination of what we did and what AvidXchange says now."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from connector.avidxchange.records import Payment, PaymentMethod, PaymentStatus
from connector.translate.payments import recordable, reverses
from syncjobs.engine.payment_moves import FOR_REVIEW, WAITS_FOR_NEWS, Decision, Known, Policy, decide, may_move
from syncjobs.states import PaymentState

POLICY = Policy(record_on="CLEARED", heals=lambda codes: set(codes) <= {"4", "5", "6", "9"} and bool(codes))
STATUSES, METHODS = st.sampled_from(PaymentStatus), st.sampled_from(PaymentMethod)
S = PaymentStatus


def payment(status: PaymentStatus, method: PaymentMethod = PaymentMethod.CHECK, **more: object) -> Payment:
    plain = Payment(
        id="7", status=status, status_text=status.value, method=method, method_text="m", amount=Decimal("10.00")
    )
    return changed(plain, **more)


def known(
    state: PaymentState, status: PaymentStatus, *, touched: bool = False, code: str = "", **more: object
) -> Known:
    return Known(state=state, record=payment(status, **more), hold_code=code, touched=touched)


@pytest.mark.parametrize(
    ("before", "after", "method_changed", "allowed"),
    [
        (S.AWAITING, S.IN_FLIGHT, False, True),
        (S.IN_FLIGHT, S.AWAITING, False, False),
        (S.ISSUED, S.IN_FLIGHT, False, False),
        (S.ISSUED, S.IN_FLIGHT, True, True),
        (S.ISSUED, S.AWAITING, True, False),
        (S.CLEARED, S.ISSUED, True, False),
        (S.CLEARED, S.ERROR, False, True),
        (S.ERROR, S.IN_FLIGHT, False, True),
        (S.CLEARED, S.REFUNDED, False, True),
        (S.REFUNDED, S.CLEARED, False, False),
        (S.REISSUED, S.VOID, False, True),
        (S.VOID, S.ERROR, False, False),
        (S.UNKNOWN, S.AWAITING, False, True),
    ],
)
def test_moves_are_the_contracts(
    before: PaymentStatus, after: PaymentStatus, method_changed: bool, allowed: bool
) -> None:
    assert may_move(before, after, method_changed=method_changed) is allowed


@given(STATUSES, METHODS)
def test_the_first_news_says_what_is_to_be_done(status: PaymentStatus, method: PaymentMethod) -> None:
    state = decide(None, payment(status, method), POLICY).state
    if reverses(status):
        assert state is PaymentState.CLOSED
    elif S.UNKNOWN is status or PaymentMethod.UNKNOWN is method or S.ERROR is status:
        assert state is PaymentState.HELD
    else:
        assert state is (PaymentState.READY if recordable(status) else PaymentState.SEEN)


@given(st.sampled_from(PaymentState), STATUSES, METHODS, STATUSES, METHODS, st.booleans())
def test_no_news_loses_a_payment_that_epicor_has(
    state: PaymentState,
    before: PaymentStatus,
    method: PaymentMethod,
    after: PaymentStatus,
    now: PaymentMethod,
    touched: bool,
) -> None:
    was = replace(known(state, before, touched=touched), record=payment(before, method))
    decision = decide(was, payment(after, now), POLICY)
    if state is PaymentState.RECORDED:
        taken_back = reverses(after) and decision.believed
        assert decision.state is (PaymentState.REVERSING if taken_back else PaymentState.RECORDED)
    elif state in (PaymentState.REVERSING, PaymentState.REVERSED, PaymentState.CLOSED):
        assert decision.state is state
    else:
        assert decision.state not in (PaymentState.RECORDED, PaymentState.REVERSED)
        assert not (touched and decision.state is PaymentState.CLOSED)
    if decision.state is PaymentState.READY:
        assert recordable(after)
        assert now is not PaymentMethod.UNKNOWN
    if decision.finding is not None:
        assert decision.finding.code in WAITS_FOR_NEWS
    assert {review.code for review in decision.review} <= FOR_REVIEW


def test_an_error_that_heals_is_only_waited_for() -> None:
    assert decide(None, payment(S.ERROR, exception_codes=("4", "9")), POLICY).state is PaymentState.SEEN
    assert decide(None, payment(S.ERROR, exception_codes=("4", "17")), POLICY).state is PaymentState.HELD
    assert decide(None, payment(S.ERROR), POLICY).state is PaymentState.HELD


def test_what_recording_found_stays_until_recording_looks_again() -> None:
    held = known(PaymentState.HELD, S.CLEARED, code="over_payment")
    assert decide(held, payment(S.CLEARED), POLICY).state is PaymentState.HELD
    unknown = known(PaymentState.HELD, S.UNKNOWN, code="payment_status_unknown")
    assert decide(unknown, payment(S.CLEARED), POLICY).state is PaymentState.READY


def test_a_half_entered_payment_is_undone_and_an_untouched_one_closed() -> None:
    assert decide(known(PaymentState.READY, S.CLEARED), payment(S.VOID), POLICY).state is PaymentState.CLOSED
    half = known(PaymentState.READY, S.CLEARED, touched=True)
    assert decide(half, payment(S.VOID), POLICY).state is PaymentState.REVERSING


def codes(decision: Decision) -> list[str]:
    return [review.code for review in decision.review]


def test_review_cases_are_told_once() -> None:
    recorded = known(PaymentState.RECORDED, S.CLEARED)
    gone = payment(S.REISSUED)
    assert codes(decide(recorded, gone, POLICY)) == ["reissued_without_link", "undone_after_clearing"]
    assert codes(decide(known(PaymentState.REVERSED, S.REISSUED), gone, POLICY)) == []
    linked = payment(S.REISSUED, replaced_by_id="8")
    assert codes(decide(known(PaymentState.RECORDED, S.ISSUED), linked, POLICY)) == []
    check = payment(S.CLEARED, network_check_number="300")
    assert codes(decide(recorded, check, POLICY)) == ["reference_changed"]
    assert codes(decide(recorded, payment(S.CLEARED, amount=Decimal("9.99")), POLICY)) == ["changed_after_recording"]
    assert codes(decide(recorded, payment(S.CLEARED), POLICY)) == []


def test_a_status_that_went_back_holds_what_was_to_be_recorded() -> None:
    decision = decide(known(PaymentState.READY, S.CLEARED), payment(S.AWAITING), POLICY)
    assert (decision.state, decision.believed) == (PaymentState.HELD, False)
    assert decision.finding is not None
    assert decision.finding.code == "status_went_back"


def test_a_refund_is_a_review_case_even_if_the_payment_was_never_seen_cleared() -> None:
    assert codes(decide(None, payment(S.REFUNDED), POLICY)) == ["undone_after_clearing"]
    assert codes(decide(known(PaymentState.READY, S.CLEARED), payment(S.REFUNDED), POLICY)) == ["undone_after_clearing"]
    assert codes(decide(known(PaymentState.CLOSED, S.REFUNDED), payment(S.REFUNDED), POLICY)) == []
    assert codes(decide(None, payment(S.VOID), POLICY)) == []
