"""List filters: one of few values from a menu, problem codes that are really open, and the dashboard's queues."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from syncjobs import selectors
from syncjobs.models import GLAccountMapping, InvoiceLink, Problem, VendorMapping
from syncjobs.states import ProblemState
from tenants import access
from tenants.admin.filters import DayRangeFilter, TenantFilter

__all__ = [
    "ChoicesDropdownFilter",
    "CodeFilter",
    "DateRangeFilter",
    "DayRangeFilter",
    "DropdownFilter",
    "QueueFilter",
    "TenantFilter",
]


_QUEUES: dict[type[Any], list[tuple[str, str]]] = {
    VendorMapping: [("vendors", "Needs mapping")],
    GLAccountMapping: [("gl_accounts", "Needs mapping")],
    InvoiceLink: [("rejected", "Rejected")],
    Problem: [("held", "Held"), ("differences", "Differences")],
}


class DateRangeFilter(DayRangeFilter):
    """Dates (Epicor's, without a time) from the first to the last day, both included."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what lies in the days."""
        for end, lookup in (("from", "gte"), ("to", "lte")):
            day = _day(self.used_parameters.get(f"{self.parameter_name}_{end}"))
            if day is not None:
                queryset = queryset.filter(**{f"{self.field_path}__{lookup}": day})
        return queryset


class CodeFilter(DropdownFilter):
    """What a problem is about; offered are the codes that are open with the person's tenants."""

    title = "cause"
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the codes in plain words."""
        mine = access.scope(Problem.objects.filter(state=ProblemState.OPEN), request.user)
        codes = set(mine.order_by().values_list("code", flat=True).distinct())
        chosen = request.GET.get(self.parameter_name)
        return [(code, cause(code)) for code in sorted(codes | ({chosen} if chosen else set()))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep one code."""
        return queryset.filter(code=self.value()) if self.value() else queryset


class QueueFilter(SimpleListFilter):
    """The dashboard's queues, so that each of its totals leads to exactly its rows."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the queues that this list can hold."""
        return _QUEUES[model_admin.model]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep the rows of the chosen queue."""
        rows = selectors.queue_rows(access.tenants_for(request.user)).get(self.value() or "")
        return queryset if rows is None else queryset.filter(pk__in=rows.values("pk"))


def cause(code: str) -> str:
    """Return a problem's code in plain words."""
    words = code.replace(".", "_").split("_")
    shown = [word.upper() if word in ("gl", "po", "ach", "id") else word for word in words]
    return f"{shown[0][:1].upper()}{shown[0][1:]} {' '.join(shown[1:])}".strip()


def _day(text: object) -> date | None:
    """Return a day written YYYY-MM-DD, None for anything else."""
    try:
        return date.fromisoformat(str(text or ""))
    except ValueError:
        return None
