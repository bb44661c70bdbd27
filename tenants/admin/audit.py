"""The audit trail as a list that is searched, filtered and read, and never changed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from tenants.admin.filters import DayRangeFilter, TenantFilter
from tenants.admin.scoped import ScopedAdmin
from tenants.models import AuditEvent


@admin.register(AuditEvent)
class AuditEventAdmin(ScopedAdmin):
    """Read-only: no capability changes, adds or deletes a row."""

    list_display = ("at", "tenant", "who", "action", "subject", "run", "reason")
    list_display_links = ("at",)
    list_filter: ClassVar[Any] = (TenantFilter, ("at", DayRangeFilter))
    list_filter_submit = True
    list_select_related = ("tenant",)
    search_fields = ("subject_key", "actor_name", "action", "run", "reason")
    search_help_text = "Invoice, vendor or other key, person, action, run number or reason"
    ordering = ("-id",)
    # Trails grow to millions of rows; nobody needs their exact number on a list.
    paginator = InfinitePaginator
    show_full_result_count = False
    actions = None
    fields = (
        "tenant", "sequence", "at", "who", "action", "subject", "run", "reason", "changes", "prev_hash", "hash",
    )  # fmt: skip
    readonly_fields: ClassVar[tuple[str, ...]] = fields

    @display(description="who", ordering="actor_name")
    def who(self, event: AuditEvent) -> str:
        """The person, or the part of the system."""
        return event.actor_name if event.actor_id else f"{event.actor_name} (system)"

    @display(description="subject", ordering="subject_key")
    def subject(self, event: AuditEvent) -> str:
        """What it was done to."""
        return f"{event.subject_kind.replace('_', ' ')} {event.subject_key}"

    @display(description="before and after")
    def changes(self, event: AuditEvent) -> SafeString | str:
        """Each field that the row tells of, with the value before and after."""
        before, after = _named(event.before), _named(event.after)
        names = list(dict.fromkeys((*before, *after)))
        if not names:
            return "-"
        rows = [[name, _shown(before.get(name)), _shown(after.get(name))] for name in names]
        return render_to_string(
            "admin/tenants/auditevent/changes.html", {"table": {"headers": ["Field", "Before", "After"], "rows": rows}}
        )


def _named(values: Any) -> dict[str, Any]:
    if values is None:
        return {}
    return values if isinstance(values, dict) else {"value": values}


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)
