"""What was already done about a captured invoice in Epicor, and therefore what has to be done next.

A captured invoice may have several postings: its first, one that takes it back after AvidXchange changed or withdrew
it, the one that enters it again, and replays. Only the newest is ever open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

import msgspec
from django.db.models import Max

from connector.epicor.drafts import InvoiceDraft
from syncjobs.engine import captured_links, postings
from syncjobs.engine.ap_invoices import removal
from syncjobs.engine.context import StageContext
from syncjobs.models import InvoiceLink, Posting
from syncjobs.states import POSTING_OPEN, PostingState

KIND = "ap_invoice"


class Next(Enum):
    """What an invoice needs."""

    GO_ON = auto()
    REMOVE = auto()
    ENTER = auto()
    NOTHING = auto()


@dataclass(slots=True)
class History:
    """An invoice's postings, oldest first."""

    rows: list[Posting] = field(default_factory=list)

    @property
    def open(self) -> Posting | None:
        """The posting that is not at its end, if there is one."""
        return self.rows[-1] if self.rows and self.rows[-1].state in POSTING_OPEN else None

    @property
    def under_way(self) -> bool:
        """Whether the open posting goes on whatever the invoice's translation says by now."""
        waiting = self.open
        begun = waiting is not None and bool(waiting.steps) and waiting.state != PostingState.HELD
        return begun or (waiting is not None and not _draft(waiting).lines)

    @property
    def standing(self) -> Posting | None:
        """The posting of which something may stand in Epicor, apart from an open one that has made no step."""
        found: Posting | None = None
        for row in self.rows:
            if _draft(row).lines:
                found = row if row.steps else found
            elif row.state == PostingState.DONE:
                found = None
        return found

    def next(self, draft: InvoiceDraft | None) -> Next:
        """Say what has to be done so that ``draft``, or nothing where it is None, stands in Epicor."""
        waiting, there = self.open, self.standing
        if waiting is not None and not _draft(waiting).lines:
            return Next.GO_ON
        if waiting is not None and there is waiting:
            # What is half written is written to its end as it was begun, unless it is held and would differ now.
            settled = waiting.state == PostingState.HELD and not (draft is not None and same(waiting, draft))
            return Next.REMOVE if settled else Next.GO_ON
        if there is None:
            return Next.NOTHING if draft is None else Next.ENTER
        if draft is None or not same(there, draft):
            return Next.REMOVE
        if waiting is not None or there.state != PostingState.DONE:
            return Next.ENTER
        return Next.NOTHING


def same(posting: Posting, draft: InvoiceDraft) -> bool:
    """Tell whether a posting writes just this draft; the apply date may follow the day and does not count."""
    undated = msgspec.structs.replace(_draft(posting), apply_date=None)
    return undated == msgspec.structs.replace(draft, apply_date=None)


def takes_back(posting: Posting) -> bool:
    """Tell whether a posting is one of which nothing is to stand."""
    return not _draft(posting).lines


def load(ctx: StageContext, links: Sequence[InvoiceLink]) -> dict[int, History]:
    """Return every invoice's history, by the link's key, in one query."""
    found: dict[int, History] = defaultdict(History)
    mine = Posting.objects.filter(tenant=ctx.tenant, kind=KIND, invoice__in=[link.pk for link in links])
    for row in mine.select_related("invoice").order_by("pk"):
        found[row.invoice_id or 0].rows.append(row)
    return found


def begin(ctx: StageContext, link: InvoiceLink, draft: InvoiceDraft, past: History) -> Posting:
    """Commit the intent to write ``draft``: the open posting that has made no step takes it, else a new version does.

    Call it inside ``ctx.commit()``.
    """
    natural_key = f"{draft.company}|{draft.vendor_num}|{draft.invoice_num}"
    waiting = past.open
    alike = waiting is not None and bool(_draft(waiting).lines) == bool(draft.lines)
    reusable = waiting is not None and alike and not waiting.steps and waiting.natural_key == natural_key
    if waiting is not None and not reusable:
        captured_links.give_up(ctx, [link], why="A newer version of the invoice took its place.")
    known = Posting.objects.filter(tenant=ctx.tenant, kind=KIND, natural_key=natural_key)
    newest = known.aggregate(newest=Max("version"))["newest"] or 0
    version = waiting.version if waiting is not None and reusable else newest + 1
    posting = postings.ensure(ctx, KIND, natural_key, draft, invoice=link, version=version)
    past.rows = [row for row in past.rows if row.pk != posting.pk] + [posting]
    return posting


def begin_removal(ctx: StageContext, link: InvoiceLink, past: History) -> Posting:
    """Commit the intent to take back what stands of the invoice; inside ``ctx.commit()``."""
    there = past.standing
    if there is None:
        raise ValueError(f"nothing of {link} stands in Epicor")
    return begin(ctx, link, removal(_draft(there)), past)


def _draft(posting: Posting) -> InvoiceDraft:
    return postings.draft_of(posting, InvoiceDraft)
