"""A tenant with its options, both connections and its people on one page, and the test of its connections.

``syncjobs`` adds the schedule: it subclasses ``TenantAdmin``, extends ``inlines`` and ``actions_detail``, and registers
its class in place of this one (``admin.site.unregister(Tenant)`` first).
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.forms import BaseInlineFormSet, ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.debug import sensitive_post_parameters
from unfold.admin import StackedInline, TabularInline
from unfold.decorators import action, display

from connector.transport.checks import Check
from tenants import access, audit, probe, services
from tenants.access import Capability
from tenants.admin.scoped import ScopedAdmin, ScopedInline, may_anywhere
from tenants.audit import Actor
from tenants.forms import (
    AvidXchangeConnectionForm,
    ConnectionForm,
    EpicorConnectionForm,
    MembershipForm,
    TenantForm,
)
from tenants.models import AvidXchangeConnection, EpicorConnection, Membership, Role, Tenant, TenantStatus
from tenants.option_fields import PREFIX
from tenants.options import GROUPS
from tenants.sign_in import sessions
from tenants.sign_in.confirmation import confirmed_posts


class ConnectionInline(ScopedInline, StackedInline):
    """One connection of the tenant; what is in it changes by ``CONFIGURE``, a secret after asking again who it is."""

    change_capability = Capability.CONFIGURE
    add_capability = Capability.CONFIGURE
    extra = 1
    max_num = 1
    tab = True

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Let secrets be entered by somebody who has confirmed; to others each says how."""
        formset = super().get_formset(request, obj, **kwargs)
        if not sessions.confirmed(request):
            way = f"{reverse('sign_in:confirm')}?{urlencode({'next': request.get_full_path()})}"
            formset.form = type("LockedForm", (formset.form,), {"confirm_at": way})
        return formset


class EpicorInline(ConnectionInline):
    """How Epicor is reached."""

    model = EpicorConnection
    form = EpicorConnectionForm
    verbose_name_plural = "Epicor"
    fieldsets = (
        ("Address", {"fields": ("base_url", ("instance", "company"))}),
        (
            "Sign in",
            {
                "fields": (
                    "auth_mode", ("username", "new_password"), "new_api_key", ("client_id", "new_client_secret"),
                    "token_url", "scope",
                ),
            },
        ),
        ("Reading", {"fields": (("page_size", "paging"), ("max_concurrency", "timeout_s"), ("license_guid", "plant"))}),
        (
            "Accounts and payments",
            {
                "fields": (
                    ("coa_code", "ap_group_prefix"), ("bank_account_id", "payment_method_id"),
                    ("post_payments", "void_mode"),
                ),
            },
        ),
    )  # fmt: skip


class AvidXchangeInline(ConnectionInline):
    """How AvidXchange is reached."""

    model = AvidXchangeConnection
    form = AvidXchangeConnectionForm
    verbose_name_plural = "AvidXchange"
    fieldsets = (
        ("Address", {"fields": ("base_url", "company_id")}),
        (
            "Sign in",
            {
                "fields": (
                    "auth_mode",
                    ("new_company_token", "new_user_token"),
                    "token_url",
                    ("client_id", "new_client_secret"),
                )
            },
        ),
        ("Limits", {"fields": (("max_concurrency", "timeout_s"),)}),
        ("Profile", {"fields": ("profile",)}),
    )


class MembershipInline(ScopedInline, TabularInline):
    """Who may do what with the tenant; changed by ``ADMINISTER`` only."""

    model = Membership
    form = MembershipForm
    change_capability = Capability.ADMINISTER
    add_capability = Capability.ADMINISTER
    delete_capability = Capability.ADMINISTER
    extra = 0
    tab = True
    verbose_name_plural = "People"


@admin.register(Tenant)
class TenantAdmin(ScopedAdmin):
    """Tenants that the person may see. Only a superuser makes a new one; nobody deletes one."""

    change_capability = Capability.CONFIGURE
    form = TenantForm
    inlines: ClassVar[list[type[Any]]] = [EpicorInline, AvidXchangeInline, MembershipInline]
    list_display = ("name", "slug", "shown_status", "has_epicor", "has_avidxchange", "time_zone", "updated_at")
    list_select_related = ("epicor_connection", "avidxchange_connection")
    list_filter = ("status",)
    search_fields = ("name", "slug")
    search_help_text = "Name or slug"
    actions = None
    actions_detail: ClassVar[list[str]] = ["test_connections"]
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("name", "slug", "status", "currency", "time_zone")}),
        *(
            (group, {"fields": tuple(f"{PREFIX}{name}" for name in names), "classes": ("tab",)})
            for group, names in GROUPS.items()
        ),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A new tenant has no roles yet, so only a superuser can make one."""
        return bool(request.user.is_active and request.user.is_superuser)

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> tuple[str, ...]:
        """A slug stays: logs, commands and external ids hold it."""
        return ("slug",) if obj else ()

    @display(
        description="status",
        ordering="status",
        label={TenantStatus.LIVE: "success", TenantStatus.PAUSED: "warning", TenantStatus.SETTING_UP: "info"},
    )
    def shown_status(self, tenant: Tenant) -> tuple[str, str]:
        """The status as a coloured word."""
        return tenant.status, tenant.get_status_display()

    @display(description="Epicor", boolean=True)
    def has_epicor(self, tenant: Tenant) -> bool:
        """Whether the connection is entered."""
        return hasattr(tenant, "epicor_connection")

    @display(description="AvidXchange", boolean=True)
    def has_avidxchange(self, tenant: Tenant) -> bool:
        """Whether the connection is entered."""
        return hasattr(tenant, "avidxchange_connection")

    # --- saving: through services, so that it is audited ---

    @method_decorator(sensitive_post_parameters())
    @method_decorator(confirmed_posts("you change this tenant"))
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Keep what was typed, secrets among it, out of error reports."""
        answer: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return answer

    def save_model(self, request: HttpRequest, obj: Tenant, form: ModelForm[Tenant], change: bool) -> None:
        """Save and audit; the theme's own step afterwards runs the buttons beside "save"."""
        services.save_tenant(obj, actor=Actor.for_user(request.user))
        super().save_model(request, obj, form, change)

    def save_formset(
        self, request: HttpRequest, form: ModelForm[Tenant], formset: BaseInlineFormSet[Any, Any, Any], change: bool
    ) -> None:
        """Save connections and memberships through services; other inlines (of ``syncjobs``) as Django does."""
        if issubclass(formset.form, ConnectionForm):
            _save_connections(formset, Actor.for_user(request.user))
        elif issubclass(formset.form, MembershipForm):
            _save_memberships(formset, Actor.for_user(request.user))
        else:
            super().save_formset(request, form, formset, change)

    # --- connection test ---

    def connection_checks(self, tenant: Tenant) -> list[Check]:
        """Test both systems."""
        return probe.checks(tenant)

    def has_test_connections_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever may configure the tenant may test it."""
        if object_id is None:
            return may_anywhere(request, Capability.CONFIGURE)
        return access.tenants_for(request.user, Capability.CONFIGURE).filter(pk=object_id).exists()

    @action(
        description="Test connections",
        url_path="test-connections",
        icon="network_check",
        permissions=["test_connections"],
    )
    def test_connections(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the page that tests both systems; the checks themselves run by POST, as they take a while."""
        tenant = access.tenants_for(request.user).filter(pk=object_id).first()
        if tenant is None:
            raise Http404
        if not access.can(request.user, tenant, Capability.CONFIGURE):
            raise PermissionDenied
        checks = self.connection_checks(tenant) if request.method == "POST" else None
        if checks is not None:
            _tell(request, tenant, [check.ok for check in checks])
        context = {
            **self.admin_site.each_context(request),
            "title": f"Connections of {tenant}",
            "opts": self.opts,
            "tenant": tenant,
            "checks": checks,
            "failed": sum(not check.ok for check in checks or ()),
            "systems": [
                (name, [check for check in checks or () if check.system == system])
                for system, name in (("epicor", "Epicor"), ("avidxchange", "AvidXchange"))
            ],
        }
        return TemplateResponse(request, "admin/tenants/tenant/test_connections.html", context)


def _tell(request: HttpRequest, tenant: Tenant, results: list[bool]) -> None:
    """Say how the test went and put it into the trail."""
    failed = results.count(False)
    audit.record(
        tenant,
        "connections.tested",
        actor=Actor.for_user(request.user),
        subject=("tenant", tenant.slug),
        after={"checks": len(results), "failed": failed},
    )
    if failed:
        messages.error(request, f"{failed} of {len(results)} checks failed.")
    else:
        messages.success(request, f"All {len(results)} checks passed.")


def _save_connections(formset: BaseInlineFormSet[Any, Any, Any], actor: Actor) -> None:
    formset.save(commit=False)
    for form in formset.forms:
        if form.has_changed() and isinstance(form, ConnectionForm):
            form.instance.tenant = formset.instance
            services.save_connection(form.instance, secrets=form.secrets(), actor=actor)
    formset.save_m2m()


def _save_memberships(formset: BaseInlineFormSet[Any, Any, Any], actor: Actor) -> None:
    for membership in formset.save(commit=False):
        services.set_membership(formset.instance, membership.user, Role(membership.role), actor=actor)
    for membership in formset.deleted_objects:
        services.remove_membership(membership, actor=actor)
    formset.save_m2m()
