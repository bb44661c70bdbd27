"""The tenants app's tables, by noun."""

from __future__ import annotations

from tenants.models.audit import AuditEvent, AuditHead
from tenants.models.connections import AvidXchangeConnection, Connection, EpicorConnection, SharedToken
from tenants.models.tenant import Membership, Role, Tenant, TenantStatus

__all__ = [
    "AuditEvent",
    "AuditHead",
    "AvidXchangeConnection",
    "Connection",
    "EpicorConnection",
    "Membership",
    "Role",
    "SharedToken",
    "Tenant",
    "TenantStatus",
]
