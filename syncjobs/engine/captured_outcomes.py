"""What became of a captured invoice in this run: its row, its problem and its count, in one transaction each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connector.translate.codebook import Hold
from syncjobs.engine import problems
from syncjobs.engine.captured_cases import Case, claim
from syncjobs.engine.captured_links import GONE, REMOVED, key
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding
from syncjobs.models import InvoiceImage, InvoiceLink, Posting
from syncjobs.states import ImageState, InvoiceState, PostingState, advance
from tenants import audit

CHANGED = "changed_after_posting"
#: Steps that are made anew each time and so say nothing about whether anything was written.
_ALWAYS = frozenset({"accounts", "release"})


def hold(ctx: StageContext, found: Sequence[tuple[Case, Hold]]) -> None:
    """Hold invoices for what translation says, a page at once."""
    if not found:
        return
    with ctx.commit():
        for case, why in found:
            link = case.link
            if case.vendor_num is not None and case.past.standing is None and _numbered(link):
                claim(ctx, case, case.vendor_num, link.invoice_num)
            _put(ctx, link, state=InvoiceState.HELD, outcome="held", hold=why)
        told = {key(case.link): _finding(case.link, why, stands=bool(case.past.standing)) for case, why in found}
        problems.report_page(ctx, "invoice", told)
        InvoiceLink.objects.bulk_update([case.link for case, _why in found], _COLUMNS, batch_size=200)


def hold_one(ctx: StageContext, case: Case, why: Hold) -> None:
    """Hold one invoice for what became of its document or its key."""
    _settle(ctx, case.link, state=InvoiceState.HELD, outcome="held", hold=why)


def hold_document(ctx: StageContext, case: Case, posting: Posting) -> None:
    """Hold an invoice whose posting ended held; the posting's message says everything."""
    hold_one(ctx, case, Hold(posting.code or "held", posting.message))


def wait(ctx: StageContext, case: Case, posting: Posting) -> None:
    """Leave an invoice half written; a later run goes on with it."""
    why = None
    if posting.state == PostingState.UNCERTAIN:
        hint = "Nothing to do: Epicor is looked at first, and only what is missing is written."
        why = Hold("outcome_unknown", f"The answer of Epicor to a step was lost. {posting.message}", hint=hint)
    elif posting.code:
        why = Hold(posting.code, posting.message)
    _settle(ctx, case.link, state=InvoiceState.WRITING, outcome="uncertain", hold=why)


def leave(ctx: StageContext, case: Case, posting: Posting) -> None:
    """Leave an invoice as it is, because it is not its posting's time."""
    held = posting.state == PostingState.HELD
    with ctx.commit():
        case.link.seen_run, case.link.outcome = ctx.run.pk, "held" if held else "uncertain"
        case.link.save(update_fields=["seen_run", "outcome", "updated_at"])


def would(ctx: StageContext, case: Case, outcome: str) -> None:
    """Count in a rehearsal what a run would do."""
    with ctx.commit():
        case.link.seen_run, case.link.outcome = ctx.run.pk, outcome
        case.link.save(update_fields=["seen_run", "outcome", "updated_at"])


def written(ctx: StageContext, case: Case, posting: Posting | None) -> None:
    """Note that the invoice stands in Epicor as AvidXchange has it; without a posting it did so before."""
    link = case.link
    first = link.sent_at is None
    if posting is not None and (first or _wrote(posting)):
        outcome = "created" if first else "updated"
        link.sent_at = ctx.now()
    else:
        outcome = "unchanged"
    image = _step(posting, "image") if posting is not None else {}
    missing = Hold(
        image["code"],
        f"Invoice {link.invoice_num} was written to Epicor without its image: {image['no_image']}",
        hint="Attach the image by hand, if it is needed.",
    ) if image.get("no_image") else None  # fmt: skip
    with ctx.commit():
        _put(ctx, link, state=InvoiceState.WRITTEN, outcome=outcome, hold=None)
        if image.get("file_name"):
            _note_image(ctx, link, image)
        problems.report_page(ctx, "invoice", {key(link): _finding(link, missing) if missing else None})
        link.save(update_fields=[*_COLUMNS, "sent_at", "updated_at"])


def withdrawn(ctx: StageContext, case: Case) -> None:
    """Note that nothing of the invoice stands in Epicor any more, as AvidXchange wished; its key is free again."""
    link = case.link
    with ctx.commit():
        problems.report_page(ctx, "invoice", {key(link): None})
        audit.record(
            ctx.tenant,
            f"{ctx.stage}.withdrawn",
            actor=ctx.actor,
            subject=("invoice", key(link)),
            after={"state": str(InvoiceState.WITHDRAWN), "avid_id": link.avid_id},
            run=ctx.run.pk,
        )
        _put(ctx, link, state=InvoiceState.WITHDRAWN, outcome="updated", hold=None)
        link.state_reason, link.vendor_num = GONE, None
        link.save(update_fields=[*_COLUMNS, "vendor_num", "updated_at"])


def freed(ctx: StageContext, case: Case) -> None:
    """Note that the old version of the invoice is out of Epicor, so that the new one may take any key."""
    with ctx.commit():
        problems.report_page(ctx, "invoice", {key(case.link): None})
        case.link.vendor_num = None
        case.link.save(update_fields=["vendor_num", "updated_at"])


def too_late(ctx: StageContext, case: Case, posting: Posting) -> None:
    """Leave a posted invoice alone, and tell a person that AvidXchange changed or withdrew it after that."""
    link = case.link
    gone = not link.captured_hash
    what = "withdrew" if gone else f"changed (to {link.gross_amount} {link.currency})"
    why = Hold(
        REMOVED if gone else CHANGED,
        f"AvidXchange {what} invoice {link.invoice_num} of {link.vendor_name or 'its vendor'} after it was posted in "
        "Epicor, where it stays as it is.",
        hint="Compare the two. Correct Epicor with a debit memo or correction invoice if AvidXchange is right.",
    )
    with ctx.commit():
        advance(posting, PostingState.ABANDONED)
        _put(ctx, link, state=InvoiceState.WRITTEN, outcome="held", hold=None)
        problems.report_page(ctx, "invoice", {key(link): _finding(link, why)})
        link.save(update_fields=[*_COLUMNS, "updated_at"])


_COLUMNS = ("state", "state_reason", "hold_code", "hold_message", "seen_run", "outcome")


def _settle(ctx: StageContext, link: InvoiceLink, *, state: InvoiceState, outcome: str, hold: Hold | None) -> None:
    with ctx.commit():
        _put(ctx, link, state=state, outcome=outcome, hold=hold)
        problems.report_page(ctx, "invoice", {key(link): _finding(link, hold) if hold else None})
        link.save(update_fields=[*_COLUMNS, "updated_at"])


def _put(ctx: StageContext, link: InvoiceLink, *, state: InvoiceState, outcome: str, hold: Hold | None) -> None:
    link.state, link.seen_run, link.outcome = state, ctx.run.pk, outcome
    link.hold_code = hold.code[:60] if hold else ""
    link.hold_message = f"{hold.message} {hold.hint}".strip() if hold else ""
    link.state_reason = hold.message[:500] if hold else ""


def _finding(link: InvoiceLink, why: Hold, *, stands: bool = False) -> Finding:
    if stands:
        add = "An earlier version of it stands in Epicor until this is solved; do not post that."
        why = Hold(why.code, f"{why.message} {add}", field=why.field, hint=why.hint)
    return Finding.of(why, subject_id=link.pk, amount=link.gross_amount, currency=link.currency, due_date=link.due_date)


def _numbered(link: InvoiceLink) -> bool:
    return link.vendor_num is None and 0 < len(link.invoice_num) < 100


def _wrote(posting: Posting) -> bool:
    done = (entry for entry in posting.steps if entry["state"] == "done" and entry["step"] not in _ALWAYS)
    return any(not entry.get("found") for entry in done)


def _step(posting: Posting, name: str) -> dict[str, Any]:
    return next((one for one in reversed(posting.steps) if one["step"] == name and one["state"] == "done"), {})


def _note_image(ctx: StageContext, link: InvoiceLink, image: dict[str, Any]) -> None:
    facts = {"state": ImageState.SENT, "size": image.get("size") or 0, "sent_at": ctx.now()}
    InvoiceImage.objects.update_or_create(tenant=ctx.tenant, invoice=link, file_name=image["file_name"], defaults=facts)
