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
from syncjobs.admin.mapping_sides import (
    APPROVE,
    BECOMES,
    CREATE,
    IGNORE,
    REJECT,
    TAKE_BACK,
    best_match,
    compared,
    decided,
    no_counterpart,
    postal,
    released,
)
from syncjobs.engine import review
from syncjobs.models import AvidVendor, GLAccountMapping, VendorMapping
from syncjobs.pages import Button, Facts, Page, Table
from syncjobs.releases import invoices_waiting_for, waiting_for
from syncjobs.states import InvoiceState, MappingState, may_move
from syncjobs.stories import of_subject
from syncjobs.templatetags.shown import NOTHING, TONES, decoded, link, money, state
from tenants.access import Capability
from tenants.audit import Actor


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
        top = best_match(mapping)
        if top is not None:
            return two_lines(top.get("name", ""), self.reasons(mapping))
        return two_lines("New in AvidXchange" if mapping.proposal == "create" else NOTHING, mapping.hold_message)

    @display(description="score", ordering="score")
    def number_score(self, mapping: Any) -> SafeString | str:
        """How sure the machine is, of 100."""
        return format_html('<span class="mc-number">{}</span>', mapping.score) if best_match(mapping) else NOTHING

    def reasons(self, mapping: Any) -> str:
        """Why the machine thinks so."""
        top = best_match(mapping)
        return ", ".join(str(reason) for reason in top.get("reasons", [])) if top else mapping.hold_message or NOTHING

    # --- deciding ---

    def ask(self, rows: Sequence[Any], decision: Decision, options: Mapping[str, str]) -> list[Asked]:
        """Say what each mapping becomes and what that releases."""
        waiting = waiting_for(rows)
        releases = BECOMES[decision.name] == MappingState.APPROVED
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
        if not may_move(MappingState, row.state, BECOMES[decision.name]) and row.state != BECOMES[decision.name]:
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
            named = (
                next((one for one in row.evidence if one.get("avid_id") == chosen), None) if chosen else best_match(row)
            )
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
            offered = [item for item in self.decisions if row.state != BECOMES[item.name]]
            offered = [item for item in offered if may_move(MappingState, row.state, BECOMES[item.name])]
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
            ("Remit to", postal(item.get("RemitToAddress"))), ("Address", postal(item.get("Address"))),
            ("Terms", row.terms_code or NOTHING), ("Currency", row.currency or NOTHING),
            ("Active", "Yes" if row.active else "No"),
        ]  # fmt: skip
        return [Facts("Epicor", ours), Facts("AvidXchange", self._theirs(row, item), no_counterpart(row))]

    def _theirs(self, row: VendorMapping, item: Mapping[str, Any]) -> list[tuple[str, Any]]:
        top = best_match(row)
        avid_id = row.avid_id or (top or {}).get("avid_id", "")
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
        if top is not None and not row.avid_id:
            shown += [("Score", f"{row.score} of 100"), ("Reasons", self.reasons(row))]
        return [*shown, *decided(row)]

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
        theirs = [("Account number", row.avid_account), *decided(row)] if row.avid_account else []
        return [Facts("Epicor", ours), Facts("AvidXchange", theirs, no_counterpart(row))]
