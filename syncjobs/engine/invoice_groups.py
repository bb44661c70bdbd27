"""Posting the entry groups of captured invoices, where a tenant's options ask for it.

A group is posted once every invoice entered in it stands as it was approved, by a posting of its own: intent first,
and after a lost answer Epicor is asked whether the invoices are posted. A held invoice keeps its group from being
posted, because Epicor posts whatever balances, a wrong account too. What Epicor refuses to post stays in the group for
a person, whose turn it is with the group's own error log, and the invoices of other groups go on.
"""

from __future__ import annotations

import msgspec
from django.db.models import Exists, OuterRef, Q

from connector.epicor import ap_invoice_posting, odata
from connector.epicor import records as epicor
from connector.transport.errors import Held, System
from syncjobs.engine import postings, problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.postings import Facts, Step
from syncjobs.engine.problems import Finding
from syncjobs.models import Posting, Problem
from syncjobs.states import POSTING_OPEN, InvoiceState, PostingState, ProblemState, advance

KIND = "ap_invoice_group"
KEPT = "group_keeps_held"
#: Invoices that are not what they are to be in Epicor.
MOVING = (InvoiceState.CAPTURED, InvoiceState.WRITING)
#: The schedule leaves a group that Epicor refused to post to a person; one who runs the stage wants it tried again.
BY_ITSELF = frozenset({"schedule", "sweep", "poll"})


class GroupDraft(msgspec.Struct, frozen=True):
    """The group to be posted."""

    group_id: str


def post(ctx: StageContext) -> None:
    """Post every group of finished captured invoices that is not posted yet; nothing where the option is off."""
    if not ctx.options.post_captured_invoices or ctx.dry_run:
        return
    postings.live(ctx, ctx.stage)  # what dead workers left behind becomes uncertain
    groups, kept = _finished(ctx), _kept_by_held(ctx)
    _report_kept(ctx, kept)
    for group_id in (name for name in groups if name not in kept):
        with ctx.commit():
            posting = postings.ensure(ctx, KIND, group_id, GroupDraft(group_id))
            if posting.state == PostingState.HELD and ctx.run.trigger not in BY_ITSELF:
                advance(posting, PostingState.READY)
        if posting.state in (PostingState.READY, PostingState.UNCERTAIN):
            _report(ctx, posting, postings.work(ctx, posting, [Step("post", _look, _do, look_first=True)]))


def _finished(ctx: StageContext) -> list[str]:
    """Return the groups in which an invoice was written and none is being written, and that are not posted."""
    documents = Posting.objects.filter(tenant=ctx.tenant, kind="ap_invoice")
    posted = Posting.objects.filter(
        tenant=ctx.tenant, kind=KIND, natural_key=OuterRef("group_id"), state=PostingState.DONE
    )
    written = documents.filter(state=PostingState.DONE).exclude(group_id="").exclude(Exists(posted))
    moving = Q(state__in=POSTING_OPEN - {PostingState.HELD}) | Q(invoice__state__in=MOVING)
    at_work = documents.filter(moving).values_list("group_id", flat=True)
    names = written.exclude(group_id__in=list(at_work)).order_by("group_id").values_list("group_id", flat=True)
    return list(names.distinct())


def _kept_by_held(ctx: StageContext) -> dict[str, list[str]]:
    """Return the groups, with their held invoices, in which a document was begun that is not as it should be."""
    held = Posting.objects.filter(tenant=ctx.tenant, kind="ap_invoice", invoice__state=InvoiceState.HELD)
    found: dict[str, set[str]] = {}
    for group_id, number in held.exclude(group_id="").values_list("group_id", "invoice__invoice_num"):
        found.setdefault(group_id, set()).add(number or "")
    return {group_id: sorted(numbers) for group_id, numbers in found.items()}


def _report_kept(ctx: StageContext, kept: dict[str, list[str]]) -> None:
    waiting = Problem.objects.filter(tenant=ctx.tenant, subject_kind=KIND, code=KEPT, state=ProblemState.OPEN)
    found: dict[str, Finding | None] = dict.fromkeys(waiting.values_list("subject_key", flat=True))
    for group_id, numbers in kept.items():
        found[group_id] = Finding(
            code=KEPT,
            message=f"Group {group_id} of captured invoices is not posted, because {', '.join(numbers)} in it is held.",
            hint="Solve what holds it and the group is posted by itself, or post the group in Epicor by hand.",
        )
    with ctx.commit():
        problems.report_page(ctx, KIND, found)


def _look(ctx: StageContext, posting: Posting) -> Facts | None:
    """Posted is a group of which nothing in Epicor waits to be posted."""
    where = odata.and_(odata.eq("GroupID", posting.natural_key), "Posted eq false")
    return None if ctx.epicor.find(epicor.INVOICES, where) else {}


def _do(ctx: StageContext, posting: Posting) -> Facts:
    ap_invoice_posting.post_group(ctx.epicor, posting.natural_key)
    if _look(ctx, posting) is None:
        raise Held(
            f"Epicor did not post every invoice of group {posting.natural_key}, and says not why.",
            system=System.EPICOR,
            code="not_posted",
            hint="Epicor: AP Invoice Entry, open the group and post it there.",
        )
    return {}


def _report(ctx: StageContext, posting: Posting, state: PostingState) -> None:
    posting.refresh_from_db()
    finding = None
    if state == PostingState.HELD:
        finding = Finding(
            code=posting.code or "not_posted",
            message=f"Group {posting.natural_key} of captured invoices is not posted: {posting.message}",
            hint="Put it right in Epicor and post the group there, or run the stage again.",
            subject_id=posting.pk,
        )
    with ctx.commit():
        problems.report_page(ctx, KIND, {posting.natural_key: finding})
