"""Batches: what was submitted to AvidXchange or captured there, with one verdict an item."""

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
from syncjobs.admin.problems import SUBJECTS
from syncjobs.models import Batch, BatchItem, Problem
from syncjobs.pages import Event, Facts, Page, Table
from syncjobs.states import BatchStatus, InvoiceState
from syncjobs.stories import AVIDXCHANGE, HERE, in_order
from syncjobs.templatetags.shown import NOTHING, TONES, badge, link, money, said, state, when

#: Items shown on a batch's page; the refused ones come first.
SHOWN = 200


@admin.register(Batch)
class BatchAdmin(HistoryAdmin):
    """Batches, the newest first."""

    list_display = (
        "batch", "kind", "shown_state", "number_items", "money_total", "sent", "settled", "tenant",
    )  # fmt: skip
    list_filter = (
        TenantFilter, ("state", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter),
        ("stage", ChoicesDropdownFilter), ("created_at", DayRangeFilter),
    )  # fmt: skip
    search_fields = ("external_id", "avid_batch_id")
    search_help_text = "Whole batch id, ours or AvidXchange's"
    empty_words = "No batches yet. They appear when a stage has sent something to AvidXchange."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for either system's id."""
        return Q(external_id=term) | Q(avid_batch_id=term)

    @display(description="batch", ordering="external_id")
    def batch(self, batch: Batch) -> SafeString:
        """Our id, and what was said of it."""
        return two_lines(batch.external_id, batch.message)

    @display(description="state", ordering="state", label=TONES)
    def shown_state(self, batch: Batch) -> tuple[str, str]:
        """The state as a word in its colour."""
        return batch.state, batch.get_state_display()

    @display(description="items", ordering="item_count")
    def number_items(self, batch: Batch) -> str:
        """How many items it has."""
        return f"{batch.item_count:,}"

    @display(description="total", ordering="total")
    def money_total(self, batch: Batch) -> SafeString | str:
        """Its control total, where it has one."""
        return money(batch.total, "") if batch.kind in ("invoices", "captured_invoices") else NOTHING

    @display(description="sent", ordering="sent_at")
    def sent(self, batch: Batch) -> SafeString | str:
        """When it was sent, or closed over there."""
        return when(batch.sent_at or batch.closed_at, batch.tenant)

    @display(description="settled", ordering="settled_at")
    def settled(self, batch: Batch) -> SafeString | str:
        """When its last verdict came."""
        return when(batch.settled_at or batch.acknowledged_at, batch.tenant)

    def page(self, request: HttpRequest, row: Batch) -> Page:
        """Show its items with their verdicts, and what happened."""
        about = [
            ("Kind", row.get_kind_display()), ("Stage", row.get_stage_display()), ("Our id", row.external_id),
            ("AvidXchange's id", row.avid_batch_id or "Not given yet"), ("Items", f"{row.item_count:,}"),
            ("Total", self.money_total(row)),
        ]  # fmt: skip
        way = [
            ("Sent", when(row.sent_at, row.tenant)), ("Times sent", row.sends), ("Times asked about", row.polls),
            ("Next asked about", when(row.next_poll_at, row.tenant)), ("Settled", when(row.settled_at, row.tenant)),
            *((name, link(address(one), one)) for name, one in (("Run", row.run), ("Replays", row.replay_of)) if one),
        ]  # fmt: skip
        if row.kind == "captured_invoices":
            way += [
                ("Closed at AvidXchange", when(row.closed_at, row.tenant)),
                ("Acknowledged", when(row.acknowledged_at, row.tenant)),
            ]
        return Page(
            title=f"Batch {row.external_id}",
            badges=[state(row.state, BatchStatus)],
            notice=row.message,
            buttons=self.replay_button(request, row),
            facts=[Facts("Batch", about), Facts("On its way", way)],
            tables=[_captured(row) if row.kind == "captured_invoices" else _items(row)],
            story="What happened",
            events=in_order(_moments(row), _problems(row), stories.calls(Q(batch=row), row.tenant)),
        )


def _items(row: Batch) -> Table:
    """The items, those without a good verdict first."""
    worst = list(row.items.exclude(state="accepted").order_by("pk")[:SHOWN])
    items = [*worst, *row.items.filter(state="accepted").order_by("pk")[: SHOWN - len(worst)]]
    rows = [(_subject(item), item.external_id, badge(item.state, item.get_state_display()), said(item.message),
             item.avid_id or NOTHING) for item in items]  # fmt: skip
    more = f"Only {SHOWN} of {row.item_count:,} are shown, refused ones first." if row.item_count > SHOWN else ""
    return Table(
        "Items", ("Record", "Sent as", "Verdict", "Said of it", "AvidXchange id"), rows, "It is empty.", more=more
    )


def _subject(item: BatchItem) -> Any:
    model = SUBJECTS.get("purchase_order" if item.subject_kind == "receipts" else item.subject_kind)
    words = item.subject_key or item.external_id
    return words if model is None else link(address(model(pk=item.subject_id)), words)


def _captured(row: Batch) -> Table:
    rows = [
        (link(address(one), one), one.vendor_name or NOTHING, state(one.state, InvoiceState),
         said(one.hold_message), money(one.gross_amount, one.currency))
        for one in row.captured_invoices.order_by("pk")[:SHOWN]
    ]  # fmt: skip
    headers = ("Invoice", "Vendor", "State", "Why", "Amount")
    more = f"Only the first {SHOWN} are shown." if len(rows) == SHOWN else ""
    return Table("Invoices in it", headers, rows, "None of its invoices has been read yet.", frozenset({4}), more)


def _moments(row: Batch) -> list[Event]:
    known = [
        (row.created_at, HERE, "Made", ""), (row.closed_at, AVIDXCHANGE, "Closed at AvidXchange", ""),
        (row.sent_at, HERE, "Sent", ""), (row.settled_at, AVIDXCHANGE, "Settled", "success"),
        (row.acknowledged_at, HERE, "Acknowledged", "success"),
    ]  # fmt: skip
    return [Event(at=at, where=where, title=title, tone=tone) for at, where, title, tone in known if at is not None]


def _problems(row: Batch) -> list[Event]:
    found = Problem.objects.filter(tenant=row.tenant, subject_kind="batch", subject_key=row.external_id)
    return [
        Event(at=one.created_at, where=HERE, title=one.message, detail=one.hint, tone="warning", href=address(one))
        for one in found.order_by("-pk")[: stories.MOST]
    ]
