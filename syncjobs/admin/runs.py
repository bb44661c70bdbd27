"""Runs of stages and the remote calls they made: history, with cancelling what runs now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display

from syncjobs import stories
from syncjobs.admin.decisions import DecidingAdmin, Decision
from syncjobs.admin.filters import ChoicesDropdownFilter, DayRangeFilter, TenantFilter
from syncjobs.admin.lists import HistoryAdmin, address, two_lines, whole_number
from syncjobs.engine import loop
from syncjobs.models import COUNTS, Attempt, Batch, Posting, Problem, StageRun
from syncjobs.pages import Button, Facts, Page, Table
from syncjobs.states import BatchStatus, PostingState, RunStatus
from syncjobs.stories import answer_words, audited, called, in_order, operation_words
from syncjobs.templatetags.shown import NOTHING, TONES, badge, duration, link, state, when
from tenants.access import Capability
from tenants.audit import Actor
from tenants.models import AuditEvent

CANCEL = Decision(
    name="cancel",
    words="Cancel",
    done="cancelled",
    consequence="The run stops at its next page. What it has stored stays; the next run goes on from there.",
    needs_reason=False,
    capability=Capability.OPERATE,
)


@admin.register(StageRun)
class StageRunAdmin(DecidingAdmin):
    """Runs, the newest first."""

    decisions = (CANCEL,)
    list_display = (
        "started", "shown_stage", "shown_status", "number_read", "number_moved", "number_stuck",
        "took", "trigger", "tenant",
    )  # fmt: skip
    list_display_links = ("started", "shown_stage")
    list_filter = (
        TenantFilter, ("stage", ChoicesDropdownFilter), ("status", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter), ("started_at", DayRangeFilter), "dry_run",
    )  # fmt: skip
    search_fields = ("id", "error_code")
    search_help_text = "Run number"
    empty_words = "Nothing has run yet. Open a tenant and choose Stages, then Run now."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for a run's number."""
        return Q(pk=whole_number(term.lstrip("#")) or 0)

    @display(description="started", ordering="started_at")
    def started(self, run: StageRun) -> SafeString | str:
        """When it began."""
        return when(run.started_at, run.tenant)

    @display(description="stage", ordering="stage")
    def shown_stage(self, run: StageRun) -> SafeString:
        """The stage, and why its run failed."""
        return two_lines(run.get_stage_display(), run.error)

    @display(description="status", ordering="status", label=TONES)
    def shown_status(self, run: StageRun) -> tuple[str, str]:
        """How it ended, or that it runs."""
        words = run.get_status_display()
        return run.status, f"{words} (rehearsal)" if run.dry_run else words

    @display(description="read", ordering="read")
    def number_read(self, run: StageRun) -> str:
        """Records read."""
        return f"{run.read:,}"

    @display(description="created / updated")
    def number_moved(self, run: StageRun) -> str:
        """Records that got through and changed something."""
        return f"{run.created:,} / {run.updated:,}"

    @display(description="held / refused / unknown")
    def number_stuck(self, run: StageRun) -> str:
        """Records that need somebody."""
        return f"{run.held:,} / {run.rejected:,} / {run.uncertain:,}"

    @display(description="took")
    def took(self, run: StageRun) -> str:
        """How long it ran."""
        return duration(seconds_of(run))

    def carry_out(
        self, row: StageRun, decision: Decision, *, actor: Actor, reason: str, options: Mapping[str, str]
    ) -> str:
        """Cancel one run."""
        return "" if loop.cancel(row, actor=actor) else f"It has ended already: {row.get_status_display().lower()}."

    def page(self, request: HttpRequest, row: StageRun) -> Page:
        """Show what it moved, what it sent and wrote, what it found, and its calls."""
        about = [
            ("Stage", row.get_stage_display()),
            ("Started by", f"{row.get_trigger_display()} ({row.asked_by or 'nobody'})"),
            ("Reason", row.reason or NOTHING), ("Started", when(row.started_at, row.tenant)),
            ("Ended", when(row.ended_at, row.tenant)), ("Took", duration(seconds_of(row))),
            ("Kind", _kind(row)), ("Calls made", f"{row.requests:,}"),
            *([("Progress", row.progress)] if row.progress else []),
            *([("Replays", link(address(row.replay_of), row.replay_of))] if row.replay_of else []),
        ]  # fmt: skip
        counts = [(_COUNT_WORDS[name], f"{row.counts[name]:,}") for name in COUNTS]
        calls = Attempt.objects.filter(run=row).order_by("-pk")[: stories.MOST]
        trail = AuditEvent.objects.filter(tenant=row.tenant, run=str(row.pk)).order_by("-sequence")[: stories.MOST]
        return Page(
            title=str(row),
            badges=[state(row.status, RunStatus), *([badge("", "Rehearsal")] if row.dry_run else [])],
            notice=row.error,
            buttons=self._buttons(request, row),
            facts=[Facts("Run", about), Facts("What came of what it read", counts)],
            tables=[_made(row), _found(row)],
            story="Calls and decisions, the newest hundred of each",
            events=in_order((called(call) for call in calls), (audited(event) for event in trail)),
            technical=[("What went wrong", row.error_detail)] if row.error_detail else [],
        )

    def _buttons(self, request: HttpRequest, row: StageRun) -> list[Button]:
        if row.status == RunStatus.RUNNING:
            return [self.decide_button(row, "cancel")] if self.may(request, row.tenant, Capability.OPERATE) else []
        return self.replay_button(request, row)


@admin.register(Attempt)
class AttemptAdmin(HistoryAdmin):
    """Remote calls, the newest first; for IT."""

    list_display = ("started", "system", "call", "answer", "number_seconds", "request_id", "shown_run", "tenant")
    list_display_links = ("started", "call")
    list_filter = (TenantFilter, "system", ("started_at", DayRangeFilter))
    list_select_related = ("tenant", "run")
    search_fields = ("id",)
    search_help_text = "Run number"
    empty_words = "No call has been made yet."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for a run's calls."""
        return Q(run=whole_number(term.lstrip("#")) or 0)

    @display(description="at", ordering="started_at")
    def started(self, call: Attempt) -> SafeString | str:
        """When it was made."""
        return when(call.started_at, call.tenant)

    @display(description="call", ordering="operation")
    def call(self, call: Attempt) -> str:
        """What was asked."""
        return operation_words(call.operation)

    @display(description="answer", ordering="status")
    def answer(self, call: Attempt) -> SafeString:
        """What kind of answer came."""
        good = call.status is not None and call.status < 400
        return badge("done" if good else "failed", answer_words(call.status))

    @display(description="took", ordering="seconds")
    def number_seconds(self, call: Attempt) -> str:
        """How long it took."""
        return duration(call.seconds)

    @display(description="run")
    def shown_run(self, call: Attempt) -> SafeString | str:
        """The run it belongs to."""
        return link(address(call.run), f"#{call.run_id}") if call.run else NOTHING

    def page(self, request: HttpRequest, row: Attempt) -> Page:
        """Show one call; what went over the wire stands behind a disclosure."""
        event = called(row)
        owners = (("Run", row.run), ("Batch", row.batch), ("Document", row.posting))
        about = [
            ("System", event.where), ("Call", operation_words(row.operation)), ("Answer", answer_words(row.status)),
            ("At", when(row.started_at, row.tenant)), ("Took", duration(row.seconds)),
            ("Their number for it", row.request_id or NOTHING), ("Sent", f"{row.request_bytes:,} bytes"),
            ("Came back", f"{row.response_bytes:,} bytes"),
        ]  # fmt: skip
        belongs = [(name, link(address(one), one)) for name, one in owners if one is not None]
        return Page(
            title=event.title,
            badges=[self.answer(row)],
            facts=[Facts("Call", about), Facts("Belongs to", belongs, "Nothing: the run is gone.")],
            technical=[("Everything", event.technical)],
        )


_COUNT_WORDS = {
    "read": "Read", "created": "Created", "updated": "Updated", "unchanged": "Unchanged", "held": "Held",
    "rejected": "Refused", "uncertain": "Outcome unknown",
}  # fmt: skip


def seconds_of(run: StageRun, now: datetime | None = None) -> float:
    """Return how long a run took, or has taken so far."""
    return ((run.ended_at or now or timezone.now()) - run.started_at).total_seconds()


def _kind(run: StageRun) -> str:
    words = ["Reads everything" if run.full_read else "Reads what changed"]
    return ", ".join([*words, "writes nothing (rehearsal)"] if run.dry_run else words)


def _made(row: StageRun) -> Table:
    batches = [
        (link(address(one), one), one.get_kind_display(), state(one.state, BatchStatus), f"{one.item_count:,}")
        for one in Batch.objects.filter(run=row).order_by("pk")[: stories.MOST]
    ]
    documents = [
        (link(address(one), one.natural_key), one.get_kind_display(), state(one.state, PostingState), NOTHING)
        for one in Posting.objects.filter(run=row).order_by("pk")[: stories.MOST]
    ]
    headers = ("Batch or document", "Kind", "State", "Items")
    more = f"Only the first {stories.MOST} are shown." if stories.MOST in (len(batches), len(documents)) else ""
    return Table("What it sent and wrote", headers, [*batches, *documents], "Nothing.", frozenset({3}), more)


def _found(row: StageRun) -> Table:
    found = Problem.objects.filter(tenant=row.tenant, stage=row.stage, run=row).order_by("-pk")[: stories.MOST]
    rows: list[Any] = [(link(address(one), one.message), one.hint or NOTHING, one.get_turn_display()) for one in found]
    more = f"Only the newest {stories.MOST} are shown." if len(rows) == stories.MOST else ""
    return Table("Problems it found", ("What", "What to do", "Whose turn"), rows, "None.", more=more)
