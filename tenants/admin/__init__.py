"""The admin's pages about tenants, people and the audit trail."""

from __future__ import annotations

from tenants.admin.audit import AuditEventAdmin
from tenants.admin.people import PersonAdmin
from tenants.admin.scoped import ScopedAdmin, ScopedInline
from tenants.admin.tenant import TenantAdmin

__all__ = ["AuditEventAdmin", "PersonAdmin", "ScopedAdmin", "ScopedInline", "TenantAdmin"]
