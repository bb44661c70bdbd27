"""What needs a person: by cause, in plain words, with whose turn it is, the money at stake and what to do.

Problems resolve by themselves when their record gets through; a person may also resolve or ignore one with a reason,
take it on, or have its record tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from unfold.decorators import display

from syncjobs import selectors
from syncjobs.admin.decisions import Asked, DecidingAdmin, Decision
from syncjobs.admin.filters import ChoicesDropdownFilter, CodeFilter, DayRangeFilter, QueueFilter, TenantFilter, cause
from syncjobs.admin.lists import address, two_lines
from syncjobs.engine import problem_decisions
from syncjobs.engine.replay_targets import KINDS
from syncjobs.models import (
    Batch,
    GLAccountMapping,
    InvoiceLink,
    Payment,
    Posting,
    Problem,
    PurchaseOrderLink,
    VendorMapping,
)
from syncjobs.pages import Button, Event, Facts, Page
from syncjobs.states import ProblemState
from syncjobs.stories import HERE, trail
from syncjobs.templatetags.shown import NOTHING, TONES, day, link, money, state, when
from tenants import access
from tenants.access import Capability
from tenants.audit import Actor

RESOLVE = Decision(
    name="resolve",
    words="Resolve",
    done="resolved",
    consequence="Resolving says that it is dealt with. If a later run still finds it, it opens again.",
)
IGNORE = Decision(
    name="ignore",
    words="Ignore",
    done="ignored",
    consequence="Ignoring says that it may stay as it is. It does not open again until something about it changes.",
)
TAKE_ON = Decision(
    name="take_on",
    words="Assign to me",
    done="assigned to you",
    consequence="Others see that you look after it.",
    needs_reason=False,
)
REOPEN = Decision(
    name="reopen",
    words="Open again",
    done="opened again",
    consequence="It goes back to those that need somebody.",
)
#: Which table a subject's number is of.
SUBJECTS: dict[str, type[Model]] = {
    "vendor": VendorMapping, "gl_account": GLAccountMapping, "purchase_order": PurchaseOrderLink,
    "invoice": InvoiceLink, "payment": Payment, "batch": Batch, "posting": Posting,
}  # fmt: skip


@admin.register(Problem)
class ProblemAdmin(DecidingAdmin):
    """Problems, the newest first, the open ones grouped by cause above the list."""

    decisions = (RESOLVE, IGNORE, TAKE_ON, REOPEN)
    list_display = ("shown_message", "money_at_stake", "turn", "assigned_to", "shown_state", "since", "tenant")
    list_display_links = ("shown_message",)
    list_filter = (
        TenantFilter, QueueFilter, CodeFilter, ("state", ChoicesDropdownFilter), ("turn", ChoicesDropdownFilter),
        ("stage", ChoicesDropdownFilter), ("created_at", DayRangeFilter),
    )  # fmt: skip
    list_select_related = ("tenant", "assigned_to")
    search_fields = ("subject_key",)
    search_help_text = "Whole key, such as EPIC06|104|INV-77, or invoice number"
    ordering = ("-id",)
    list_before_template = "admin/syncjobs/problem_groups.html"
    empty_words = "Nothing needs anybody. Problems appear here when a record cannot go on by itself."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for a subject's key, or for the invoice of that number."""
        invoices = InvoiceLink.objects.filter(invoice_num=term).values("pk")
        return Q(subject_key=term) | Q(subject_kind="invoice", subject_id__in=invoices)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the causes of the open ones above the list."""
        tenants = access.tenants_for(request.user)
        if request.GET.get("tenant"):
            tenants = tenants.filter(slug=request.GET["tenant"])
        groups = [
            (group, cause(group.code), self._group_address(request, group.code))
            for group in selectors.open_problems(tenants)
        ]
        answer: HttpResponse = super().changelist_view(request, {"groups": groups, **(extra_context or {})})
        return answer

    def _group_address(self, request: HttpRequest, code: str) -> str:
        chosen = {"state__exact": ProblemState.OPEN, "code": code}
        if request.GET.get("tenant"):
            chosen["tenant"] = request.GET["tenant"]
        return f"{reverse('admin:syncjobs_problem_changelist')}?{urlencode(chosen)}"

    @display(description="what", ordering="code")
    def shown_message(self, problem: Problem) -> SafeString:
        """What it is and what to do."""
        return two_lines(problem.message, problem.hint)

    @display(description="at stake", ordering="amount")
    def money_at_stake(self, problem: Problem) -> SafeString | str:
        """The money at stake."""
        return money(problem.amount, problem.currency)

    @display(description="state", ordering="state", label=TONES)
    def shown_state(self, problem: Problem) -> tuple[str, str]:
        """The state as a word in its colour."""
        return problem.state, problem.get_state_display()

    @display(description="since", ordering="created_at")
    def since(self, problem: Problem) -> SafeString | str:
        """When it was found first."""
        return when(problem.created_at, problem.tenant)

    # --- deciding ---

    def ask(self, rows: Sequence[Any], decision: Decision, options: Mapping[str, str]) -> list[Asked]:
        """Say what each problem is about and what it is worth."""
        return [Asked(row, link(address(row), row.message), decision.words, NOTHING) for row in rows]

    def carry_out(
        self, row: Problem, decision: Decision, *, actor: Actor, reason: str, options: Mapping[str, str]
    ) -> str:
        """Decide one problem."""
        if decision is TAKE_ON:
            return problem_decisions.take_on(row, actor=actor)
        decide = {
            RESOLVE.name: problem_decisions.resolve,
            IGNORE.name: problem_decisions.ignore,
            REOPEN.name: problem_decisions.reopen,
        }
        return decide[decision.name](row, actor=actor, reason=reason)

    # --- its page ---

    def page(self, request: HttpRequest, row: Problem) -> Page:
        """Show what it is, whose turn it is, and what was done about it."""
        subject = link_to_subject(row)
        what = [
            ("What to do", row.hint or "Look at the record; its page tells the whole story."),
            ("Whose turn", row.get_turn_display()),
            ("Looked after by", str(row.assigned_to or "Nobody yet")),
            ("At stake", money(row.amount, row.currency)),
            ("Due", day(row.due_date)),
            ("About", subject),
            *([("Field", row.field)] if row.field else []),
        ]
        seen = [
            ("Cause", cause(row.code)), ("Stage", row.get_stage_display()),
            ("Found first", when(row.created_at, row.tenant)),
            ("Found last", when(row.last_seen_at, row.tenant)), ("In how many runs", f"{row.times:,}"),
        ]  # fmt: skip
        if row.state != ProblemState.OPEN:
            seen += [
                (str(row.get_state_display()), when(row.resolved_at, row.tenant)), ("By", row.resolved_by),
                ("Reason", row.resolution),
            ]  # fmt: skip
        found = Event(at=row.created_at, where=HERE, title="Found", detail=row.message, tone="warning")
        return Page(
            title=row.message,
            badges=[state(row.state, ProblemState)],
            buttons=self._buttons(request, row),
            facts=[Facts("What it is", what), Facts("What is known", seen)],
            story="What happened",
            events=sorted([found, *trail(row.tenant, [row.subject_kind], row.subject_key)], key=lambda one: one.at),
            technical=[("Details", {"code": row.code, "subject": f"{row.subject_kind} {row.subject_key}"})],
        )

    def _buttons(self, request: HttpRequest, row: Problem) -> list[Button]:
        names = ("resolve", "ignore", "take_on") if row.state == ProblemState.OPEN else ("reopen",)
        may = self.may(request, row.tenant, Capability.REVIEW)
        buttons = [self.decide_button(row, name) for name in names] if may else []
        if row.subject_kind in KINDS and self.may(request, row.tenant, Capability.OPERATE):
            asked = {"tenant": row.tenant.slug, "kind": row.subject_kind, "key": row.subject_key}
            buttons.insert(0, Button("Try again", f"{reverse('syncjobs:replay')}?{urlencode(asked)}"))
        return buttons


def link_to_subject(problem: Problem) -> SafeString | str:
    """Return a link to what a problem is about, or its key where there is no page of it."""
    words = f"{problem.subject_kind.replace('_', ' ').capitalize()} {problem.subject_key}"
    model = SUBJECTS.get(problem.subject_kind)
    if model is None:
        return words
    rows = model._default_manager.filter(tenant=problem.tenant)
    row = rows.filter(pk=problem.subject_id).first() if problem.subject_id else None
    if row is None and model is Batch:
        row = rows.filter(external_id=problem.subject_key).first()
    return link(address(row), words) if row is not None else words
