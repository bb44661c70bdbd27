"""People who may sign in: their accounts, and how each comes in. Roles are on the tenant's page; no groups are used.

An administrator looks after the people of the tenants administered, makes accounts for them, and sees nobody else. An
account of somebody who is there already gets its first role with another tenant from a superuser. Nobody types another
person's password: a link, good once and for a day, lets that person choose it. Accounts are never deleted, because the
audit trail names them; a superuser makes one inactive.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from unfold.admin import ModelAdmin
from unfold.decorators import action, display

from tenants import access, services
from tenants.access import Capability
from tenants.admin import way_in
from tenants.admin.scoped import may_anywhere
from tenants.audit import Actor
from tenants.forms import NewPersonForm
from tenants.models import Authenticator, Membership, Role
from tenants.sign_in.confirmation import confirmed_posts
from tenants.sign_in.told import tell

admin.site.unregister(User)
admin.site.unregister(Group)

#: What of an account the audit trail tells when it changes.
_TOLD = ("username", "is_active", "is_staff", "is_superuser")


@admin.register(User)
class PersonAdmin(ModelAdmin):
    """Accounts: a superuser changes them, an administrator sees those of the tenants administered."""

    list_display = ("username", "first_name", "last_name", "email", "has_second_factor", "last_login", "is_active")
    list_filter = ("is_active",)
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "Sign-in name, name or e-mail address"
    ordering = ("username",)
    actions = None
    actions_detail: ClassVar[list[str]] = ["way_in"]
    add_fieldsets: ClassVar[Any] = (
        (
            None,
            {
                "fields": ("username", "first_name", "last_name", "email", "tenant", "role"),
                "description": "There is no password yet: the next page makes a link with which the person chooses it.",
            },
        ),
    )
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("username",)}),
        ("Name", {"fields": ("first_name", "last_name", "email")}),
        (
            "May",
            {
                "fields": ("is_active", "is_staff", "is_superuser"),
                "description": "Staff may sign in here. Roles are given on each tenant's page; a superuser may do "
                "everything with every tenant.",
            },
        ),
        ("Roles", {"fields": ("roles",)}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined", "roles")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Return the people whom the person looks after."""
        known = Exists(Authenticator.objects.filter(user=OuterRef("pk"), confirmed=True))
        people: QuerySet[User] = super().get_queryset(request)
        return people.filter(pk__in=access.people_for(request.user)).annotate(known=known)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Administrators."""
        return may_anywhere(request, Capability.ADMINISTER)

    def has_view_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Administrators, their own people."""
        if obj is None or obj.pk is None:
            return self.has_module_permission(request)
        return access.people_for(request.user).filter(pk=obj.pk).exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Administrators."""
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Superusers: what an account may do is not one tenant's matter."""
        return request.user.is_active and bool(getattr(request.user, "is_superuser", False))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Nobody."""
        return False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show Django's own notes about forms to superusers; they may name other tenants' matters."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        answer: HttpResponse = super().history_view(request, object_id, extra_context)
        return answer

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Refuse to filter by what a password's hash looks like."""
        return not lookup.startswith("password") and bool(super().lookup_allowed(lookup, value, request))

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        """For new people take their own form, and tell it who asks."""
        if obj is None:
            kwargs["form"] = type("NewPersonOf", (NewPersonForm,), {"asked_by": request.user})
            kwargs["fields"] = NewPersonForm.Meta.fields
        return super().get_form(request, obj, change=change, **kwargs)

    @method_decorator(confirmed_posts("you change an account"))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Ask again who it is before saving."""
        shown = {"show_history": self.has_change_permission(request), **(extra_context or {})}
        answer: HttpResponse = super().changeform_view(request, object_id, form_url, shown)
        return answer

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: User, form: ModelForm[User], change: bool) -> None:
        """Save and audit; a new account is there for signing in here, and gets its first role."""
        actor = Actor.for_user(request.user)
        before = User.objects.values(*_TOLD).get(pk=obj.pk) if change else None
        if not change:
            obj.is_staff = True
            obj.set_unusable_password()
        super().save_model(request, obj, form, change)
        after = {name: getattr(obj, name) for name in _TOLD}
        if before is not None and before != after:
            tell(obj, "person.changed", actor=actor, before=before, after=after)
        elif before is None and form.cleaned_data.get("tenant"):
            services.set_membership(form.cleaned_data["tenant"], obj, Role(form.cleaned_data["role"]), actor=actor)
            tell(obj, "person.added", actor=actor)

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """Go on to where the password link is made."""
        self.message_user(request, f"{obj.get_username()} has an account. Make a password link for it now.")
        return HttpResponseRedirect(reverse("admin:auth_user_way_in", args=[obj.pk]))

    @display(description="second factor", boolean=True)
    def has_second_factor(self, person: User) -> bool:
        """Whether an authenticator app is set up."""
        return bool(getattr(person, "known", False))

    @display(description="roles")
    def roles(self, person: User) -> str:
        """The roles that a superuser, who alone sees this page with them, may see: all."""
        held = Membership.objects.filter(user=person).select_related("tenant")
        return ", ".join(f"{one.get_role_display()} of {one.tenant}" for one in held) or "None yet"

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Leave out of an administrator's view what only superusers may know or change."""
        if obj is None:
            return self.add_fieldsets
        if not self.has_change_permission(request):
            return [one for one in self.fieldsets if one[0] not in ("May", "Roles")]
        return self.fieldsets

    def has_way_in_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Whoever sees the person; what may be done there the page decides."""
        return object_id is None or access.people_for(request.user).filter(pk=object_id).exists()

    @action(description="Sign-in: reset, unlock", url_path="sign-in", icon="key", permissions=["way_in"])
    def way_in(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show how the person signs in, with what can be done about it."""
        return way_in.page(request, object_id)
