"""The approval of an invoice, shown in a column of Epicor where a tenant names one (option ``approval_column``).

A mark is a posting of one step that looks first: if the column says so already, nothing is written. Each change of an
approval is its own mark, and one that has been overtaken by the next is abandoned, never written late.
"""

from __future__ import annotations

from django.db.models.functions import Now
from msgspec import Struct

from connector.epicor.invoice_columns import read_column, write_column
from connector.stages import Stage
from syncjobs.engine import locks, postings, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.postings import Facts, Step
from syncjobs.engine.problems import Finding
from syncjobs.engine.submissions import PENDING, key, money
from syncjobs.models import InvoiceLink, Posting
from syncjobs.states import INVOICE_THERE, PostingState

KIND = "approval_mark"
CODE = "approval_not_shown"
SLICE = 200
OVERTAKEN = "The approval has changed again meanwhile."


class MarkDraft(Struct, frozen=True, kw_only=True):
    """What one invoice's column is to say."""

    vendor_num: int
    invoice_num: str
    column: str
    value: str


def work(ctx: StageContext) -> None:
    """Write down which approvals Epicor has not been shown yet, and show them."""
    column = ctx.options.approval_column
    if not column or ctx.dry_run:
        return
    _plan(ctx, column)
    for posting in list(postings.live(ctx, Stage.APPROVALS_IN).filter(kind=KIND).select_related("invoice")):
        _show(ctx, posting)


def _plan(ctx: StageContext, column: str) -> None:
    """Commit the intent to show every approval that is not shown as it is; a pending one only takes another back."""
    last = 0
    there = InvoiceLink.objects.filter(
        tenant=ctx.tenant, direction=InvoiceLink.OUT, state__in=INVOICE_THERE, vendor_num__isnull=False
    )
    todo = there.exclude(approval="").exclude(approval=PENDING, approval_marked="").order_by("pk")
    while rows := list(todo.filter(pk__gt=last).defer("desired", "captured")[:SLICE]):
        with ctx.commit():
            for row in rows:
                if row.approval != row.approval_marked:
                    _ensure(ctx, row, column)
        last = rows[-1].pk


def _ensure(ctx: StageContext, row: InvoiceLink, column: str) -> None:
    stamp = row.approval_changed_at.isoformat() if row.approval_changed_at else "-"
    draft = MarkDraft(
        vendor_num=row.vendor_num or 0, invoice_num=row.invoice_num, column=column, value=row.approval.capitalize()
    )
    posting = postings.ensure(ctx, KIND, f"{key(row)}|{row.approval}|{stamp}", draft, invoice=row)
    held = Posting.objects.filter(tenant=ctx.tenant, invoice=row, kind=KIND, state=PostingState.HELD)
    held.exclude(pk=posting.pk).update(state=PostingState.ABANDONED, message=OVERTAKEN, updated_at=Now())


def _show(ctx: StageContext, posting: Posting) -> None:
    link = posting.invoice
    draft = postings.draft_of(posting, MarkDraft)
    if link is None or link.approval.capitalize() != draft.value:
        if locks.claim(posting, {PostingState.READY, PostingState.UNCERTAIN}, PostingState.RUNNING):
            locks.release(posting, PostingState.ABANDONED, message=OVERTAKEN)
        return
    state = postings.work(ctx, posting, [Step("mark", look=_look, do=_write, look_first=True)])
    with ctx.commit():
        if state == PostingState.DONE:
            InvoiceLink.objects.filter(pk=link.pk).update(approval_marked=draft.value.lower())
            problems.resolve(ctx, "invoice", key(link), codes=(CODE,), why="Epicor shows the approval.")
        elif state == PostingState.HELD:
            problems.report(ctx, "invoice", key(link), _finding(link, posting))


def _look(ctx: StageContext, posting: Posting) -> Facts | None:
    draft = postings.draft_of(posting, MarkDraft)
    shown = read_column(ctx.epicor, draft.vendor_num, draft.invoice_num, draft.column)
    return {"column": draft.column, "value": shown} if shown == draft.value else None


def _write(ctx: StageContext, posting: Posting) -> Facts:
    draft = postings.draft_of(posting, MarkDraft)
    write_column(ctx.epicor, draft.vendor_num, draft.invoice_num, draft.column, draft.value)
    return {"column": draft.column, "value": draft.value}


def _finding(link: InvoiceLink, posting: Posting) -> Finding:
    return Finding(
        code=CODE,
        message=f"Epicor does not show that invoice {link.invoice_num} is {link.approval}: {posting.message}",
        hint="Correct the column in the tenant's options or its rights in Epicor, then replay the posting.",
        subject_id=link.pk,
        **money(link),
    )
