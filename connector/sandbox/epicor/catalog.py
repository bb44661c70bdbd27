"""What the stand-in serves: services, their entity sets and their datasets.

``tests/sandbox/test_schema_names.py`` compares every name here with the tenant's schema. A dataset lists first the
tables that hold rows here, then those the real service also has, which are always empty but must be named in GetRows
(epicor.md 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from connector.sandbox.seed import KEYS
from connector.sandbox.seed.columns import KINDS


@dataclass(frozen=True)
class EntitySet:
    """A set: the table behind it, the type name its errors show, columns it does not show, and sets to expand."""

    table: str
    type_name: str
    hidden: frozenset[str] = frozenset()
    children: tuple[str, ...] = ()

    @property
    def kinds(self) -> dict[str, str]:
        return {name: kind for name, kind in KINDS[self.table].items() if name not in self.hidden}


@dataclass(frozen=True)
class Service:
    """A business object: entity sets, the dataset of its methods, and how GetByID names the key.

    ``key`` maps GetByID's parameter names to the root table's columns, in key order.
    """

    name: str
    sets: dict[str, EntitySet]
    tables: tuple[str, ...]
    key: dict[str, str]
    empty_tables: tuple[str, ...] = ()
    aliases: dict[str, str] = field(default_factory=dict)

    @property
    def root(self) -> str:
        return self.tables[0]

    def hidden(self, table: str) -> frozenset[str]:
        """Return the columns of a table of ours that this service's dataset does not have."""
        if table in {"GLAccount", "Company"}:
            return frozenset({f"{table}1"})  # the set's name for it (epicor.md section 1)
        return _SEARCH_HIDDEN if table in self.aliases else frozenset()

    def shown(self, table: str) -> str:
        """Return the name under which a table of ours stands in this service's dataset."""
        return self.aliases.get(table, table)


def _sets(type_name: str, root: str, table: str, *, hidden: str = "", **children: str) -> dict[str, EntitySet]:
    """Return a root set and its child sets (set name = table name)."""
    sets = {root: EntitySet(table, f"Erp.{type_name}", frozenset(hidden.split()), tuple(children))}
    return sets | {name: EntitySet(child, f"Erp.{child}") for name, child in children.items()}


_GL = "GLAccount"
_INVOICE_EMPTY = """APIHAPInvExpTGLC APIHAPLnTax APInvDtlAttch APInvDtlDEASch APInvDtlTGLC APInvHedMscTax APInvJob
    APInvLnMscTax APInvMsc APInvPB APInvSched APInvTax APLnTax AdditionalForms_ParametersView EntityGLC GlbAPIETGLC
    LegalNumGenOpts PEAPInvTax PESUNATDtl RcvMisc SupplierXRef TaxConnectStatus"""
_COMPANY_EMPTY = """AGCompany APSyst ARSyst BMSyst BorderPct CRSyst CSFSyst CompanyAttch CurrRateGrp Currency EQSyst
    EntityGLC ExtPRSyst FsSyst GLSyst ISSyst JCSyst MMSyst PDMSyst PECompWhldHist PRSyst TaxSvcConfig XaSyst XbSyst"""
_PO_EMPTY = """PODetailAttch PODetailInsp PODetailMiscTax PODetailTax POHeadMisc POHeaderAttch POHeaderMiscTax
    POHeaderTax POMisc PORelAttch PORelTGLC PORelTax"""
_RECEIPT_EMPTY = """LegalNumGenOpts PendingRcvDtl RcvDtlAttch RcvDtlAttrValueSet RcvDtlTax RcvDuty RcvHeadAttch
    RcvHeadTax RcvMisc RcvMiscTax SNFormat SelectedSerialNumbers SupplierXRef"""
_PAYMENT_EMPTY = "APTTaxDtl APTranTGLC BankTran BankTranTGLC BankTranTaxDtl CheckHedAttch LegalNumGenOpts TaxDtl"
#: What the search service's rows do not show of APTran.
_SEARCH_HIDDEN = frozenset("GroupID DebitMemo ApplyDate DocInvoiceBal DocUnPostedBal DocNewBalance".split())
_VENDOR_EMPTY = """EntityGLC PEVendWhldHist Partner TaxExempt VenMFBill VenPPMFBill VenPPUPSEmail VenUPSEmail VendBank
    VendBankAttch VendCnt VendCntAttch VendCntMain VendPPRestriction VendRestriction VendorAttch VendorPP"""

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        Service(
            "Erp.BO.VendorSvc",
            _sets("Vendor", "Vendors", "Vendor", VendRemitToes="VendRemitTo"),
            ("Vendor", "VendRemitTo"),
            {"vendorNum": "VendorNum"},
            tuple(_VENDOR_EMPTY.split()),
        ),
        Service(
            "Erp.BO.GLAccountSvc",
            _sets(_GL, "GLAccounts", _GL, hidden="GLAccount"),
            (_GL,),
            {"coACode": "COACode", "glAccount": "GLAccount1"},
        ),
        Service(
            "Erp.BO.CompanySvc",
            _sets("Company", "Companies", "Company", hidden="Company"),
            ("Company",),
            {"company": "Company1"},
            tuple(_COMPANY_EMPTY.split()),
        ),
        Service(
            "Erp.BO.COASegValuesSvc",
            _sets("COASegValues", "COASegValues", "COASegValues"),
            ("COASegValues",),
            {"coACode": "COACode", "segmentNbr": "SegmentNbr", "segmentCode": "SegmentCode"},
            ("COASegAcct", "COASegOpt", "COASegRes"),
        ),
        Service(
            "Erp.BO.POSvc",
            _sets("PO", "POes", "POHeader", PODetails="PODetail", PORels="PORel"),
            ("POHeader", "PODetail", "PORel"),
            {"poNum": "PONum"},
            tuple(_PO_EMPTY.split()),
        ),
        Service(
            "Erp.BO.ReceiptSvc",
            _sets("Receipt", "Receipts", "RcvHead", RcvDtls="RcvDtl"),
            ("RcvHead", "RcvDtl"),
            {"vendorNum": "VendorNum", "purPoint": "PurPoint", "packSlip": "PackSlip"},
            tuple(_RECEIPT_EMPTY.split()),
        ),
        Service(
            "Erp.BO.APInvGrpSvc",
            _sets("APInvGrp", "APInvGrps", "APInvGrp"),
            ("APInvGrp",),
            {"groupID": "GroupID"},
        ),
        Service(
            "Erp.BO.APInvoiceSvc",
            _sets(
                "APInvoice",
                "APInvoices",
                "APInvHed",
                APInvDtls="APInvDtl",
                APInvExps="APInvExp",
                APInvExpTGLCs="APInvExpTGLC",
                APIHAPInvMscs="APIHAPInvMsc",
                APIHAPInvExps="APIHAPInvExp",
                APInvHedAttches="APInvHedAttch",
            ),
            ("APInvHed", "APInvDtl", "APInvExp", "APInvExpTGLC", "APIHAPInvMsc", "APIHAPInvExp", "APInvHedAttch"),
            {"vendorNum": "VendorNum", "invoiceNum": "InvoiceNum"},
            tuple(_INVOICE_EMPTY.split()),
        ),
        Service(
            "Erp.BO.APChkGrpSvc",
            _sets("APChkGrp", "APChkGrps", "APChkGrp"),
            ("APChkGrp",),
            {"groupID": "GroupID"},
            ("APChkGrpAttch",),
        ),
        Service(
            "Erp.BO.PaymentEntrySvc",
            _sets("PaymentEntry", "PaymentEntries", "CheckHed", APTrans="APTran"),
            ("CheckHed", "APTran"),
            {"headNum": "HeadNum"},
            tuple(_PAYMENT_EMPTY.split()),
        ),
        Service(
            "Erp.BO.APTranSearchSvc",
            {"APTranSearches": EntitySet("APTran", "Erp.APTranSearch", _SEARCH_HIDDEN)},
            ("APTran",),
            {"headNum": "HeadNum", "apTranNo": "APTranNo", "invoiceNum": "InvoiceNum", "voided": "Voided"},
            ("PaymentTotals",),
            {"APTran": "APTranSearch"},
        ),
        Service(
            "Erp.BO.VoidPaymentSvc",
            _sets("VoidPayment", "VoidPayments", "CheckHed"),
            ("CheckHed",),
            {"headNum": "HeadNum"},
            ("LegalNumGenOpts",),
        ),
        Service(
            "Erp.BO.PayMethodSvc",
            _sets("PayMethod", "PayMethods", "PayMethod"),
            ("PayMethod",),
            {"pmUID": "PMUID"},
            ("PayMethodProp",),
        ),
        Service(
            "Erp.BO.BankAcctSvc",
            _sets("BankAcct", "BankAccts", "BankAcct"),
            ("BankAcct",),
            {"bankAcctID": "BankAcctID"},
            ("BankAcctAttch", "BankPayMethod", "EntityGLC", "Partner"),
        ),
        Service(
            "Erp.BO.PurTermsSvc",
            _sets("PurTerms", "PurTerms", "PurTerms"),
            ("PurTerms",),
            {"termsCode": "TermsCode"},
            ("PurTermsAttch", "PurTermsDtl", "PurTermsSched"),
        ),
        Service(
            "Erp.BO.CurrencySvc",
            _sets("Currency", "Currencies", "Currency"),
            ("Currency",),
            {"currencyCode": "CurrencyCode"},
            ("CurrencyAttch", "EntityGLC"),
        ),
    )
}

#: Services with methods only.
METHOD_SERVICES = ("Erp.PROC.APInvoicePostSvc", "Erp.PROC.APPaymentPostSvc", "Ice.BO.AttachmentSvc")


def key_columns(table: str) -> tuple[str, ...]:
    """Return a table's key as it stands in a keyed URL: Company first, but for the company itself."""
    if table == "Company":
        return KEYS[table]
    return ("Company", *KEYS[table])
