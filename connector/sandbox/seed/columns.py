"""The columns of each table, as text: names and kinds, in the order Epicor's rows show them.

A trimmed, realistic set: everything epicor.md section 4 names plus what a business object needs to work, not all 258
columns of a vendor. ``tests/sandbox/test_schema_names.py`` compares every name with the tenant's schema. Kinds: none is
text, ``i`` integer, ``n`` decimal, ``b`` boolean, ``d`` date text or null.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

_SPECS: dict[str, str] = {
    "Company": "Company1 Name Address1 Address2 Address3 City State Zip Country CountryNum:i PhoneNum",
    "Vendor": """VendorNum:i VendorID Name LegalName GroupCode AccountRef Address1 Address2 Address3 City State ZIP
        Country CountryNum:i PhoneNum FaxNum EMailAddress VendURL TaxPayerID TINType Print1099:b Code1099ID FormTypeID
        TaxRegionCode TermsCode CurrencyCode PMUID:i PayMethodName OneCheck:b PurPoint PrimaryBankID HasBank:b
        Inactive:b PayHold:b Approved:b CPay:b GlobalVendor:b AllowAsAltRemitTo:b DefaultFOB ShipViaCode
        MinOrderValue:n Comment""",
    "VendRemitTo": """VendorNum:i RemitToSeq:i RemitToID RemitToName RemitToAddress1 RemitToAddress2 RemitToAddress3
        RemitToCity RemitToState RemitToZip RemitToCountry:i RemitToEmail RemitToPhoneNum RemitToFaxNum RemitToType
        PMUID:i CurrencyCode TermsCode DefaultRemitTo:b Inactive:b OneCheck:b Comments""",
    "PurTerms": """TermsCode Description TermsType DueDays:i DiscountDays:i DiscountPercent:n DiscountType
        NumberOfPayments:i PartPayment:b IsDefault:b""",
    "Currency": """CurrencyCode CurrencyID CurrDesc CurrName CurrSymbol BaseCurr:b DecimalsGeneral:i DecimalsCost:i
        DecimalsPrice:i Inactive:b""",
    "GLAccount": """COACode GLAccount GLAccount1 GLAcctDispGLAcctDisp GLAcctDispGLShortAcct GLAcctDispAccountDesc
        AccountDesc SegValue1 SegValue2 SegValue3 SegValue4 Active:b EffFrom:d EffTo:d MultiCompany:b""",
    "COASegValues": """COACode SegmentNbr:i SegmentCode SegmentName SegmentDesc SegmentAbbrev ActiveFlag:b
        EffectiveFrom:d EffectiveTo:d NormalBalance Category COASegmentSegmentName""",
    "POHeader": """PONum:i OpenOrder:b VoidOrder:b VendorNum:i VendorVendorID VendorName OrderDate:d DueDate:d TermsCode
        CurrencyCode Approve:b ApprovalStatus ApprovedDate:d BuyerID PurPoint POType Confirmed:b TotalOrder:n
        DocTotalOrder:n ShipName CommentText EntryPerson ChangedBy ChangeDate:d""",
    "PODetail": """PONUM:i POLine:i VendorNum:i PartNum LineDesc OrderQty:n PUM XOrderQty:n IUM UnitCost:n
        DocUnitCost:n ExtCost:n DocExtCost:n OpenLine:b VoidLine:b DueDate:d AdvancePayBal:n CurrencyCode
        ChangedBy ChangeDate:d""",
    "PORel": """PONum:i POLine:i PORelNum:i OpenRelease:b VoidRelease:b RelQty:n XRelQty:n ReceivedQty:n ArrivedQty:n
        InvoicedQty:n DueDate:d TranType JobNum Plant WarehouseCode Status""",
    "RcvHead": """VendorNum:i PurPoint PackSlip ReceiptDate:d ArrivedDate:d EntryDate:d Received:b Invoiced:b
        SaveForInvoicing:b PONum:i CurrencyCode ReceiptComment ChangedBy ChangeDate:d""",
    "RcvDtl": """VendorNum:i PurPoint PackSlip PackLine:i PONum:i POLine:i PORelNum:i PartNum PartDescription OurQty:n
        IUM VendorQty:n PUM VendorUnitCost:n DocVendorUnitCost:n Invoiced:b Received:b ReceiptDate:d
        SupplierUnInvcReceiptQty:n InvoiceNum InvoiceLine:i ChangedBy ChangeDate:d""",
    "APInvGrp": """GroupID CreatedBy ActiveUserID ApplyDate:d FiscalYear:i FiscalPeriod:i BaseTotal:n PostErrorLog
        PostInProcess:b LockStatus""",
    "APInvHed": """VendorNum:i InvoiceNum VendorNumVendorID VendorNumName InvoiceRef ExternalID LegalNumber
        XRefInvoiceNum REFPONum:i OpenPayable:b Posted:b GroupID InvoiceHeld:b PayHold:b DebitMemo:b CorrectionInv:b
        CancellationInv:b RefCancelledby PrePayment:b CPay:b IsLcked:b LockStatus InvoiceType APChkGrpID
        VendorInactive:b VendorPayHold:b InvoiceDate:d ApplyDate:d DueDate:d DiscountDate:d PayDates FiscalYear:i
        FiscalPeriod:i InvoiceAmt:n DocInvoiceAmt:n ScrInvoiceAmt:n ScrDocInvoiceAmt:n InvoiceVendorAmt:n
        DocInvoiceVendorAmt:n ScrInvoiceVendorAmt:n ScrDocInvoiceVendorAmt:n DocInvoiceVariance:n InvoiceBal:n
        DocInvoiceBal:n ScrDocInvoiceBal:n UnpostedBal:n DocUnpostedBal:n ScrDocUnpostedBal:n DiscountAmt:n
        DocDiscountAmt:n ScrDocDiscountAmt:n TaxAmt:n DocTaxAmt:n CurrencyCode ExchangeRate:n TermsCode PMUID:i
        PayMethodType:i PurPoint BankID TaxRegionCode TranDocTypeID GLPosted:b Description InvoiceComment EntryPerson
        ChangedBy ChangeDate:d""",
    "APInvDtl": """VendorNum:i InvoiceNum InvoiceLine:i LineType PartNum Description VendorQty:n ScrVendorQty:n PUM
        UnitCost:n DocUnitCost:n ScrUnitCost:n ExtCost:n DocExtCost:n ScrExtCost:n ScrDocExtCost:n LineDiscAmt:n
        DocLineDiscAmt:n PONum:i POLine:i PORelNum:i PurPoint PackSlip PackLine:i JobNum TaxCatID LineComment
        FinalInvoice:b GLAccount UpdateExtCreateLineGL:b UpdateExtOverrideRcpts:b RelatedToRcvDtlSysRowID DebitMemo:b
        Posted:b CurrencyCode ChangedBy ChangeDate:d""",
    "APInvExp": """VendorNum:i InvoiceNum InvoiceLine:i InvExpSeq:i ExpAmt:n DocExpAmt:n ScrExpAmt:n DocScrExpAmt:n
        GLAccount GLAccountDesc ExtGLAccount NonDedTax:b ExpDispGLAcct COACode BookID ExtCompanyID MultiCompany:b
        CurrencyCode Posted:b""",
    "APInvExpTGLC": """VendorNum:i InvoiceNum InvoiceLine:i InvExpSeq:i GLAccount SegValue1 SegValue2 SegValue3
        SegValue4 COACode BookID GLAcctContext GLAccountGLAcctDisp GLAccountAccountDesc IsExternalCompany:b
        RelatedToFile TransAmt:n CurrencyCode UserCanModify:b""",
    "APIHAPInvMsc": """VendorNum:i InvoiceNum InvoiceLine:i MscNum:i MiscCode MiscCodeDescription Description MiscAmt:n
        DocMiscAmt:n ScrMiscAmt:n ScrDocMiscAmt:n CurrencyCode InvExpSeq:i Posted:b""",
    "APIHAPInvExp": """VendorNum:i InvoiceNum InvoiceLine:i InvExpSeq:i ExpAmt:n DocExpAmt:n ScrExpAmt:n DocScrExpAmt:n
        GLAccount CurrencyCode NonDedTax:b Posted:b""",
    "APInvHedAttch": """VendorNum:i InvoiceNum DrawingSeq:i XFileRefNum:i DrawDesc FileName DocTypeID PDMDocID
        ForeignSysRowID""",
    "PayMethod": "PMUID:i Name Type:i PMSource:i Inactive:b AutoCheckNum:b",
    "BankAcct": "BankAcctID Description BankName CheckingAccount BankRoutingNum IBANCode CurrencyCode Closed:b",
    "APChkGrp": """GroupID BankAcctID BankAcctIDDescription CheckDate:d CurrencyCode PMUID:i PayMethodName
        PayMethodType:i ActiveUserID CreatedBy HasDetails:b TotalCheckAmt:n TotalDocCheckAmt:n TotalDiscAmt:n
        TotalAmountToAP:n PostErrorLog PostInProcess:b LockStatus""",
    "CheckHed": """HeadNum:i GroupID Posted:b BankAcctID CheckNum:i CheckDate:d CheckAmt:n DocCheckAmt:n PaymentTotal:n
        DocPaymentTotal:n Variance:n DocVariance:n IsEnterTotal:b ManualPrint:b Voided:b VoidDate:d VoidedReason
        VendorNum:i VendorID Name Address1 Address2 Address3 City State ZIP Country CurrencyCode PMUID:i PMUIDName
        ElecPayment:b ApplyingPayment:b CheckSrc ClearedCheck:b ClearedDate:d BankTranID PaymentNumber OwnReference
        XRefCheckNum Description LegalNumber FiscalYear:i FiscalPeriod:i SelectedForAction:b EntryPerson ChangedBy
        ChangeDate:d""",
    "APTran": """HeadNum:i APTranNo:i InvoiceNum VendorNum:i GroupID TranType TranAmt:n DocTranAmt:n DiscAmt:n
        DocDiscAmt:n WithholdAmt:n BankPaidAmt:n DocBankPaidAmt:n TranDate:d ApplyDate:d CheckNum:i BankAcctID
        CurrencyCode Posted:b GLPosted:b Voided:b PrePayment:b DebitMemo:b DocInvoiceBal:n DocUnPostedBal:n
        DocNewBalance:n Description EntryPerson ChangedBy ChangeDate:d""",
}

_DEFAULTS: dict[str, Any] = {"": "", "i": 0, "n": Decimal(0), "b": False, "d": None}

#: Table name -> column name -> kind ("" text, "i", "n", "b", "d").
KINDS: dict[str, dict[str, str]] = {}
#: Table name -> a row with every column at its default.
TEMPLATES: dict[str, dict[str, Any]] = {}

for _table, _spec in _SPECS.items():
    _kinds = {"Company": ""}
    for _item in _spec.split():
        _name, _, _kind = _item.partition(":")
        _kinds[_name] = _kind
    _kinds |= {"SysRevID": "i", "SysRowID": ""}
    KINDS[_table] = _kinds
    TEMPLATES[_table] = {_name: _DEFAULTS[_kind] for _name, _kind in _kinds.items()}

#: What a row of a method's dataset has besides its table's columns.
ROW_MOD = "RowMod"
