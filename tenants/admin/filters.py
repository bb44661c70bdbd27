"""List filters that offer a person's own tenants only."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

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
