"""Payments that AvidXchange made, and the documents that record them and captured invoices in Epicor."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from syncjobs import stories
from syncjobs.admin.filters import ChoicesDropdownFilter, DayRangeFilter, TenantFilter
from syncjobs.admin.lists import HistoryAdmin, address, two_lines
from syncjobs.invoice_story import payment_reference
from syncjobs.models import Payment, Posting, Remittance
from syncjobs.pages import Event, Facts, Page, Table
from syncjobs.states import PaymentState, PostingState
from syncjobs.stories import AVIDXCHANGE, in_order
from syncjobs.templatetags.shown import NOTHING, TONES, badge, decoded, link, money, said, state, when


@admin.register(Payment)
class PaymentAdmin(HistoryAdmin):
    """Payments, the newest first."""

    list_display = (
        "avid_id", "vendor", "money_amount", "how", "said", "shown_state", "paid", "tenant",
    )  # fmt: skip
    list_filter = (TenantFilter, ("state", ChoicesDropdownFilter), "method", "status", ("paid_at", DayRangeFilter))
    search_fields = ("avid_id", "check_number")
    search_help_text = "Whole payment id, check number, ACH trace or invoice number"
    empty_words = "No payments yet. They appear when Payments to Epicor has run and AvidXchange has paid something."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for an id, a reference, or the invoice that was paid."""
        paid = Remittance.objects.filter(invoice__invoice_num=term).values("payment")
        return Q(avid_id=term) | Q(check_number=term) | Q(ach_trace=term) | Q(pk__in=paid)

    @display(description="amount", ordering="amount")
    def money_amount(self, payment: Payment) -> SafeString | str:
        """The whole payment."""
        return money(payment.amount, payment.currency)

    @display(description="vendor", ordering="vendor_name")
    def vendor(self, payment: Payment) -> SafeString:
        """The vendor, and why the payment is held."""
        return two_lines(payment.vendor_name or "Not known", payment.hold_message)

    @display(description="how")
    def how(self, payment: Payment) -> str:
        """Check number, trace, or the card's last four digits."""
        return payment_reference(payment)

    @display(description="at AvidXchange", ordering="status")
    def said(self, payment: Payment) -> SafeString:
        """What AvidXchange says of it."""
        return badge(payment.status, payment.status_text or payment.status.replace("_", " ").capitalize())

    @display(description="in Epicor", ordering="state", label=TONES)
    def shown_state(self, payment: Payment) -> tuple[str, str]:
        """What we did about it."""
        return payment.state, payment.get_state_display()

    @display(description="paid", ordering="paid_at")
    def paid(self, payment: Payment) -> SafeString | str:
        """When it was paid."""
        return when(payment.paid_at, payment.tenant)

    def page(self, request: HttpRequest, row: Payment) -> Page:
        """Show both sides, which invoices it pays, and what happened."""
        remittances = list(row.remittances.select_related("invoice"))
        postings = list(Posting.objects.filter(tenant=row.tenant, payment=row).order_by("-pk")[: stories.MOST])
        newest = postings[0] if postings else None
        ours = [
            ("State", row.get_state_display()), ("Document", newest.get_state_display() if newest else "None yet"),
            ("Number in Epicor", newest.head_num if newest and newest.head_num else NOTHING),
            ("Vendor", f"{row.vendor_name} (number {row.vendor_num})" if row.vendor_num else "Not known yet"),
        ]  # fmt: skip
        theirs = [
            ("Payment id", row.avid_id), ("Status", row.status_text or row.status), ("How", payment_reference(row)),
            ("Amount", money(row.amount, row.currency)), ("Paid", when(row.paid_at, row.tenant)),
            ("Cleared", when(row.cleared_at, row.tenant)), ("Replaces", row.replaces_id or NOTHING),
            ("Replaced by", row.replaced_by_id or NOTHING),
        ]  # fmt: skip
        return Page(
            title=str(row),
            badges=[state(row.state, PaymentState), self.said(row), money(row.amount, row.currency)],
            notice=row.hold_message,
            buttons=self.replay_button(request, row),
            sides=[Facts("Epicor", ours), Facts("AvidXchange", theirs)],
            tables=[_remitted(row, remittances), _written(postings)],
            story="What happened",
            events=in_order(
                _moments(row),
                stories.documents(postings),
                stories.problems(row.tenant, ["payment"], row.pk),
                stories.trail(row.tenant, ["payment"], row.avid_id),
                stories.calls(Q(posting__in={one.pk for one in postings}), row.tenant),
            ),
            technical=[("As AvidXchange told it", decoded(row.detail))] if row.detail else [],
        )


@admin.register(Posting)
class PostingAdmin(HistoryAdmin):
    """Documents written to Epicor step by step, the newest first."""

    list_display = ("document", "kind", "shown_state", "number_steps", "head_num", "begun", "done", "tenant")
    list_display_links = ("document",)
    list_filter = (
        TenantFilter, ("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter), ("created_at", DayRangeFilter),
    )  # fmt: skip
    search_fields = ("natural_key",)
    search_help_text = "Whole key, or number in Epicor"
    empty_words = "Nothing has been written to Epicor yet. Captured invoices and payments are written step by step."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for a document's key or its invoice's number."""
        return Q(natural_key=term) | Q(invoice__invoice_num=term) | Q(payment__avid_id=term)

    @display(description="document", ordering="natural_key")
    def document(self, posting: Posting) -> SafeString:
        """Its natural key, and what was said of it."""
        return two_lines(posting.natural_key, posting.message)

    @display(description="state", ordering="state", label=TONES)
    def shown_state(self, posting: Posting) -> tuple[str, str]:
        """The state as a word in its colour."""
        return posting.state, posting.get_state_display()

    @display(description="steps done")
    def number_steps(self, posting: Posting) -> int:
        """How many steps are done."""
        return len({step.get("step") for step in posting.steps if step.get("state") == "done"})

    @display(description="begun", ordering="created_at")
    def begun(self, posting: Posting) -> SafeString | str:
        """When it was planned."""
        return when(posting.created_at, posting.tenant)

    @display(description="done", ordering="done_at")
    def done(self, posting: Posting) -> SafeString | str:
        """When it was complete."""
        return when(posting.done_at, posting.tenant)

    def page(self, request: HttpRequest, row: Posting) -> Page:
        """Show the document, its steps, and every call that was made for it."""
        about = [
            ("Kind", row.get_kind_display()), ("Key", row.natural_key), ("Version", row.version),
            ("Stage", row.get_stage_display()), ("Group", row.group_id or NOTHING),
            ("Number in Epicor", row.head_num or NOTHING), ("Tries", row.tries),
            ("Next try", when(row.next_try_at, row.tenant)),
        ]  # fmt: skip
        belongs = [
            (name, link(address(one), one))
            for name, one in (
                ("Invoice", row.invoice),
                ("Payment", row.payment),
                ("Run", row.run),
                ("Replays", row.replay_of),
            )
            if one is not None
        ]
        steps = [_step(row, step) for step in {step.get("step"): step for step in row.steps}.values()]
        return Page(
            title=str(row),
            badges=[state(row.state, PostingState)],
            notice=row.message,
            buttons=self.replay_button(request, row),
            facts=[Facts("Document", about), Facts("Belongs to", belongs, "Nothing else.")],
            tables=[Table("Steps", ("Step", "State", "When", "What it gave"), steps, "No step has been taken yet.")],
            story="What happened",
            events=in_order(
                stories.documents([row]),
                stories.problems(row.tenant, ["posting"], row.pk),
                stories.trail(row.tenant, [row.kind], row.natural_key),
                stories.calls(Q(posting=row), row.tenant),
            ),
            technical=[("What is to be written", decoded(row.draft))],
        )


def _step(row: Posting, step: dict[str, Any]) -> tuple[Any, ...]:
    done = step.get("state") == "done"
    gave = [f"{name} {value}" for name, value in step.items() if name not in ("step", "state", "at")]
    return (
        str(step.get("step", "")).replace("_", " ").capitalize(),
        badge(step.get("state"), "Done" if done else "Begun"),
        when(stories.moment(step.get("at")), row.tenant),
        ", ".join(gave) or NOTHING,
    )


def _remitted(row: Payment, remittances: list[Remittance]) -> Table:
    rows = [
        (link(address(one.invoice), one.number) if one.invoice else f"{one.number} (not known here)",
         money(one.gross, row.currency), money(one.discount, row.currency), money(one.net, row.currency))
        for one in remittances
    ]  # fmt: skip
    headers = ("Invoice", "Off the invoice", "Discount", "Cash")
    return Table("Invoices it pays", headers, rows, "AvidXchange names no invoice for it.", frozenset({1, 2, 3}))


def _written(postings: list[Posting]) -> Table:
    rows = [
        (link(address(one), one), state(one.state, PostingState), one.head_num or NOTHING, said(one.message))
        for one in postings
    ]
    headers = ("Document", "State", "Number in Epicor", "Said of it")
    return Table("Documents in Epicor", headers, rows, "Nothing has been written to Epicor for it.")


def _moments(row: Payment) -> list[Event]:
    known = ((row.paid_at, "Paid"), (row.cleared_at, "Cleared"))
    return [
        Event(at=row.created_at, where=AVIDXCHANGE, title="Read from AvidXchange"),
        *(Event(at=at, where=AVIDXCHANGE, title=words, tone="success") for at, words in known if at is not None),
    ]
