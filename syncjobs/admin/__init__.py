"""The admin's pages about what moves: work queues, records with their stories, runs, and the tenant's stages."""

from __future__ import annotations

from syncjobs.admin.audit import SyncAuditEventAdmin
from syncjobs.admin.batches import BatchAdmin
from syncjobs.admin.beat import BellAdmin
from syncjobs.admin.invoices import InvoiceAdmin, PurchaseOrderAdmin
from syncjobs.admin.mappings import GLAccountMappingAdmin, VendorMappingAdmin
from syncjobs.admin.payments import PaymentAdmin, PostingAdmin
from syncjobs.admin.problems import ProblemAdmin
from syncjobs.admin.runs import AttemptAdmin, StageRunAdmin
from syncjobs.admin.tenant import SyncTenantAdmin

__all__ = [
    "AttemptAdmin",
    "BatchAdmin",
    "BellAdmin",
    "GLAccountMappingAdmin",
    "InvoiceAdmin",
    "PaymentAdmin",
    "PostingAdmin",
    "ProblemAdmin",
    "PurchaseOrderAdmin",
    "StageRunAdmin",
    "SyncAuditEventAdmin",
    "SyncTenantAdmin",
    "VendorMappingAdmin",
]
