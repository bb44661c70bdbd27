"""The steps that write an AP payment to Epicor, and those that undo one (epicor.md 6), as steps of a ``Posting``.

Build: group, header, one allocation an invoice, totals. A header is found again by the AvidXchange payment id in the
tenant's identity column, allocations by their invoice, so a build resumes from what Epicor shows. Post: the whole group
once; the first payment of it that is not posted yet does it, the others find themselves posted.

Whether a call worked is never taken from its reply: totals, ``Posted`` and reversal rows are read back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from msgspec import Struct

from connector.epicor import odata, payment_entry
from connector.epicor.drafts import AllocationDraft, PaymentDraft
from connector.epicor.payment_entry import POSTED_PAYMENTS
from connector.epicor.records import PAYMENTS, Payment, text
from connector.transport.errors import Held, Retry, System
from syncjobs.engine import postings
from syncjobs.engine.context import StageContext
from syncjobs.engine.postings import Facts, Step
from syncjobs.models import Posting

GROUP, HEADER, TOTALS, POST, UNDO, VERIFY = "group", "header", "totals", "post", "undo", "verify"
#: Pause before a posting that Epicor has accepted, but does not show yet, is looked at again.
_CONFIRM_S = 60.0


class VoidDraft(Struct, frozen=True, kw_only=True):
    """What is to be undone: a payment by its identity, and the day and account that voiding needs."""

    vendor_num: int
    identity: str
    identity_field: str
    bank_account_id: str
    void_date: date
    status: str


def build(group_id: Callable[[Posting, PaymentDraft], str], draft: PaymentDraft) -> list[Step]:
    """Return the steps up to a complete, unposted payment; ``group_id`` says which group it goes into."""
    parts = [_allocation(place, allocation) for place, allocation in enumerate(draft.allocations, 1)]
    return [
        _group(group_id),
        Step(HEADER, look=_find_header, do=_make_header, look_first=True),
        *parts,
        _totals(),
    ]


def post(do: Callable[[StageContext, Posting], Facts]) -> Step:
    """Return the step that makes a payment posted; ``do`` posts its group."""
    return Step(POST, look=look_posted, do=do, look_first=True)


def undo() -> list[Step]:
    """Return the steps that take a payment out of Epicor: deleted while unposted, voided after that."""
    return [
        Step(UNDO, look=_look_undone, do=_undo, look_first=True),
        Step(VERIFY, look=lambda ctx, posting: None, do=_verify_undone),
    ]


def header_of(ctx: StageContext, head_num: int) -> Payment | None:
    """Return a payment's header by HeadNum, unposted or posted, or None if Epicor has none."""
    for entity in (PAYMENTS, POSTED_PAYMENTS):
        for row in ctx.epicor.find(entity, odata.eq("HeadNum", head_num)):
            if isinstance(row, Payment):
                return row
    return None


def found_again(ctx: StageContext, draft: PaymentDraft | VoidDraft) -> list[Payment]:
    """Return everything in Epicor that carries the payment's identity, voided payments included."""
    return payment_entry.find(
        ctx.epicor, identity_field=draft.identity_field, identity=draft.identity, vendor_num=draft.vendor_num
    )


def standing(ctx: StageContext, draft: PaymentDraft | VoidDraft) -> Payment | None:
    """Return the one payment of this identity that is not void, or None.

    Raises ``Held`` (``payment_twice``) if there are several: which of them is right is for a person.
    """
    rows = [row for row in found_again(ctx, draft) if not row.voided]
    if len(rows) > 1:
        heads = ", ".join(str(row.head_num) for row in rows)
        raise Held(
            f"Epicor has {draft.identity} several times (payments {heads}).",
            system=System.EPICOR,
            code="payment_twice",
            hint="Void or delete all but one of them in Epicor; it goes on by itself after that.",
        )
    return rows[0] if rows else None


def _group(group_id: Callable[[Posting, PaymentDraft], str]) -> Step:
    def do(ctx: StageContext, posting: Posting) -> Facts:
        draft = postings.draft_of(posting, PaymentDraft)
        chosen = group_id(posting, draft)
        payment_entry.ensure_group(ctx.epicor, chosen, draft)
        return {"group_id": chosen}

    def look(ctx: StageContext, posting: Posting) -> Facts | None:
        # A payment that stands needs no group of ours; for any other, making the group looks for it first by itself.
        row = standing(ctx, postings.draft_of(posting, PaymentDraft))
        return None if row is None else {"group_id": text(row.group_id)}

    return Step(GROUP, look=look, do=do)


def _find_header(ctx: StageContext, posting: Posting) -> Facts | None:
    row = standing(ctx, postings.draft_of(posting, PaymentDraft))
    return None if row is None else {"head_num": row.head_num, "group_id": text(row.group_id)}


def _make_header(ctx: StageContext, posting: Posting) -> Facts:
    draft = postings.draft_of(posting, PaymentDraft)
    return {"head_num": payment_entry.create_header(ctx.epicor, posting.group_id, draft)}


def _allocation(place: int, wanted: AllocationDraft) -> Step:
    def look(ctx: StageContext, posting: Posting) -> Facts | None:
        name = wanted.invoice_num.strip().casefold()
        for row in payment_entry.allocations(ctx.epicor, _head(posting)):
            if not row.voided and row.invoice_num.strip().casefold() == name:
                if (row.doc_tran_amt, row.doc_disc_amt) != (wanted.amount, wanted.discount):
                    raise Held(
                        f"Payment {posting.head_num} takes {row.doc_tran_amt} off invoice {wanted.invoice_num} in "
                        f"Epicor, not {wanted.amount}.",
                        system=System.EPICOR,
                        code="allocation_differs",
                        hint="Correct or delete the unposted payment in Epicor; it goes on by itself after that.",
                    )
                return {"invoice": wanted.invoice_num}
        return None

    def do(ctx: StageContext, posting: Posting) -> Facts:
        # A header of an earlier life may have its allocations too.
        shown = look(ctx, posting) if postings.fact(posting, "found") else None
        if shown is None:
            payment_entry.allocate(ctx.epicor, _head(posting), wanted)
        return {"invoice": wanted.invoice_num}

    return Step(f"allocation {place}", look=look, do=do)


def _totals() -> Step:
    def do(ctx: StageContext, posting: Posting) -> Facts:
        draft, head_num = postings.draft_of(posting, PaymentDraft), _head(posting)
        row = header_of(ctx, head_num)
        if row is None:
            raise Held(
                f"Payment {head_num} is no longer in Epicor.",
                system=System.EPICOR,
                code="payment_gone",
                hint="Somebody deleted it while it was being entered. It is entered again by itself.",
            )
        taken = {
            allocation.invoice_num.strip().casefold(): (allocation.doc_tran_amt, allocation.doc_disc_amt)
            for allocation in payment_entry.allocations(ctx.epicor, head_num)
            if not allocation.voided
        }
        wanted = {part.invoice_num.strip().casefold(): (part.amount, part.discount) for part in draft.allocations}
        if row.doc_check_amt != draft.cash or taken != wanted:
            raise Held(
                f"Payment {head_num} comes to {row.doc_check_amt} in Epicor, AvidXchange paid {draft.cash}.",
                system=System.EPICOR,
                code="total_differs",
                hint="Check how this Epicor counts discounts (discount_semantics), then compare the allocations.",
            )
        return {"total": str(row.doc_check_amt)}

    return Step(TOTALS, look=lambda ctx, posting: None, do=do)


def look_posted(ctx: StageContext, posting: Posting) -> Facts | None:
    """Return the facts of the posting step if Epicor shows the payment posted."""
    row = header_of(ctx, _head(posting))
    return {"posted": True} if row is not None and row.posted else None


def confirm_posted(ctx: StageContext, posting: Posting) -> Facts:
    """Return the facts of the posting step; raises ``Retry`` while Epicor does not show the payment posted, because a
    posting may be carried out later (epicor-unknowns E7)."""
    shown = look_posted(ctx, posting)
    if shown is None:
        raise Retry(
            f"Epicor took the posting of group {posting.group_id} but does not show payment {posting.head_num} posted.",
            system=System.EPICOR,
            code="posting_not_confirmed",
            delay_s=_CONFIRM_S,
        )
    return shown


def unposted_of(ctx: StageContext, group_id: str) -> list[Payment]:
    """Return what waits unposted in a group."""
    where = odata.and_(odata.eq("GroupID", group_id), odata.eq("Posted", False))
    rows = ctx.epicor.find(PAYMENTS, where)
    return [row for row in rows if isinstance(row, Payment) and not row.posted]


def _look_undone(ctx: StageContext, posting: Posting) -> Facts | None:
    draft = postings.draft_of(posting, VoidDraft)
    if standing(ctx, draft) is not None:
        return None
    voided = [row for row in found_again(ctx, draft) if row.voided]
    return {"head_num": voided[-1].head_num, "undone": "voided"} if voided else {"undone": "gone"}


def _undo(ctx: StageContext, posting: Posting) -> Facts:
    draft = postings.draft_of(posting, VoidDraft)
    row = standing(ctx, draft)
    if row is None:
        return {"undone": "gone"}
    if not row.posted:
        payment_entry.delete_unposted(ctx.epicor, row.head_num)
        return {"head_num": row.head_num, "group_id": text(row.group_id), "undone": "deleted"}
    bank = text(row.bank_acct_id) or draft.bank_account_id
    payment_entry.void(ctx.epicor, row.head_num, void_date=draft.void_date, bank_account_id=bank)
    return {"head_num": row.head_num, "group_id": text(row.group_id), "undone": "voided"}


def _verify_undone(ctx: StageContext, posting: Posting) -> Facts:
    """Read back that nothing of the payment stands: no header, or a void one whose allocations are all reversed."""
    row = standing(ctx, postings.draft_of(posting, VoidDraft))
    left: dict[str, Decimal] = {}
    if row is None and posting.head_num is not None:
        for allocation in payment_entry.allocations(ctx.epicor, posting.head_num):
            name = allocation.invoice_num.strip().casefold()
            left[name] = left.get(name, Decimal(0)) + allocation.doc_tran_amt
    if row is not None or any(left.values()):
        head_num = row.head_num if row is not None else posting.head_num
        raise Held(
            f"Epicor took the void of payment {head_num}, but still shows it taken off its invoices.",
            system=System.EPICOR,
            code="void_not_confirmed",
            hint="Look at the payment and its invoices in Epicor; voiding may wait for a posting there.",
        )
    return {}


def _head(posting: Posting) -> int:
    if posting.head_num is None:
        raise Held("The payment has no HeadNum yet.", system=System.EPICOR, code="payment_gone")
    return posting.head_num
