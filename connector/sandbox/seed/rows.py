"""What a seed is: companies, each a set of named tables of plain rows, plus the files its attachments point at.

Rows are dicts with Epicor's real column names (epicor.md section 4); money is ``Decimal``, dates are the text Epicor
sends ("2026-11-02T00:00:00"). Both stand-ins start from the same seed: Epicor serves the tables, AvidXchange derives
what its side already knows from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

Row = dict[str, Any]

#: Table name -> key columns without Company, in key order (epicor.md 4.1; the capitals are Epicor's).
KEYS: dict[str, tuple[str, ...]] = {
    "Company": ("Company1",),
    "Vendor": ("VendorNum",),
    "VendRemitTo": ("VendorNum", "RemitToSeq"),
    "PurTerms": ("TermsCode",),
    "Currency": ("CurrencyCode",),
    "GLAccount": ("COACode", "GLAccount1"),
    "COASegValues": ("COACode", "SegmentNbr", "SegmentCode"),
    "POHeader": ("PONum",),
    "PODetail": ("PONUM", "POLine"),
    "PORel": ("PONum", "POLine", "PORelNum"),
    "RcvHead": ("VendorNum", "PurPoint", "PackSlip"),
    "RcvDtl": ("VendorNum", "PurPoint", "PackSlip", "PackLine"),
    "APInvGrp": ("GroupID",),
    "APInvHed": ("VendorNum", "InvoiceNum"),
    "APInvDtl": ("VendorNum", "InvoiceNum", "InvoiceLine"),
    "APInvExp": ("VendorNum", "InvoiceNum", "InvoiceLine", "InvExpSeq"),
    "APInvExpTGLC": ("VendorNum", "InvoiceNum", "InvoiceLine", "InvExpSeq", "SysRowID"),
    "APIHAPInvMsc": ("VendorNum", "InvoiceNum", "InvoiceLine", "MscNum"),
    "APIHAPInvExp": ("VendorNum", "InvoiceNum", "InvoiceLine", "InvExpSeq"),
    "APInvHedAttch": ("VendorNum", "InvoiceNum", "DrawingSeq"),
    "PayMethod": ("PMUID",),
    "BankAcct": ("BankAcctID",),
    "APChkGrp": ("GroupID",),
    "CheckHed": ("HeadNum",),
    "APTran": ("HeadNum", "APTranNo", "InvoiceNum", "Voided"),
}


@dataclass
class Company:
    """One Epicor company: its rows by table name and its files by XFileRefNum as (file name, doc type, bytes)."""

    code: str
    name: str
    tables: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in KEYS})
    files: dict[int, tuple[str, str, bytes]] = field(default_factory=dict)


@dataclass
class Seed:
    """The one data set: ``companies`` has EPIC06 (main) and EPIC07 (second, with colliding keys, other content)."""

    companies: dict[str, Company]
    today: date
    seed: int
