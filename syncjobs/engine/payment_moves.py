"""What a payment's news means for us: which moves of its status are believed, and what is to be done about it.

Pure, so that every combination can be tested. AvidXchange's status is canonical by now (avidxchange.md 6.3); what we do
about it is ``PaymentState``. A status that went back in a way the contract does not know is not believed: the payment
stays as it was and a person is told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from connector.avidxchange.records import Payment, PaymentMethod, PaymentStatus
from connector.translate.payments import recordable, reference, reverses
from syncjobs.engine.problems import Finding
from syncjobs.states import PaymentState

#: Reasons to hold that only AvidXchange's next word can lift, so recording does not even try.
STATUS_UNKNOWN, METHOD_UNKNOWN = "payment_status_unknown", "payment_method_unknown"
IN_ERROR, WENT_BACK = "payment_error", "status_went_back"
WAITS_FOR_NEWS = frozenset({STATUS_UNKNOWN, METHOD_UNKNOWN, IN_ERROR, WENT_BACK})

#: Review cases: what they tell of has happened, so they stay open until a person closes them.
UNDONE_LATE, NO_REPLACEMENT = "undone_after_clearing", "reissued_without_link"
REFERENCE_CHANGED, AMOUNT_CHANGED = "reference_changed", "changed_after_recording"
FOR_REVIEW = frozenset({UNDONE_LATE, NO_REPLACEMENT, REFERENCE_CHANGED, AMOUNT_CHANGED})

#: Nothing further happens to a payment by itself; a cleared one may still be refunded (tail poll, contract 6.3).
FINAL = frozenset({PaymentStatus.CLEARED, PaymentStatus.VOID, PaymentStatus.REFUNDED, PaymentStatus.REISSUED})

_RANK = {
    PaymentStatus.AWAITING: 0,
    PaymentStatus.IN_FLIGHT: 1,
    PaymentStatus.ISSUED: 2,
    PaymentStatus.CLEARED: 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A payment as we have it. ``touched`` says that Epicor may show something of it: a posting has begun."""

    state: PaymentState
    record: Payment
    hold_code: str = ""
    touched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of a payment. ``believed`` is False where the news is not taken over; ``finding`` is what is wrong
    now, ``review`` what a person has to look at whatever happens next."""

    state: PaymentState
    finding: Finding | None = None
    review: tuple[Finding, ...] = ()
    believed: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """What the tenant chose: when a payment is recorded, and which exceptions pass by themselves."""

    record_on: Literal["ISSUED", "CLEARED"]
    heals: Callable[[tuple[str, ...]], bool]


def may_move(before: PaymentStatus, after: PaymentStatus, *, method_changed: bool) -> bool:
    """Return whether the contract allows the move (6.3): forwards, into an error or the unknown, out of these, and from
    issued back into flight when the payment turned into another kind. What was taken back stays taken back."""
    unclear = {PaymentStatus.ERROR, PaymentStatus.UNKNOWN}
    if before is after:
        return True
    if reverses(before):
        return reverses(after)
    if reverses(after) or after in unclear or before in unclear:
        return True
    back_into_flight = before is PaymentStatus.ISSUED and after is PaymentStatus.IN_FLIGHT and method_changed
    return _RANK[after] > _RANK[before] or back_into_flight


def decide(known: Known | None, news: Payment, policy: Policy) -> Decision:
    """Return what becomes of a payment after its ``news``; ``known`` is None the first time."""
    if known is None:
        return _without_record(news, policy)
    before = known.record
    if not may_move(before.status, news.status, method_changed=before.method is not news.method):
        held = known.state in (PaymentState.SEEN, PaymentState.READY, PaymentState.HELD)
        finding = _went_back(before, news)
        return Decision(state=PaymentState.HELD if held else known.state, finding=finding, believed=False)
    decision = _believed(known, news, policy)
    told = {review.code for review in decision.review}
    if before.status is PaymentStatus.CLEARED and reverses(news.status) and UNDONE_LATE not in told:
        decision = replace(decision, review=(*decision.review, _undone_late(news)))
    return decision


def _believed(known: Known, news: Payment, policy: Policy) -> Decision:
    match known.state:
        case PaymentState.SEEN | PaymentState.READY | PaymentState.HELD:
            decision = _without_record(news, policy)
            if known.touched and decision.state is PaymentState.CLOSED:
                return replace(decision, state=PaymentState.REVERSING)
            if known.state is PaymentState.HELD and decision.state is PaymentState.READY:
                # What holds it is looked at again when it is recorded; until then it stays held.
                held = bool(known.hold_code) and known.hold_code not in WAITS_FOR_NEWS
                return replace(decision, state=PaymentState.HELD if held else PaymentState.READY)
            return decision
        case PaymentState.RECORDED:
            if reverses(news.status):
                return Decision(state=PaymentState.REVERSING, review=_unlinked(known.record, news))
            return Decision(
                state=PaymentState.RECORDED, finding=_fault(news, policy), review=_changes(known.record, news)
            )
        case _:
            return Decision(state=known.state, review=_unlinked(known.record, news))


def _without_record(news: Payment, policy: Policy) -> Decision:
    """Decide about a payment of which Epicor shows nothing."""
    if reverses(news.status):
        # A refund follows a payment that had reached the vendor, even if we never saw it there.
        refunded = (_undone_late(news),) if news.status is PaymentStatus.REFUNDED else ()
        return Decision(state=PaymentState.CLOSED, review=(*_unlinked(None, news), *refunded))
    finding = _fault(news, policy)
    if finding is not None:
        return Decision(state=PaymentState.HELD, finding=finding)
    return Decision(state=PaymentState.READY if recordable(news.status, policy.record_on) else PaymentState.SEEN)


def _fault(news: Payment, policy: Policy) -> Finding | None:
    """Return what is wrong with a payment that was not taken back, whether or not it is recorded."""
    if news.status is PaymentStatus.UNKNOWN:
        return Finding(
            code=STATUS_UNKNOWN,
            message=f"AvidXchange calls the status of payment {news.id} {news.status_text!r}, which is not known.",
            hint="Add the status to the profile's status map, or ask AvidXchange what it means.",
            field="Status",
        )
    if news.method is PaymentMethod.UNKNOWN:
        return Finding(
            code=METHOD_UNKNOWN,
            message=f"AvidXchange calls the method of payment {news.id} {news.method_text!r}, which is not known.",
            hint="Add the method to the profile's method map.",
            field="PaymentMethod",
        )
    if news.status is PaymentStatus.ERROR and not policy.heals(news.exception_codes):
        reasons = ", ".join(news.exception_codes) or "no reason given"
        return Finding(
            code=IN_ERROR,
            message=f"Payment {news.id} is in error at AvidXchange (reason {reasons}).",
            hint="Resolve it at AvidXchange; it goes on here by itself after that.",
            field="Exceptions",
        )
    return None


def _changes(before: Payment, news: Payment) -> tuple[Finding, ...]:
    """Return what of a recorded payment is different now; the payment in Epicor is not edited."""
    found = []
    if reference(before) != reference(news):
        found.append(
            Finding(
                code=REFERENCE_CHANGED,
                message=f"Payment {news.id} was recorded as {reference(before)}; it is {reference(news)} now.",
                hint="Note the new reference on the payment in Epicor if your bank reconciliation needs it.",
            )
        )
    if (before.amount, before.remittances) != (news.amount, news.remittances):
        found.append(
            Finding(
                code=AMOUNT_CHANGED,
                message=f"Payment {news.id} was recorded over {before.amount}; AvidXchange shows {news.amount} now, "
                "or other invoices.",
                hint="Compare it with AvidXchange, and correct the payment in Epicor by hand if it is wrong.",
            )
        )
    return tuple(found)


def _unlinked(before: Payment | None, news: Payment) -> tuple[Finding, ...]:
    """Return the review case of a reissue without a successor, once."""
    told = before is not None and before.status is PaymentStatus.REISSUED and not before.replaced_by_id
    if news.status is not PaymentStatus.REISSUED or news.replaced_by_id or told:
        return ()
    return (
        Finding(
            code=NO_REPLACEMENT,
            message=f"AvidXchange reissued payment {news.id} without saying which payment replaces it.",
            hint="Find the new payment at AvidXchange and make sure that it is recorded here once.",
        ),
    )


def _undone_late(news: Payment) -> Finding:
    why = f" ({news.void_reason})" if news.void_reason else ""
    return Finding(
        code=UNDONE_LATE,
        message=f"Payment {news.id} had been paid out and is {news.status_text or news.status.value} now{why}.",
        hint="Find out what became of the money, and whether the vendor is still to be paid.",
    )


def _went_back(before: Payment, news: Payment) -> Finding:
    return Finding(
        code=WENT_BACK,
        message=f"Payment {news.id} was {before.status_text or before.status.value} and AvidXchange now says "
        f"{news.status_text or news.status.value}, which cannot follow.",
        hint="Ask AvidXchange what happened. Nothing was changed here; it goes on when the status makes sense again.",
        field="Status",
    )
