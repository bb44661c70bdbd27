"""The tenants app: who we work for, with which secrets, who may see it, and the audit trail."""

from __future__ import annotations

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Audit and secrets are explicit calls, never signals (style rule 21); only Django's system checks are wired."""

    name = "tenants"
    verbose_name = "Tenants"

    def ready(self) -> None:
        # Here and not above: settings are only being read there.
        from tenants import checks  # noqa: F401, PLC0415
        from tenants.sign_in import checks as sign_in_checks  # noqa: F401, PLC0415
