"""The tables of the connector, one file a topic."""

from syncjobs.models.batches import Batch, BatchItem
from syncjobs.models.connections import ConnectionHealth
from syncjobs.models.invoices import InvoiceImage, InvoiceLink
from syncjobs.models.mappings import AvidAccount, AvidVendor, GLAccountMapping, VendorMapping
from syncjobs.models.payments import Payment, Remittance
from syncjobs.models.postings import Posting
from syncjobs.models.problems import Problem
from syncjobs.models.purchase_orders import PurchaseOrderLink
from syncjobs.models.runs import COUNTS, Attempt, Cursor, StageRun
from syncjobs.models.schedule import StageSchedule

__all__ = [
    "COUNTS",
    "Attempt",
    "AvidAccount",
    "AvidVendor",
    "Batch",
    "BatchItem",
    "ConnectionHealth",
    "Cursor",
    "GLAccountMapping",
    "InvoiceImage",
    "InvoiceLink",
    "Payment",
    "Posting",
    "Problem",
    "PurchaseOrderLink",
    "Remittance",
    "StageRun",
    "StageSchedule",
    "VendorMapping",
]
