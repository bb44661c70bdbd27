"""The tenants app's tables, by noun."""

from __future__ import annotations

from tenants.models.audit import AuditEvent, AuditHead
from tenants.models.connections import AvidXchangeConnection, Connection, EpicorConnection, SharedToken
from tenants.models.devices import Authenticator, RecoveryCodes
from tenants.models.tenant import Membership, Role, Tenant, TenantStatus

__all__ = [
    "AuditEvent",
    "AuditHead",
    "Authenticator",
    "AvidXchangeConnection",
    "Connection",
    "EpicorConnection",
    "Membership",
    "RecoveryCodes",
    "Role",
    "SharedToken",
    "Tenant",
    "TenantStatus",
]
