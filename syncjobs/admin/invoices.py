"""Invoices in both directions: the list, and the page of one with its whole story."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import display

from syncjobs.admin.filters import ChoicesDropdownFilter, DateRangeFilter, QueueFilter, TenantFilter
from syncjobs.admin.lists import HistoryAdmin, two_lines, whole_number
from syncjobs.invoice_story import story
from syncjobs.models import InvoiceLink, PurchaseOrderLink, VendorMapping
from syncjobs.pages import Button, Facts, Page
from syncjobs.stories import of_subject
from syncjobs.templatetags.shown import NOTHING, TONES, badge, day, decoded, money, when
from tenants import access

#: A search by name takes this many vendors; who means one writes more of its name.
MOST_VENDORS = 200


@admin.register(InvoiceLink)
class InvoiceAdmin(HistoryAdmin):
    """AP invoices, the newest first."""

    list_display = (
        "invoice_num", "vendor", "money_gross", "money_open", "shown_state", "way", "date_invoice", "date_due",
        "tenant",
    )  # fmt: skip
    list_filter = (
        TenantFilter, QueueFilter, ("state", ChoicesDropdownFilter), ("direction", ChoicesDropdownFilter),
        ("due_date", DateRangeFilter), ("invoice_date", DateRangeFilter),
    )  # fmt: skip
    search_fields = ("invoice_num", "external_id", "avid_id", "vendor_name")
    search_help_text = "Whole invoice number, either system's id, or vendor"
    empty_words = "No invoices yet. They appear when Invoices to AvidXchange or Captured invoices to Epicor has run."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for a whole number or id, or for a vendor's invoices by a part of its name or its code."""
        condition = Q(invoice_num__in={term, term.upper()}) | Q(external_id=term) | Q(avid_id=term)
        named = access.scope(VendorMapping.objects.filter(Q(name__icontains=term) | Q(vendor_code=term)), request.user)
        # A number is a vendor's only together with its tenant; by columns that an index begins with.
        vendors: dict[tuple[int, str], list[int]] = defaultdict(list)
        for tenant, company, number in named.order_by("pk").values_list("tenant", "company", "vendor_num")[
            :MOST_VENDORS
        ]:
            vendors[tenant, company].append(number)
        for (tenant, company), numbers in vendors.items():
            condition |= Q(tenant=tenant, company=company, vendor_num__in=numbers)
        return condition

    @display(description="amount", ordering="gross_amount")
    def money_gross(self, invoice: InvoiceLink) -> SafeString | str:
        """The whole amount."""
        return money(invoice.gross_amount, invoice.currency)

    @display(description="open", ordering="open_amount")
    def money_open(self, invoice: InvoiceLink) -> SafeString | str:
        """What is still open in Epicor."""
        outgoing = invoice.direction == InvoiceLink.OUT
        return money(invoice.open_amount, invoice.currency) if outgoing else NOTHING

    @display(description="state", ordering="state", label=TONES)
    def shown_state(self, invoice: InvoiceLink) -> tuple[str, str]:
        """The state as a word in its colour."""
        return invoice.state, invoice.get_state_display()

    @display(description="vendor and why", ordering="vendor_num")
    def vendor(self, invoice: InvoiceLink) -> SafeString:
        """The vendor, and why the invoice is where it is, if there is anything to say."""
        why = invoice.hold_message or invoice.reject_reason or invoice.state_reason
        return two_lines(invoice.vendor_name or "Not known", why)

    @display(description="way", ordering="direction")
    def way(self, invoice: InvoiceLink) -> str:
        """Where it goes."""
        return "To AvidXchange" if invoice.direction == InvoiceLink.OUT else "To Epicor"

    @display(description="dated", ordering="invoice_date")
    def date_invoice(self, invoice: InvoiceLink) -> str:
        """The invoice's date."""
        return day(invoice.invoice_date)

    @display(description="due", ordering="due_date")
    def date_due(self, invoice: InvoiceLink) -> str:
        """The day it is due."""
        return day(invoice.due_date)

    def page(self, request: HttpRequest, row: InvoiceLink) -> Page:
        """Show the whole story."""
        export = Button("Export its story", reverse("syncjobs:story", args=[row.pk]))
        return replace(story(row), buttons=[*self.replay_button(request, row), export])


@admin.register(PurchaseOrderLink)
class PurchaseOrderAdmin(HistoryAdmin):
    """Purchase orders on their way to AvidXchange."""

    list_display = (
        "po_num", "vendor_num", "money_total", "status", "sent_state", "date_ordered", "sent", "tenant",
    )  # fmt: skip
    list_filter = (TenantFilter, "status", ("order_date", DateRangeFilter))
    search_fields = ("po_num", "avid_id")
    search_help_text = "PO number or AvidXchange id"
    empty_words = "No purchase orders yet. They appear when Purchase orders to AvidXchange has run."

    def found(self, request: HttpRequest, term: str) -> Q:
        """Look for a number or an id."""
        number = whole_number(term)
        return Q(avid_id=term) if number is None else Q(avid_id=term) | Q(po_num=number)

    @display(description="total", ordering="total")
    def money_total(self, order: PurchaseOrderLink) -> SafeString | str:
        """The order's total."""
        return money(order.total, order.currency)

    @display(description="at AvidXchange")
    def sent_state(self, order: PurchaseOrderLink) -> SafeString:
        """Whether AvidXchange has it as it is, and why not."""
        return two_lines(self._state(order), order.hold_message)

    def _state(self, order: PurchaseOrderLink) -> SafeString:
        if order.hold_code:
            return badge("held", "Held")
        if order.desired_hash and order.desired_hash == order.refused_hash:
            return badge("refused", "Refused")
        if not order.desired_hash:
            return badge("", "Not sent")
        return badge("sent", "Up to date") if order.sent_hash == order.desired_hash else badge("ready", "To be sent")

    @display(description="ordered", ordering="order_date")
    def date_ordered(self, order: PurchaseOrderLink) -> str:
        """The order's date."""
        return day(order.order_date)

    @display(description="sent", ordering="sent_at")
    def sent(self, order: PurchaseOrderLink) -> SafeString | str:
        """When AvidXchange last took it."""
        return when(order.sent_at, order.tenant)

    def page(self, request: HttpRequest, row: PurchaseOrderLink) -> Page:
        """Show both systems' sides and what happened."""
        ours = [
            ("Purchase order", row.po_num), ("Vendor number", row.vendor_num), ("Company", row.company),
            ("Status", row.status or NOTHING), ("Total", money(row.total, row.currency)),
            ("Ordered", day(row.order_date)),
        ]  # fmt: skip
        theirs = [("AvidXchange id", row.avid_id or "Not given yet"), ("Last sent", when(row.sent_at, row.tenant))]
        key = f"{row.company}|{row.po_num}"
        return Page(
            title=str(row),
            badges=[self._state(row)],
            notice=row.hold_message,
            buttons=self.replay_button(request, row),
            sides=[Facts("Epicor", ours), Facts("AvidXchange", theirs)],
            story="What happened",
            events=of_subject(row.tenant, "purchase_order", key, row.pk, also=("receipts",)),
            technical=[
                (name, decoded(text))
                for name, text in (("Purchase order", row.desired), ("Receipts", row.receipts_desired))
                if text
            ],
        )
