"""The tenants app: who we work for, with which secrets, who may see it, and the audit trail."""

from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Nothing to wire: audit and secrets are explicit calls, never signals (style rule 21)."""

    name = "tenants"
    verbose_name = "Tenants"
