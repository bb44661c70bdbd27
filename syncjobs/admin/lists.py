"""Base of every list and page of what moved: read, searched, filtered, and never changed by a form.

A list never counts its table: the paginator knows no total, and search compares whole values on indexed columns, so
that a million rows answer as fast as a hundred. A row of another tenant does not exist here: its page answers 404.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import ShowFacets
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from syncjobs.pages import Button, Facts, Page
from syncjobs.templatetags.shown import NOTHING, said
from tenants import access
from tenants.access import Capability
from tenants.admin import ScopedAdmin
from tenants.models import Tenant


class HistoryAdmin(ScopedAdmin):
    """A list whose rows have a page of their own (``page``) instead of a form."""

    paginator = InfinitePaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_disable_select_all = True
    list_filter_submit = True
    list_per_page = 50
    list_select_related: Any = ("tenant",)
    actions = None
    ordering: Any = ("-id",)
    #: What an empty list says, and what to do next.
    empty_words: ClassVar[str] = "Nothing here yet."
    page_template: ClassVar[str] = "admin/syncjobs/record.html"

    def get_list_display(self, request: HttpRequest) -> list[str]:
        """Leave the tenant's column out for somebody who has only one."""
        known = request.__dict__
        if "_several_tenants" not in known:
            known["_several_tenants"] = len(access.tenants_for(request.user)[:2]) > 1
        several = known["_several_tenants"]
        shown = [name for name in super().get_list_display(request) if several or name != "tenant"]
        return ["short_tenant" if name == "tenant" else name for name in shown]

    @display(description="tenant", ordering="tenant")
    def short_tenant(self, row: Any) -> SafeString:
        """The tenant's short name, the whole one on hover."""
        return format_html('<span title="{}">{}</span>', row.tenant.name, row.tenant.slug)

    def found(self, request: HttpRequest, term: str) -> Q:
        """Return the condition of a search for ``term``: the row's number, unless a list knows better columns."""
        return Q(pk=whole_number(term) or 0)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search by ``found``; ``search_fields`` only makes the box appear."""
        term = search_term.strip()
        return (queryset.filter(self.found(request, term)) if term and self.search_fields else queryset), False

    def page(self, request: HttpRequest, row: Any) -> Page:
        """Return what the row's page shows: its columns, unless a list knows a better story."""
        columns = [item for item in row._meta.concrete_fields if item.name not in ("id", "tenant")]
        values = [(str(item.verbose_name), getattr(row, item.name)) for item in columns if not item.is_relation]
        return Page(title=str(row), facts=[Facts("Details", values)])

    def row_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """Return a row that the person may see."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the row's page."""
        row = self.row_or_404(request, object_id)
        page = self.page(request, row)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": page.title,
            "original": row,
            "tenant": row.tenant,
            "page": page,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.page_template, context)

    def may(self, request: HttpRequest, tenant: Tenant, capability: Capability) -> bool:
        """Whether the person may do something with the row's tenant."""
        return access.can(request.user, tenant, capability)

    def replay_button(self, request: HttpRequest, row: Any, words: str = "Replay") -> list[Button]:
        """Return the way to a replay's preview, for whoever may replay."""
        if not self.may(request, row.tenant, Capability.OPERATE):
            return []
        return [Button(words, f"{reverse('syncjobs:replay')}?{self.opts.model_name}={row.pk}")]


def two_lines(first: object, second: str) -> SafeString:
    """Return a cell of what it is and, smaller below, what there is to say of it; long words are cut by the style."""
    second = said(second)
    if second == NOTHING:
        return format_html("<span>{}</span>", first)
    return format_html(
        '<span class="mc-words">{}<span class="mc-second" title="{}">{}</span></span>', first, second, second
    )


def address(row: Any) -> str:
    """Return the address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def whole_number(term: str) -> int | None:
    """Return a searched number that a column can hold, None for other text."""
    return int(term) if term.isascii() and term.isdigit() and len(term) <= 9 else None
