"""A tenant, and who may see it."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models

from tenants.options import TenantOptions

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$"


class TenantStatus(models.TextChoices):
    """Whether a tenant's schedule runs: only a live tenant's does."""

    SETTING_UP = "setting_up", "Setting up"
    LIVE = "live", "Live"
    PAUSED = "paused", "Paused"


class Tenant(models.Model):
    """One company that we work for: one Epicor company and one AvidXchange customer.

    Never deleted: its audit trail refers to it. ``currency`` is the company's base currency (ISO 4217); ``time_zone``
    is where its dates are shown. ``options`` holds what was chosen of ``TenantOptions``; the rest are its defaults.
    """

    slug = models.CharField(
        max_length=48,
        unique=True,
        validators=[RegexValidator(SLUG_PATTERN, "Use lower-case letters, digits and hyphens.")],
        help_text="Short name in addresses, commands and logs. Lower-case letters, digits and hyphens; stays for ever.",
    )
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC", help_text="IANA name, such as America/Chicago.")
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator(r"^[A-Z]{3}$", "Use a three-letter ISO code, such as USD.")],
        help_text="Base currency in Epicor, three-letter ISO code.",
    )
    status = models.CharField(max_length=16, choices=TenantStatus.choices, default=TenantStatus.SETTING_UP)
    options = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(condition=models.Q(status__in=TenantStatus.values), name="tenant_status_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        """The company's time zone."""
        return ZoneInfo(self.time_zone)

    @property
    def typed_options(self) -> TenantOptions:
        """The typed options, defaults filled in. Raises ``OptionFaults`` if the stored ones are not usable."""
        stored: dict[str, Any] = self.options
        return TenantOptions.from_mapping(stored)


class Role(models.TextChoices):
    """What a person is to a tenant; what each may do is in ``tenants/access.py``."""

    FINANCE = "finance", "Finance"
    IMPLEMENTER = "implementer", "Implementer"
    OPERATOR = "operator", "Operator"
    AUDITOR = "auditor", "Auditor"
    ADMINISTRATOR = "administrator", "Administrator"


class Membership(models.Model):
    """One person's one role with one tenant."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["tenant", "user"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display().lower()} of {self.tenant}"
