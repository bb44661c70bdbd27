"""List filters: a person's own tenants only, and whole days of a time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter

from tenants import access


class TenantFilter(SimpleListFilter):
    """Rows of one tenant. Pages whose rows reach their tenant by another path set ``tenant_path`` on the page."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the person's tenants, by slug."""
        return list(access.tenants_for(request.user).values_list("slug", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the chosen tenant's rows."""
        return queryset.filter(tenant__slug=self.value()) if self.value() else queryset


class DayRangeFilter(RangeDateFilter):
    """Times from the first day's beginning to the last day's end, in UTC; the theme's own would compare naive times."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what lies in the days; a text that is no day does not filter."""
        first, last = (_day(self.used_parameters.get(f"{self.parameter_name}_{end}")) for end in ("from", "to"))
        if first is not None:
            queryset = queryset.filter(**{f"{self.field_path}__gte": first})
        if last is not None:
            queryset = queryset.filter(**{f"{self.field_path}__lt": last + timedelta(days=1)})
        return queryset


def _day(text: object) -> datetime | None:
    """Return the beginning of a day written YYYY-MM-DD, None for anything else."""
    try:
        return datetime.combine(date.fromisoformat(str(text or "")), time(), UTC)
    except ValueError:
        return None
