"""How a tenant's two systems are reached: addresses, switches and sealed secrets.

The column names are the keys of ``load_tenant`` (design section 7). What makes a connection usable is decided in
``tenants/validation.py``, for forms and files alike; the database holds what must never be broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from connector.transport.errors import System
from tenants.fields import Sealed, SecretField
from tenants.models.tenant import Tenant


class Connection(models.Model):
    """What both connections share: one a tenant, and secrets that remember when and by whom they were set."""

    system: ClassVar[System]
    tenant: models.OneToOneField[Any, Tenant]
    tenant_id: int
    #: Names of the secret columns; each has ``<name>_set_at`` and ``<name>_set_by`` beside it.
    SECRETS: ClassVar[tuple[str, ...]] = ()

    base_url = models.CharField("address", max_length=500)
    token_url = models.CharField(
        "token address",
        max_length=500,
        blank=True,
        default="",
        help_text="Where OAuth2 tokens are fetched; blank: where the system usually issues them.",
    )
    client_id = models.CharField("client id", max_length=200, blank=True, default="")
    max_concurrency = models.PositiveSmallIntegerField(
        "calls at the same time", default=2, validators=[MinValueValidator(1), MaxValueValidator(16)]
    )
    timeout_s = models.PositiveSmallIntegerField(
        "seconds to wait for an answer", default=60, validators=[MinValueValidator(5), MaxValueValidator(600)]
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True

    def set_secret(self, name: str, text: str, *, by: str, at: datetime) -> None:
        """Seal a new value and note when and by whom; does not save. An empty text takes the secret away."""
        if name not in self.SECRETS:
            raise ValueError(f"{name} is no secret of {type(self).__name__}")
        setattr(self, name, Sealed.seal(text))
        setattr(self, f"{name}_set_at", at)
        setattr(self, f"{name}_set_by", by)

    def take_secrets(self, other: Connection) -> None:
        """Take over another reading's secrets, and when and by whom they were set; does not save."""
        for name in self.SECRETS:
            for column in (name, f"{name}_set_at", f"{name}_set_by"):
                setattr(self, column, getattr(other, column))

    def secrets_held(self) -> frozenset[str]:
        """Return the names of the secrets that are set."""
        return frozenset(name for name in self.SECRETS if getattr(self, name) is not None)

    def plain_values(self) -> dict[str, Any]:
        """Return every setting that is no secret, by column name: what an audit row and a comparison may hold."""
        hidden = {"id", "tenant", "updated_at", *self.SECRETS}
        hidden.update(f"{name}_set_{what}" for name in self.SECRETS for what in ("at", "by"))
        return {field.name: getattr(self, field.attname) for field in self._meta.fields if field.name not in hidden}

    def assign(self, values: Mapping[str, Any]) -> None:
        """Set plain settings by column name; does not save. Secrets are refused here."""
        unknown = values.keys() - self.plain_values().keys()
        if unknown:
            raise ValueError(f"no setting of {type(self).__name__}: {', '.join(sorted(unknown))}")
        for name, value in values.items():
            setattr(self, name, value)


def _set_at() -> models.DateTimeField[Any, Any]:
    return models.DateTimeField(null=True, blank=True, editable=False)


def _set_by() -> models.CharField[Any, Any]:
    return models.CharField(max_length=150, blank=True, default="", editable=False)


class EpicorConnection(Connection):
    """One tenant's Epicor Kinetic: REST v2 of one instance, for one company (epicor.md sections 1 and 2)."""

    system = System.EPICOR
    SECRETS = ("password", "client_secret", "api_key")

    class AuthMode(models.TextChoices):
        """How calls are signed, beside the API key that goes with each of them."""

        BASIC = "basic", "User name and password"
        OAUTH2 = "oauth2", "OAuth2 client credentials"
        EPICOR_TOKEN = "epicor_token", "Epicor token (TokenResource)"

    class Paging(models.TextChoices):
        """How pages are asked for."""

        KEYSET = "keyset", "By key (default)"
        SKIP = "skip", "By $skip"

    class VoidMode(models.TextChoices):
        """What a void over there does here (epicor-unknowns.md E10)."""

        NOTIFY_ONLY = "notify_only", "Tell a person"
        API = "api", "Void in Epicor"

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="epicor_connection")
    instance = models.CharField(
        max_length=100, help_text="Application name in Epicor's address, such as SaaS123 or KineticLive."
    )
    company = models.CharField(max_length=8, help_text="Company ID in Epicor, exactly as written there.")
    auth_mode = models.CharField("sign in with", max_length=16, choices=AuthMode.choices, default=AuthMode.BASIC)
    username = models.CharField("user name", max_length=200, blank=True, default="")
    password = SecretField()
    password_set_at = _set_at()
    password_set_by = _set_by()
    client_secret = SecretField()
    client_secret_set_at = _set_at()
    client_secret_set_by = _set_by()
    scope = models.CharField(max_length=200, blank=True, default="epicor_erp")
    api_key = SecretField("API key")
    api_key_set_at = _set_at()
    api_key_set_by = _set_by()
    page_size = models.PositiveIntegerField(
        "rows a page", default=100, validators=[MinValueValidator(1), MaxValueValidator(10_000)]
    )
    paging = models.CharField(max_length=8, choices=Paging.choices, default=Paging.KEYSET)
    license_guid = models.CharField(
        "licence type", max_length=36, blank=True, default="", help_text="Blank: no License header is sent."
    )
    plant = models.CharField("site", max_length=8, blank=True, default="", help_text="Blank: the user's own site.")
    coa_code = models.CharField(
        "chart of accounts", max_length=20, blank=True, default="", help_text="Needed when the company has several."
    )
    bank_account_id = models.CharField(
        "bank account", max_length=20, blank=True, default="", help_text="BankAcctID for payments in base currency."
    )
    payment_method_id = models.PositiveIntegerField(
        "payment method", null=True, blank=True, help_text="PMUID for every method that the options do not name."
    )
    ap_group_prefix = models.CharField(
        "AP group prefix", max_length=4, blank=True, default="AVX", help_text="Groups we make in Epicor begin with it."
    )
    post_payments = models.BooleanField(
        "post payments", default=False, help_text="Off: payments are entered and wait unposted for a person in Epicor."
    )
    void_mode = models.CharField("voids", max_length=16, choices=VoidMode.choices, default=VoidMode.NOTIFY_ONLY)

    class Meta:
        verbose_name = "Epicor connection"
        constraints = [
            models.CheckConstraint(condition=~models.Q(company=""), name="epicor_company_required"),
            models.CheckConstraint(condition=~models.Q(instance=""), name="epicor_instance_required"),
            models.CheckConstraint(condition=models.Q(page_size__gte=1), name="epicor_page_size_positive"),
        ]

    def __str__(self) -> str:
        return f"Epicor company {self.company}"


class AvidXchangeConnection(Connection):
    """One tenant's AvidXchange customer (avidxchange.md section 1). ``profile`` overrides ``Profile``'s settings."""

    system = System.AVIDXCHANGE
    SECRETS = ("company_token", "user_token", "client_secret")

    class AuthMode(models.TextChoices):
        """How calls are signed."""

        TOKENS = "tokens", "Company and user token"
        CLIENT_CREDENTIALS = "client_credentials", "OAuth2 client credentials"

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="avidxchange_connection")
    auth_mode = models.CharField("sign in with", max_length=24, choices=AuthMode.choices, default=AuthMode.TOKENS)
    company_token = SecretField()
    company_token_set_at = _set_at()
    company_token_set_by = _set_by()
    user_token = SecretField()
    user_token_set_at = _set_at()
    user_token_set_by = _set_by()
    client_secret = SecretField()
    client_secret_set_at = _set_at()
    client_secret_set_by = _set_by()
    company_id = models.CharField("company id", max_length=100, blank=True, default="")
    profile = models.JSONField(
        default=dict, blank=True, help_text="Settings of this customer's API that differ from the usual ones."
    )

    class Meta:
        verbose_name = "AvidXchange connection"

    def __str__(self) -> str:
        return f"AvidXchange {self.company_id}".strip()


class SharedToken(models.Model):
    """A bearer token that all workers of one connection share, so that they do not fetch one each.

    ``key`` is made by the transport from what the token was fetched with; it holds no secret. ``token`` is the sealed
    JSON of the transport's token.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="shared_tokens")
    system = models.CharField(max_length=16)
    key = models.CharField(max_length=200)
    token = SecretField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "system", "key"], name="shared_token_once"),
        ]

    def __str__(self) -> str:
        return f"{self.system} token of {self.tenant_id}"
