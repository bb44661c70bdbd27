"""Forms that change tenants. They check by ``validation`` and are saved by ``services``, as files are.

A secret's field is always empty: it says when and by whom the secret was set, and left blank it keeps it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from tenants import access
from tenants.access import Capability
from tenants.models import AvidXchangeConnection, Connection, EpicorConnection, Membership, Role, Tenant
from tenants.option_fields import PREFIX, chosen_options, option_fields, option_initials
from tenants.options import option_faults
from tenants.validation import FieldFault, connection_faults, tenant_faults


def _sentence(message: str) -> str:
    text = message[:1].upper() + message[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."


class TenantForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A tenant with one field for each of its options."""

    class Meta:
        model = Tenant
        fields = ("slug", "name", "time_zone", "currency", "status")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        instance: Tenant | None = kwargs.get("instance")
        self._stored_options: dict[str, Any] = dict(instance.options) if instance else {}
        kwargs["initial"] = {**option_initials(self._stored_options), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        """Put the options together and show each fault at its own field."""
        cleaned = super().clean() or self.cleaned_data
        options = chosen_options(cleaned, self._stored_options)
        for line in option_faults(options):
            name, _, message = line.partition(": ")
            self.add_error(f"{PREFIX}{name}", _sentence(message))
        self.instance.options = options
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's step from values to the instance; not in the stubs
        complete = self.instance.pk is not None and all(
            model._default_manager.filter(tenant=self.instance).exists()
            for model in (EpicorConnection, AvidXchangeConnection)
        )
        for fault in tenant_faults(self.instance, has_connections=complete):
            if fault.field in self.fields:
                self.add_error(fault.field, _sentence(fault.message))


for _name, _field in option_fields().items():
    TenantForm.declared_fields[_name] = _field
    TenantForm.base_fields[_name] = _field


class ConnectionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """What both connection forms do with secrets and faults; the concrete ones add a field for each secret."""

    #: A secret's form field is called otherwise than its column, so that Django never copies one into the other.
    ENTERED = "new_"
    secret_names: ClassVar[tuple[str, ...]] = ()
    #: Where the person confirms first, before a secret can be entered; "" when that is done.
    confirm_at: ClassVar[str] = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.secret_names:
            field = self.fields.get(f"{self.ENTERED}{name}")
            if field is not None:
                field.disabled = bool(self.confirm_at)
                field.help_text = _secret_help(self.instance, name, confirm_at=self.confirm_at)

    def secrets(self) -> dict[str, str]:
        """Return the secrets that were entered."""
        entered = {name: self.cleaned_data.get(f"{self.ENTERED}{name}", "") for name in self.secret_names}
        return {name: text for name, text in entered.items() if text}

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # as above
        instance: Connection = self.instance
        stored = type(instance)._default_manager.filter(pk=instance.pk).first() if instance.pk else None
        for fault in connection_faults(instance, given=self.secrets(), stored=stored):
            self._show(fault)

    def _show(self, fault: FieldFault) -> None:
        """Show a fault at its field, unless the field has one already."""
        name = f"{self.ENTERED}{fault.field}" if fault.field in self.secret_names else fault.field
        if name not in self.errors:
            self.add_error(name, _sentence(fault.message))


def _secret_help(connection: Connection, name: str, *, confirm_at: str) -> str:
    """Return what may be known of a secret: when and by whom it was set, in the tenant's own time."""
    at = getattr(connection, f"{name}_set_at")
    known, keep = "Not set.", ""
    if getattr(connection, name) is not None and at is not None:
        local = timezone.localtime(at, connection.tenant.zone)
        known = f"Set on {local.day} {local:%B %Y} by {getattr(connection, f'{name}_set_by')}."
        keep = " Leave blank to keep it."
    if not confirm_at:
        return f"{known}{keep}"
    words = '{} <a class="mc-link" href="{}">Confirm that it is you</a> to enter it.'
    return format_html(words, known, confirm_at)


def _secret_field(label: str) -> forms.CharField:
    widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}, render_value=False)
    return forms.CharField(label=label, required=False, max_length=4000, widget=widget)


class EpicorConnectionForm(ConnectionForm):
    """One tenant's Epicor connection."""

    secret_names = EpicorConnection.SECRETS
    new_password = _secret_field("Password")
    new_client_secret = _secret_field("Client secret")
    new_api_key = _secret_field("API key")

    class Meta:
        model = EpicorConnection
        fields = (
            "base_url", "instance", "company", "auth_mode", "username", "token_url", "client_id", "scope", "page_size",
            "paging", "max_concurrency", "timeout_s", "license_guid", "plant", "coa_code", "bank_account_id",
            "payment_method_id", "ap_group_prefix", "post_payments", "void_mode",
        )  # fmt: skip


class AvidXchangeConnectionForm(ConnectionForm):
    """One tenant's AvidXchange connection."""

    secret_names = AvidXchangeConnection.SECRETS
    new_company_token = _secret_field("Company token")
    new_user_token = _secret_field("User token")
    new_client_secret = _secret_field("Client secret")

    class Meta:
        model = AvidXchangeConnection
        fields = (
            "base_url", "auth_mode", "token_url", "client_id", "company_id", "profile", "max_concurrency", "timeout_s",
        )  # fmt: skip


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """One person's role; whose role it is does not change afterwards."""

    class Meta:
        model = Membership
        fields = ("user", "role")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "user" in self.fields:
            self.fields["user"].disabled = True


class NewPersonForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs only
    """A new account with its first role; whose account it is to be chooses the password."""

    #: Who makes it: a role is given only with tenants that this person administers.
    asked_by: ClassVar[User | AnonymousUser] = AnonymousUser()
    tenant = forms.ModelChoiceField(queryset=Tenant.objects.none(), widget=UnfoldAdminSelectWidget)
    role = forms.ChoiceField(choices=Role.choices, widget=UnfoldAdminSelectWidget)

    class Meta:
        model = User
        fields = ("username", "first_name", "last_name", "email")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = self.fields["tenant"]
        if isinstance(tenants, forms.ModelChoiceField):
            tenants.queryset = access.tenants_for(self.asked_by, Capability.ADMINISTER)
        if getattr(self.asked_by, "is_superuser", False):
            for name in ("tenant", "role"):
                self.fields[name].required = False
            self.fields["role"].choices = [("", "None"), *Role.choices]  # type: ignore[attr-defined]  # a ChoiceField

    def clean(self) -> dict[str, Any]:
        """Ask for tenant and role together."""
        cleaned = super().clean() or self.cleaned_data
        if bool(cleaned.get("tenant")) != bool(cleaned.get("role")) and not self.errors:
            self.add_error("role", "Choose a tenant and a role, or neither.")
        return cleaned
