"""The tenants app: who we work for, with which secrets, who may see it, and the audit trail."""

from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """No signals: audit and secrets are explicit calls (style rule 21). Only Django's system checks are registered."""

    name = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        """Register the checks."""
        from tenants import checks  # noqa: F401, PLC0415  (models must be loaded first)
