"""The audit trail with what only this app knows: invoices by their number, runs and actions in words.

Extends the list of ``tenants``: moments are shown where the company is, and a search compares whole values.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from syncjobs.admin.filters import DayRangeFilter, DropdownFilter, TenantFilter
from syncjobs.admin.lists import two_lines
from syncjobs.models import InvoiceLink
from syncjobs.stories import action_words
from syncjobs.templatetags.shown import when
from tenants import access
from tenants.admin import AuditEventAdmin
from tenants.models import AuditEvent

#: Kinds of subjects that people search by key; an index begins with them.
KINDS = (
    "invoice", "vendor", "gl_account", "purchase_order", "payment", "ap_invoice", "ap_payment", "ap_payment_void",
    "batch", "posting", "run", "stage", "tenant", "user",
)  # fmt: skip
MOST_INVOICES = 200


class SubjectFilter(DropdownFilter):
    """What it was done to."""

    title = "subject"
    parameter_name = "subject"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the kinds of subjects."""
        return [(kind, kind.replace("_", " ").capitalize()) for kind in KINDS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep one kind."""
        return queryset.filter(subject_kind=self.value()) if self.value() in KINDS else queryset


admin.site.unregister(AuditEvent)


@admin.register(AuditEvent)
class SyncAuditEventAdmin(AuditEventAdmin):
    """Read-only, as the list that it extends."""

    list_display = ("moment", "tenant", "who", "words", "subject", "run", "reason")
    list_display_links = ("moment",)
    list_filter = (TenantFilter, SubjectFilter, ("at", DayRangeFilter))
    list_disable_select_all = True
    search_help_text = "Whole invoice number or key, person, action such as mapping.approved, or run"
    empty_words = "Nothing has been done yet."

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look for whole values in columns that an index begins with, and for an invoice's key by its number."""
        term = search_term.strip()
        if not term:
            return queryset, False
        invoices = access.scope(InvoiceLink.objects.filter(invoice_num__in={term, term.upper()}), request.user)
        named = invoices.values_list("company", "vendor_num", "invoice_num")[:MOST_INVOICES]
        keys = {f"{company}|{vendor}|{number}" for company, vendor, number in named}
        subjects = Q(subject_kind__in=KINDS, subject_key__in={term, *keys})
        return queryset.filter(subjects | Q(run=term.lstrip("#")) | Q(action=term) | Q(actor_name=term)), False

    @display(description="when", ordering="at")
    def moment(self, event: AuditEvent) -> SafeString | str:
        """When it was done, where the company is."""
        return when(event.at, event.tenant)

    @display(description="what", ordering="action")
    def words(self, event: AuditEvent) -> SafeString:
        """The action in words, and as scripts name it."""
        return two_lines(action_words(event.action), event.action)
