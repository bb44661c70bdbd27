"""Mapping review: which Epicor vendor or GL account is which in AvidXchange. Epicor stands left, AvidXchange right.

A proposal shows its score, its reasons and the next candidates. Every decision goes through ``engine.review``, one
mapping at a time, and says before what it would release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from syncjobs.admin.decisions import Asked, DecidingAdmin, Decision
from syncjobs.admin.filters import ChoicesDropdownFilter, QueueFilter, TenantFilter
from syncjobs.admin.lists import address, two_lines, whole_number
from syncjobs.engine import review
from syncjobs.models import AvidVendor, GLAccountMapping, VendorMapping
from syncjobs.pages import Button, Facts, Page, Table
from syncjobs.releases import Waiting, invoices_waiting_for, waiting_for
from syncjobs.states import InvoiceState, MappingState, may_move
from syncjobs.stories import of_subject
from syncjobs.templatetags.shown import NOTHING, TONES, decoded, link, money, state, sums, when
from tenants.access import Capability
from tenants.audit import Actor

APPROVE = Decision(
    name="approve",
    words="Approve",
    done="approved",
    consequence="Approving sends the record to AvidXchange at the next run and releases what waits for it.",
    needs_reason=False,
    primary=True,
)
REJECT = Decision(
    name="reject",
    words="Reject",
    done="rejected",
    consequence="Rejecting says that the proposal is wrong. Nothing is sent, and invoices that need it stay held.",
)
IGNORE = Decision(
    name="ignore",
    words="Ignore",
    done="ignored",
    consequence="Ignoring leaves the record out of AvidXchange for good. Invoices that need it stay held.",
)
CREATE = Decision(
    name="create",
    words="Create new in AvidXchange",
    done="approved as new",
    consequence="A new record is made in AvidXchange at the next run, whatever was proposed.",
    needs_reason=False,
)
TAKE_BACK = Decision(
    name="take_back",
    words="Take back",
    done="put back into the queue",
    consequence="The decision is undone and the mapping waits for a person again. What was already sent stays sent; "
    "invoices that need it and have not been sent yet are held.",
)
_TO = {
    "approve": MappingState.APPROVED,
    "create": MappingState.APPROVED,
    "reject": MappingState.REJECTED,
    "ignore": MappingState.IGNORED,
    "take_back": MappingState.PROPOSED,
}


class MappingAdmin(DecidingAdmin):
    """What both kinds of mappings have in common."""

    decisions = (APPROVE, CREATE, REJECT, IGNORE, TAKE_BACK)
    search_help_text = "Number, code, name or id"
    list_per_page = 100
    empty_words = (
        "No mappings yet. They appear when the tenant's vendors and GL accounts have been read: run the stage."
    )

    @display(description="state", ordering="state", label=TONES)
    def shown_state(self, mapping: Any) -> tuple[str, str]:
        """The state as a word in its colour."""
        return mapping.state, mapping.get_state_display()

    @display(description="proposed in AvidXchange")
    def proposed(self, mapping: Any) -> SafeString:
        """What the machine proposes, and why."""
        best = _best(mapping)
        if best is not None:
            return two_lines(best.get("name", ""), self.reasons(mapping))
        return two_lines("New in AvidXchange" if mapping.proposal == "create" else NOTHING, mapping.hold_message)

    @display(description="score", ordering="score")
    def number_score(self, mapping: Any) -> SafeString | str:
        """How sure the machine is, of 100."""
        return format_html('<span class="mc-number">{}</span>', mapping.score) if _best(mapping) else NOTHING

    def reasons(self, mapping: Any) -> str:
        """Why the machine thinks so."""
        best = _best(mapping)
        return ", ".join(str(reason) for reason in best.get("reasons", [])) if best else mapping.hold_message or NOTHING

    # --- deciding ---

    def ask(self, rows: Sequence[Any], decision: Decision, options: Mapping[str, str]) -> list[Asked]:
        """Say what each mapping becomes and what that releases."""
        waiting = waiting_for(rows)
        releases = _TO[decision.name] == MappingState.APPROVED
        return [
            Asked(
                row,
                link(address(row), row),
                self._outcome(row, decision, options),
                released(waiting.get(row.pk)) if releases else "Nothing",
            )
            for row in rows
        ]

    def carry_out(self, row: Any, decision: Decision, *, actor: Actor, reason: str, options: Mapping[str, str]) -> str:
        """Decide one mapping through ``engine.review``."""
        if not may_move(MappingState, row.state, _TO[decision.name]) and row.state != _TO[decision.name]:
            return f"It is {row.get_state_display().lower()}; take that back first."
        if decision is APPROVE:
            came = review.approve(row, actor=actor, avid_id=options.get("avid_id"), reason=reason)
        elif decision is CREATE:
            came = review.approve(row, actor=actor, avid_id="", reason=reason)
        else:
            decide = {REJECT.name: review.reject, IGNORE.name: review.ignore, TAKE_BACK.name: review.take_back}
            came = decide[decision.name](row, actor=actor, reason=reason)
        return "" if came.done else came.why_not

    def _outcome(self, row: Any, decision: Decision, options: Mapping[str, str]) -> str:
        if decision is APPROVE:
            chosen = options.get("avid_id")
            named = next((one for one in row.evidence if one.get("avid_id") == chosen), None) if chosen else _best(row)
            return f"Same as {named['name']} in AvidXchange" if named else "Created in AvidXchange"
        return decision.words

    # --- its page ---

    def page(self, request: HttpRequest, row: Any) -> Page:
        """Show both systems' records, the other candidates, what waits for it, and its story."""
        kind, key = review.subject(row)
        held = invoices_waiting_for(row).order_by("-gross_amount")[:50]
        return Page(
            title=str(row),
            badges=[state(row.state, MappingState)],
            notice=row.hold_message,
            buttons=self._buttons(request, row),
            sides=self.sides(row),
            tables=[
                *self.candidates(request, row),
                Table(
                    "Invoices that wait for it",
                    ("Invoice", "Vendor", "State", "Amount"),
                    [
                        (link(address(one), one), one.vendor_name, state(one.state, InvoiceState),
                         money(one.gross_amount, one.currency))
                        for one in held
                    ],
                    empty="No invoice waits for it.",
                    numbers=frozenset({3}),
                    more="Only the largest 50 are shown." if len(held) == 50 else "",
                ),
            ],
            story="What happened",
            events=of_subject(row.tenant, kind, key, row.pk),
            technical=[("As it should be in AvidXchange", decoded(row.desired))] if row.desired else [],
        )  # fmt: skip

    def sides(self, row: Any) -> list[Facts]:
        """Return both systems' columns."""
        return []

    def candidates(self, request: HttpRequest, row: Any) -> list[Table]:
        """Return the table of other candidates, where there can be any."""
        return []

    def _buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        buttons = []
        if self.may(request, row.tenant, Capability.REVIEW):
            offered = [item for item in self.decisions if row.state != _TO[item.name]]
            offered = [item for item in offered if may_move(MappingState, row.state, _TO[item.name])]
            if row.proposal == "create":
                offered = [item for item in offered if item is not CREATE]
            buttons = [self.decide_button(row, item.name) for item in offered]
        return [*buttons, *self.replay_button(request, row)]


@admin.register(VendorMapping)
class VendorMappingAdmin(MappingAdmin):
    """Vendors: Epicor's master, and which AvidXchange vendor each is."""

    list_display = ("vendor", "proposed", "number_score", "shown_state", "decided_by", "tenant")
    list_filter = (
        TenantFilter, QueueFilter, ("state", ChoicesDropdownFilter), ("proposal", ChoicesDropdownFilter), "active",
    )  # fmt: skip
    search_fields = ("vendor_num", "vendor_code", "name", "external_id", "avid_id")
    ordering = ("-score", "vendor_num")

    @display(description="vendor in Epicor", ordering="vendor_num")
    def vendor(self, mapping: VendorMapping) -> SafeString:
        """Name, code and number."""
        return two_lines(mapping.name, f"{mapping.vendor_code}, number {mapping.vendor_num}")

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for a number, a code, an id, or a part of the name."""
        number = whole_number(term)
        exact = Q(vendor_code=term) | Q(external_id=term) | Q(avid_id=term) | Q(name__icontains=term)
        return exact | Q(vendor_num=number) if number is not None else exact

    def sides(self, row: VendorMapping) -> list[Facts]:
        """Epicor's vendor, and the AvidXchange vendor that it is or might be."""
        item = decoded(row.desired)
        ours = [
            ("Vendor", f"{row.vendor_code} (number {row.vendor_num})"), ("Name", row.name), ("Company", row.company),
            ("Remit to", _address(item.get("RemitToAddress"))), ("Address", _address(item.get("Address"))),
            ("Terms", row.terms_code or NOTHING), ("Currency", row.currency or NOTHING),
            ("Active", "Yes" if row.active else "No"),
        ]  # fmt: skip
        return [Facts("Epicor", ours), Facts("AvidXchange", self._theirs(row, item), _no_counterpart(row))]

    def _theirs(self, row: VendorMapping, item: Mapping[str, Any]) -> list[tuple[str, Any]]:
        best = _best(row)
        avid_id = row.avid_id or (best or {}).get("avid_id", "")
        known = AvidVendor.objects.filter(tenant=row.tenant, avid_id=avid_id).first() if avid_id else None
        if known is None:
            return []
        street = str((item.get("RemitToAddress") or item.get("Address") or {}).get("Line1", ""))
        shown = [
            ("Name", compared(known.name, row.name)),
            ("Address", ", ".join(filter(None, (known.line1, known.city, known.state, known.postal_code))) or NOTHING),
            ("Street", compared(known.line1, street)),
            ("Our id over there", known.external_id or NOTHING),
            ("AvidXchange id", known.avid_id),
            ("Active", "Yes" if known.is_active else "No"),
        ]
        if best is not None and not row.avid_id:
            shown += [("Score", f"{row.score} of 100"), ("Reasons", self.reasons(row))]
        return [*shown, *_decided(row)]

    def candidates(self, request: HttpRequest, row: VendorMapping) -> list[Table]:
        """The next candidates, each with its score, reasons and the way to choose it."""
        may = self.may(request, row.tenant, Capability.REVIEW) and may_move(
            MappingState, row.state, MappingState.APPROVED
        )
        rows = [
            (
                one.get("name", ""), one.get("address", "") or NOTHING, one.get("score", 0),
                ", ".join(str(reason) for reason in one.get("reasons", [])),
                link(self.decide_address("approve", [row.pk], avid_id=str(one["avid_id"])), "Use this one")
                if may else NOTHING,
            )
            for one in row.evidence[1:3]
        ]  # fmt: skip
        headers = ("Name", "Address", "Score", "Reasons", "Choose")
        return [Table("Other candidates", headers, rows, "No other vendor over there resembles it.", frozenset({2}))]


@admin.register(GLAccountMapping)
class GLAccountMappingAdmin(MappingAdmin):
    """GL accounts: Epicor's chart, which AvidXchange treats as read-only."""

    list_display = ("account", "avid_account", "proposed", "shown_state", "decided_by", "tenant")
    list_filter = (TenantFilter, QueueFilter, ("state", ChoicesDropdownFilter), "active")
    search_fields = ("gl_account", "avid_account", "name")
    ordering = ("gl_account",)

    @display(description="account in Epicor", ordering="gl_account")
    def account(self, mapping: GLAccountMapping) -> SafeString:
        """Number and name."""
        return two_lines(mapping.gl_account, mapping.name)

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for an account in either spelling, or a part of its name."""
        return Q(gl_account=term) | Q(avid_account=term) | Q(name__icontains=term)

    def sides(self, row: GLAccountMapping) -> list[Facts]:
        """Epicor's account, and its number over there."""
        ours = [
            ("Account", row.gl_account), ("Name", row.name), ("Chart of accounts", row.coa_code),
            ("Company", row.company), ("Active", "Yes" if row.active else "No"),
        ]  # fmt: skip
        theirs = [("Account number", row.avid_account), *_decided(row)] if row.avid_account else []
        return [Facts("Epicor", ours), Facts("AvidXchange", theirs, _no_counterpart(row))]


def compared(theirs: str, ours: str) -> str:
    """Return a value of theirs, marked in words and by a sign when it differs from ours."""
    if not theirs or not ours:
        return theirs or NOTHING
    same = theirs.strip().casefold() == ours.strip().casefold()
    return f"{theirs} (= the same)" if same else f"{theirs} (≠ differs)"


def released(waiting: Waiting | None) -> SafeString | str:
    """Say how many held invoices, worth how much, wait for a mapping."""
    if waiting is None or not waiting.number:
        return "No held invoice"
    plural = "" if waiting.number == 1 else "s"
    return format_html("{} held invoice{}<br>{}", f"{waiting.number:,}", plural, sums(waiting.amounts))


def _best(mapping: Any) -> dict[str, Any] | None:
    return mapping.evidence[0] if mapping.proposal == "match" and mapping.evidence else None


def _no_counterpart(row: Any) -> str:
    if row.state == MappingState.APPROVED:
        return "It is made in AvidXchange at the next run." if not row.sent_hash else "AvidXchange has it."
    return "Nothing over there resembles it; approving creates it." if row.proposal == "create" else "Nothing yet."


def _decided(row: Any) -> list[tuple[str, Any]]:
    return [
        ("Decided by", row.decided_by or "Nobody yet"),
        ("Decided", when(row.decided_at, row.tenant)),
        ("Last sent", when(row.sent_at, row.tenant)),
    ]


def _address(value: Mapping[str, Any] | None) -> str:
    parts = [(value or {}).get(name, "") for name in ("Line1", "Line2", "City", "State", "PostalCode", "CountryCode")]
    return ", ".join(str(part) for part in parts if part) or NOTHING
