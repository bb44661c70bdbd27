"""Everything the product calls in Epicor: the one table from which the Access Scope is documented and tested.

An API key carries at most one Access Scope, and a service can be in it while a method is not (epicor.md 2.2), so the
table names methods one by one. ``tests/epicor/test_scope.py`` finds every call in the code and compares it with the
table, both ways; ``connector/doc_tables.py`` writes the table into ``docs/epicor-setup.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.epicor import records
from connector.epicor.groups import CHECK_GROUPS, INVOICE_GROUPS
from connector.epicor.payment_entry import POSTED_PAYMENTS
from connector.epicor.records import EntitySet
from connector.stages import Stage


@dataclass(frozen=True, slots=True)
class Access:
    """One entity set (``entity``) or method of a service, and the stages that need it.

    ``writes`` is what the caller says of a method: GetNew and OnChange methods only compute and save nothing.
    ``tried`` is false for methods that a lenient server might carry out without parameters; the connection test leaves
    those alone. ``optional`` means that the product works without it.
    """

    service: str
    name: str
    stages: tuple[Stage, ...]
    entity: EntitySet | None = None
    writes: bool = False
    tried: bool = True
    optional: bool = False


def _sets(stages: tuple[Stage, ...], *entities: EntitySet) -> tuple[Access, ...]:
    return tuple(Access(entity.service, entity.name, stages, entity) for entity in entities)


def _methods(
    stages: tuple[Stage, ...], service: str, names: str, *, writes: bool = False, tried: bool = True
) -> tuple[Access, ...]:
    return tuple(Access(service, name, stages, writes=writes, tried=tried) for name in names.split())


_OUT = (Stage.INVOICES_OUT,)
_IN = (Stage.INVOICES_IN,)
_PAY = (Stage.PAYMENTS_IN,)
_INVOICE = "Erp.BO.APInvoiceSvc"
_PAYMENT = "Erp.BO.PaymentEntrySvc"
_CHECK_GROUP = "Erp.BO.APChkGrpSvc"
_INVOICE_GROUP = "Erp.BO.APInvGrpSvc"
_VOID = "Erp.BO.VoidPaymentSvc"
_POST = "Erp.PROC.APPaymentPostSvc"
_INVOICE_POST = "Erp.PROC.APInvoicePostSvc"
_FILES = "Ice.BO.AttachmentSvc"

ACCESS_SCOPE: tuple[Access, ...] = (
    *_sets((Stage.VENDORS_OUT,), records.VENDORS, records.REMIT_TOS),
    *_sets((Stage.VENDORS_OUT, Stage.INVOICES_OUT, Stage.INVOICES_IN), records.PUR_TERMS),
    *_sets((Stage.GL_CODES_OUT,), records.GL_ACCOUNTS),
    *_sets((Stage.PURCHASE_ORDERS_OUT,), records.PURCHASE_ORDERS, records.PO_LINES, records.PO_RELEASES,
           records.RECEIPTS, records.RECEIPT_LINES),
    *_sets((Stage.INVOICES_OUT, Stage.INVOICES_IN, Stage.PAYMENTS_IN), records.INVOICES),
    *_sets(_IN, INVOICE_GROUPS),
    *_sets(_PAY, records.PAYMENTS, POSTED_PAYMENTS, records.ALLOCATIONS, CHECK_GROUPS, records.PAY_METHODS,
           records.BANK_ACCOUNTS),
    *_methods((Stage.INVOICES_OUT, Stage.APPROVALS_IN, Stage.INVOICES_IN), _INVOICE, "GetByID"),
    *_methods(_OUT, _FILES, "DownloadFile"),
    # Only for tenants that have approvals shown in a column of Epicor.
    Access(_INVOICE, "UpdateExt", (Stage.APPROVALS_IN,), writes=True, tried=False, optional=True),
    *_methods(_IN, _INVOICE_GROUP, "GetNewAPInvGrpNoLock"),
    *_methods(_IN, _INVOICE_GROUP, "Update UnlockGroup", writes=True),
    *_methods(_IN, _INVOICE, "GetNewAPInvHedInvoice GetNewAPInvHedDebitMemo ChangeVendorID ChangeCurrency"),
    *_methods(_IN, _INVOICE, "GetNewAPInvDtlMiscellaneous GetNewAPInvHedAttch"),
    *_methods(_IN, _INVOICE, "GetAPUninvoicedReceipts SelectUninvoicedRcptLines"),
    *_methods(_IN, _INVOICE, "Update UpdateMaster InvoiceSelectedLines", writes=True),
    *_methods(_IN, _INVOICE, "DeleteByID", writes=True, tried=False),
    *_methods(_IN, _FILES, "UploadFile", writes=True, tried=False),
    # Only for tenants that have captured invoices posted for them.
    Access(_INVOICE_GROUP, "PrePostGroupInvoices", _IN, writes=True, tried=False, optional=True),
    Access(_INVOICE_POST, "GetNewParameters", _IN, optional=True),
    Access(_INVOICE_POST, "RunDirect", _IN, writes=True, tried=False, optional=True),
    *_methods(_PAY, _CHECK_GROUP, "GetNewAPChkGrpNoLock OnChangeBankAcctID OnChangePayMethod"),
    *_methods(_PAY, _CHECK_GROUP, "Update PrePostGrp", writes=True),
    *_methods(_PAY, _PAYMENT, "OnChangeVendor OnChangeCurrency OnChangeManualPrint OnChangeCheckNum OnChangeCheckDate"),
    *_methods(_PAY, _PAYMENT, "PreUpdate GetByID GetNewAPTran OnChangeInvoiceNum OnChangeDocTranAmt"),
    *_methods(_PAY, _PAYMENT, "OnChangeDocDiscAmt CheckAllCheckNumsAssigned PostAllowed"),
    *_methods(_PAY, _PAYMENT, "Update", writes=True),
    *_methods(_PAY, _PAYMENT, "CreateNewCheckHed DeleteByID", writes=True, tried=False),
    *_methods(_PAY, _POST, "GetNewParameters"),
    *_methods(_PAY, _POST, "RunDirect", writes=True, tried=False),
    *_methods(_PAY, _VOID, "GetByID CheckBeforeVoid SetVoidDate"),
    *_methods(_PAY, _VOID, "VoidSelectedChecks", writes=True, tried=False),
    Access("Erp.BO.CompanySvc", "Companies", (), optional=True),
)  # fmt: skip
