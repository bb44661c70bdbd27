"""Building AP payments in check groups and posting each group once, so that one bad payment never stops the others.

A run fills one group for each bank account. Nothing but complete payments of ours is ever posted: a payment that could
not be completed is taken out of Epicor again before its group is posted, and a group that Epicor refuses to post is
broken up, so that each of its payments is posted, or refused, by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import F
from django.db.models.functions import Now

from connector.epicor import payment_entry
from connector.epicor.drafts import PaymentDraft
from connector.epicor.records import Payment, text
from connector.transport.errors import ConnectorError, Held, Rejected, Retry, System, Uncertain
from syncjobs.engine import payment_steps, postings
from syncjobs.engine.context import StageContext
from syncjobs.engine.payment_steps import GROUP, TOTALS
from syncjobs.engine.postings import Facts, Step
from syncjobs.models import Posting
from syncjobs.states import PostingState
from tenants import audit

#: Payments of one group; more go into another one, so that reading a group stays one question.
GROUP_MAX = 200
#: Epicor's group ids are short.
GROUP_ID_MAX = 9
#: Pauses, in seconds, before a held document is tried again; the last one repeats. What holds it is put right by a
#: person in Epicor, who tells nobody.
HELD_PAUSES = (300, 1800, 7200, 21600)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass
class Recorder:
    """The groups of one run. ``built`` are the complete, unposted payments by group, as keys of their postings."""

    ctx: StageContext
    prefix: str
    posts: bool
    open_groups: dict[str, tuple[str, int]] = field(default_factory=dict)
    built: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    refused: dict[str, ConnectorError] = field(default_factory=dict)
    patience_s: float = 20.0

    def build(self, posting: Posting, *, alone: bool = False) -> PostingState:
        """Bring a payment into Epicor, complete and unposted; DONE at once where the tenant posts by hand."""
        draft = postings.draft_of(posting, PaymentDraft)

        def group_id(row: Posting, wanted: PaymentDraft) -> str:
            return self._group_of(row, wanted, alone=alone)

        joins = not posting.group_id and not alone
        state = self._work(posting, payment_steps.build(group_id, draft), finish=not self.posts)
        if self.posts and state == PostingState.READY and is_built(posting):
            self.built[posting.group_id].append(posting.pk)
        if joins and is_built(posting):
            name, number = self.open_groups.get(draft.bank_account_id, ("", 0))
            number = number + 1 if name == posting.group_id else 1
            self.open_groups[draft.bank_account_id] = (posting.group_id, number)
        if state == PostingState.HELD:
            hold(posting)
            self.take_back(posting)
        return state

    def post(self) -> Iterator[Posting]:
        """Post every group that was filled and yield each posting as far as it got. A group that cannot be posted as a
        whole is broken up."""
        for group_id in list(self.built):
            rows = list(Posting.objects.filter(pk__in=self.built.pop(group_id)).order_by("pk"))
            for posting in rows:
                self._post_one(posting)
            stuck = [row for row in rows if row.state == PostingState.HELD]
            if len(rows) > 1 and stuck:
                for posting in stuck:
                    self._again_alone(posting)
            yield from rows

    def take_back(self, posting: Posting) -> None:
        """Delete what a held posting left unposted in Epicor; one that a person may have changed stays.

        Whether that worked is seen when the posting is tried again: its header is looked for first.
        """
        if posting.head_num is None or posting.code in ("allocation_differs", "payment_twice"):
            return
        head_num = posting.head_num
        try:
            row = payment_steps.header_of(self.ctx, head_num)
            if row is not None and (row.posted or row.voided):
                return
            if row is not None:
                payment_entry.delete_unposted(self.ctx.epicor, head_num)
        except (Retry, Uncertain, Held, Rejected):
            self.ctx.calls.flush(posting_id=posting.pk)
            return
        self.ctx.calls.flush(posting_id=posting.pk)
        done = {entry["step"] for entry in posting.steps}
        undone = [{"step": name, "state": "undone", "at": self.ctx.now().isoformat()} for name in sorted(done)]
        posting.steps = [*posting.steps, *undone]
        posting.head_num, posting.group_id = None, ""
        with self.ctx.commit():
            Posting.objects.filter(pk=posting.pk, fence=posting.fence, state=posting.state).update(
                steps=posting.steps, head_num=None, group_id="", updated_at=Now()
            )
            audit.record(
                self.ctx.tenant,
                f"{self.ctx.stage}.taken_back",
                actor=self.ctx.actor,
                subject=(posting.kind, posting.natural_key),
                before={"head_num": head_num},
                reason=posting.message,
                run=self.ctx.run.pk,
            )

    def _group_of(self, posting: Posting, draft: PaymentDraft, *, alone: bool) -> str:
        """Return the group a payment goes into: the one it is in, the run's open one, or a new one named after it."""
        if posting.group_id:
            return posting.group_id
        name, number = self.open_groups.get(draft.bank_account_id, ("", GROUP_MAX))
        if alone or number >= GROUP_MAX:
            # Two names a posting: one for a group it leads, one for a group it has to itself.
            return f"{self.prefix}{in_base_36(2 * posting.pk + alone)}"[-GROUP_ID_MAX:]
        return name

    def _work(self, posting: Posting, steps: Sequence[Step], *, finish: bool = True) -> PostingState:
        """Work on a posting, and once more where an answer was lost: what came of the call shows soon after it."""
        state = postings.work(self.ctx, posting, steps, finish=finish)
        if state == PostingState.UNCERTAIN and self.patience_s >= postings.PAUSES[0]:
            self.patience_s -= postings.PAUSES[0]
            self.ctx.clock.sleep(postings.PAUSES[0])
            state = postings.work(self.ctx, posting, steps, finish=finish)
        return state

    def _post_one(self, posting: Posting) -> None:
        draft = postings.draft_of(posting, PaymentDraft)
        steps = [*payment_steps.build(lambda row, _draft: row.group_id, draft), payment_steps.post(self._post_group)]
        if self._work(posting, steps) == PostingState.HELD:
            hold(posting)

    def _post_group(self, ctx: StageContext, posting: Posting) -> Facts:
        group_id = posting.group_id
        if group_id in self.refused:
            raise self.refused[group_id]
        try:
            self._check(group_id)
            payment_entry.post_group(ctx.epicor, group_id)
        except (Held, Rejected) as refusal:
            self.refused[group_id] = refusal
            raise
        return payment_steps.confirm_posted(ctx, posting)

    def _check(self, group_id: str) -> None:
        """Make sure that only complete payments of ours are posted with the group.

        Raises ``Retry`` for one whose outcome is still unknown, ``Held`` for one that is not ours or not complete.
        """
        heads = {row.head_num for row in payment_steps.unposted_of(self.ctx, group_id)}
        ours = Posting.objects.filter(tenant=self.ctx.tenant, kind="ap_payment", head_num__in=heads)
        given_up = (PostingState.HELD, PostingState.ABANDONED)
        complete = {row.head_num for row in ours if is_built(row) and row.state not in given_up}
        unknown = heads - complete
        if not unknown:
            return
        listed = ", ".join(str(number) for number in sorted(unknown))
        if any(row.head_num in unknown and row.state == PostingState.UNCERTAIN for row in ours):
            raise Retry(
                f"Group {group_id} waits for payment {listed}, which is not complete yet.",
                system=System.EPICOR,
                code="group_incomplete",
            )
        raise Held(
            f"Group {group_id} holds payment {listed}, which is not one that is complete.",
            system=System.EPICOR,
            code="group_incomplete",
            hint="Move or delete that payment in Epicor; the others are posted in groups of their own.",
        )

    def _again_alone(self, posting: Posting) -> None:
        """Take a payment out of a group that was refused, and enter and post it in one of its own."""
        self.take_back(posting)
        if posting.head_num is not None or not reopen(posting):
            return
        if self.build(posting, alone=True) == PostingState.READY:
            self.built.pop(posting.group_id, None)
            self._post_one(posting)


def take_over(ctx: StageContext, posting: Posting, row: Payment) -> None:
    """Note that a payment which was not begun stands in Epicor, in its group; inside ``ctx.commit()``.

    No group is made for it then, and each of its other steps looks before it does anything.
    """
    if not posting.steps:
        group_id = text(row.group_id)
        done = {"step": GROUP, "state": "done", "at": ctx.now().isoformat(), "group_id": group_id, "found": True}
        posting.steps, posting.group_id = [done], group_id
        posting.save(update_fields=["steps", "group_id", "updated_at"])


def is_built(posting: Posting) -> bool:
    """Tell whether a payment stood in Epicor completely, when we last looked."""
    return _standing(posting, TOTALS) == "done"


def hold(posting: Posting) -> None:
    """Note when a held posting is tried again."""
    pause = HELD_PAUSES[min(posting.tries, len(HELD_PAUSES) - 1)]
    Posting.objects.filter(pk=posting.pk, state=PostingState.HELD).update(
        tries=F("tries") + 1, next_try_at=Now() + timedelta(seconds=pause)
    )
    posting.refresh_from_db(fields=["tries", "next_try_at"])


def due(ctx: StageContext, rows: Collection[Posting]) -> set[int]:
    """Return the keys of those postings whose pause is over, if they have one; a person does not wait for pauses."""
    if ctx.run.trigger in ("person", "replay"):
        return {row.pk for row in rows}
    pausing = Posting.objects.filter(pk__in=[row.pk for row in rows], next_try_at__gt=Now())
    return {row.pk for row in rows} - set(pausing.values_list("pk", flat=True))


def reopen(posting: Posting) -> bool:
    """Make a held posting ready again; False if somebody else has moved it."""
    moved = Posting.objects.filter(pk=posting.pk, state=PostingState.HELD).update(
        state=PostingState.READY, next_try_at=None, updated_at=Now()
    )
    if moved == 1:
        posting.refresh_from_db()
    return moved == 1


def in_base_36(number: int) -> str:
    """Return a number in digits and capital letters, which is short enough for a group id."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


def _standing(posting: Posting, name: str) -> str:
    return next((entry["state"] for entry in reversed(posting.steps) if entry["step"] == name), "")
