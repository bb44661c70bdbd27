"""Base of every admin page about tenants' rows: people see and change what their role with that tenant allows.

Django's permission tables know no tenants, so they are not asked; ``tenants/access.py`` is. A page is read-only unless
it names the capability that changes it. Nothing is deleted from an admin page unless it says so.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import User
from django.core.exceptions import FieldDoesNotExist
from django.db.models import ForeignKey, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from tenants import access
from tenants.access import Capability
from tenants.models import Tenant


def tenant_of(obj: Any, path: str) -> Tenant:
    """Follow ``path`` (such as ``batch__tenant``) from a row to its tenant."""
    if isinstance(obj, Tenant):
        return obj
    for name in path.split("__"):
        obj = getattr(obj, name)
    if not isinstance(obj, Tenant):
        raise TypeError(f"{path} leads to no tenant")
    return obj


def may_anywhere(request: HttpRequest, capability: Capability) -> bool:
    """Ask once a request: the sidebar alone asks for every model and every permission."""
    known = request.__dict__
    if "_capabilities_anywhere" not in known:
        known["_capabilities_anywhere"] = access.capabilities_anywhere(request.user)
    return capability in known["_capabilities_anywhere"]


class ScopedPermissions:
    """Permission methods by role; mixed into pages and inlines."""

    #: Leads from the model to its tenant.
    tenant_path: ClassVar[str] = "tenant"
    #: What a person needs to change a row; None for pages that are only read.
    change_capability: ClassVar[Capability | None] = None
    #: What a person needs to add a row; None where rows are not added by people.
    add_capability: ClassVar[Capability | None] = None
    #: What a person needs to delete a row; None where nothing is deleted.
    delete_capability: ClassVar[Capability | None] = None

    def allowed(self, request: HttpRequest, capability: Capability | None, obj: Model | None) -> bool:
        """Whether the person may; without a row, whether there is any tenant for which that is so."""
        if capability is None:
            return False
        if obj is None or obj.pk is None:
            return may_anywhere(request, capability)
        return access.can(request.user, tenant_of(obj, self.tenant_path), capability)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the app to whoever sees a tenant."""
        return may_anywhere(request, Capability.VIEW)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Everybody with a role sees."""
        return self.allowed(request, Capability.VIEW, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """By ``change_capability``."""
        return self.allowed(request, self.change_capability, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """By ``add_capability``."""
        return self.allowed(request, self.add_capability, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """By ``delete_capability``."""
        return self.allowed(request, self.delete_capability, obj)


class ScopedChoices:
    """What forms and inlines offer: rows of the person's tenants, and people whom the person looks after."""

    change_capability: ClassVar[Capability | None]

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """Narrow the choices, which are also what a sent form is checked against."""
        offered = db_field.related_model
        if "queryset" not in kwargs and isinstance(offered, type):
            narrowed = self._choices(offered, request)
            if narrowed is not None:
                kwargs["queryset"] = narrowed
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]  # a mixin

    def _choices(self, offered: type[Model], request: HttpRequest) -> QuerySet[Any] | None:
        if issubclass(offered, User):
            return access.people_for(request.user)
        if issubclass(offered, Tenant):
            return access.tenants_for(request.user, self.change_capability or Capability.VIEW)
        try:
            offered._meta.get_field("tenant")
        except FieldDoesNotExist:
            return None
        return access.scope(offered._default_manager.all(), request.user)


class ScopedInline(ScopedChoices, ScopedPermissions):
    """An inline below a tenant: ``obj`` is the tenant that the page is about. Mix in before unfold's inline."""

    tenant_path = ""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """An inline is no module of its own."""
        return True


class ScopedAdmin(ScopedChoices, ScopedPermissions, ModelAdmin):
    """A page about rows that belong to tenants."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows of the person's tenants."""
        queryset: QuerySet[Any] = super().get_queryset(request)
        return access.scope(queryset, request.user, path=self.tenant_path)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Offer the way to Django's own notes to whoever may read them."""
        shown = {"show_history": may_anywhere(request, Capability.ADMINISTER), **(extra_context or {})}
        answer: HttpResponse = super().changeform_view(request, object_id, form_url, shown)
        return answer

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show Django's own notes about forms to administrators; what counts is the audit trail, which all may read."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        access.require(request.user, tenant_of(row, self.tenant_path), Capability.ADMINISTER)
        answer: HttpResponse = super().history_view(request, object_id, extra_context)
        return answer
