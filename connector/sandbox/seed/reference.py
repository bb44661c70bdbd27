"""Terms, currencies, payment methods, bank accounts and the chart of accounts.

The chart has three segments, stored natural account, department, location (``5010|20|01``) and shown the other way
round (``01-20-5010``): display order differs from physical order on purpose (epicor.md 4.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from connector.sandbox.seed.rows import Company
from connector.sandbox.seed.writer import Writer, stamp

COA = "MAIN"
DEFAULT_EXPENSE = "5999|00|01"
MANUAL_METHOD = 2

#: Terms code -> (description, days due, days discount, percent discount).
TERMS: dict[str, tuple[str, int, int, Decimal]] = {
    "N30": ("Net 30", 30, 0, Decimal(0)),
    "N15": ("Net 15", 15, 0, Decimal(0)),
    "N45": ("Net 45", 45, 0, Decimal(0)),
    "N60": ("Net 60", 60, 0, Decimal(0)),
    "2N10": ("2% 10 Net 30", 30, 10, Decimal(2)),
    "COD": ("Due on receipt", 0, 0, Decimal(0)),
}

_NATURALS = (
    ("5010", "Cost of goods, bearings"), ("5020", "Cost of goods, hydraulics"), ("5030", "Freight in"),
    ("6010", "Office supplies"), ("6020", "Repairs and maintenance"), ("6030", "Utilities"),
    ("6040", "Temporary labor"),
    ("6050", "Safety and training"), ("6060", "Professional fees"), ("6070", "Packaging"), ("6080", "Waste removal"),
    ("6090", "Rent"),
)  # fmt: skip
_BALANCE = (("1010", "Cash, operating"), ("1090", "Cash, payment clearing"), ("1400", "Inventory"),
            ("2000", "Accounts payable"), ("2010", "Received not invoiced"))  # fmt: skip
_DEPARTMENTS = (("10", "Warehouse"), ("20", "Operations"), ("30", "Sales"), ("40", "Administration"))
_LOCATIONS = (("01", "Main plant"), ("02", "North branch"), ("03", "South branch"))


@dataclass(frozen=True)
class Chart:
    """Internal account strings by what may be booked on them on the day the data was made."""

    usable: list[str]
    inactive: list[str]
    not_yet: list[str]
    expired: list[str]


def add_terms_and_money(writer: Writer, company: Company) -> None:
    """Add the company itself, purchase terms, USD and CAD, payment methods and bank accounts (fake numbers)."""
    writer.add(company, "Company", Company1=company.code, Name=company.name, Address1="1 Foundry Road", City="Toledo",
               State="OH", Zip="43604", Country="USA", CountryNum=1, PhoneNum="555-0100")  # fmt: skip
    for code, (text, due, discount_days, percent) in TERMS.items():
        writer.add(company, "PurTerms", TermsCode=code, Description=text, TermsType="D", DueDays=due,
                   DiscountDays=discount_days, DiscountPercent=percent, NumberOfPayments=1,
                   IsDefault=code == "N30")  # fmt: skip
    for code, name, base in (("USD", "US Dollar", True), ("CAD", "Canadian Dollar", False)):
        writer.add(company, "Currency", CurrencyCode=code, CurrencyID=code, CurrDesc=name, CurrName=name,
                   CurrSymbol="$", BaseCurr=base, DecimalsGeneral=2, DecimalsCost=5, DecimalsPrice=5)  # fmt: skip
    methods = (
        (1, "Check", 2, 0),
        (MANUAL_METHOD, "AvidPay (manual)", 0, 0),
        (3, "ACH", 1, 0),
        (4, "Lockbox", 0, 1),
        (5, "Old manual", 0, 0),
    )
    for pmuid, name, kind, source in methods:
        writer.add(company, "PayMethod", PMUID=pmuid, Name=name, Type=kind, PMSource=source, Inactive=pmuid == 5,
                   AutoCheckNum=kind == 1)  # fmt: skip
    for code, text, currency in (("OPER", "Operating account", "USD"), ("AVID", "AvidPay clearing", "USD"),
                                 ("CADOP", "Operating account CAD", "CAD")):  # fmt: skip
        writer.add(company, "BankAcct", BankAcctID=code, Description=text, BankName="Sandbox Bank (not real)",
                   CheckingAccount="000000000", BankRoutingNum="000000000", CurrencyCode=currency)  # fmt: skip


def add_chart(writer: Writer, company: Company, *, today: date) -> Chart:
    """Add segment values and accounts; returns which accounts may be used."""
    past, future = stamp(today - timedelta(days=900)), stamp(today + timedelta(days=60))
    segments = ((1, "Natural account", (*_BALANCE, *_NATURALS, ("5999", "Purchases, uncoded"))),
                (2, "Department", (("00", "None"), *_DEPARTMENTS)), (3, "Location", _LOCATIONS))  # fmt: skip
    for number, segment, values in segments:
        for code, text in values:
            writer.add(company, "COASegValues", COACode=COA, SegmentNbr=number, SegmentCode=code, SegmentName=text,
                       SegmentDesc=text, SegmentAbbrev=code, ActiveFlag=True, EffectiveFrom=past,
                       NormalBalance="C" if code.startswith("2") else "D", COASegmentSegmentName=segment)  # fmt: skip
    chart = Chart(usable=[], inactive=[], not_yet=[], expired=[])
    for natural, text in (*_BALANCE, ("5999", "Purchases, uncoded")):
        _add_account(writer, company, (natural, "00", "01"), text, EffFrom=past, Active=True)
    count = 0
    for natural, text in _NATURALS:
        for department, department_name in _DEPARTMENTS:
            for location, location_name in _LOCATIONS:
                count += 1
                kind, names = _standing(count, past=past, future=future, today=today)
                account = _add_account(writer, company, (natural, department, location),
                                       f"{company.code[-2:]} {text} - {department_name}, {location_name}",
                                       **names)  # fmt: skip
                getattr(chart, kind).append(account)
    return chart


def _standing(count: int, *, past: str, future: str, today: date) -> tuple[str, dict[str, object]]:
    """Return which list the ``count``-th account belongs to, and the columns that make it so."""
    if count % 17 == 5:
        return "inactive", {"Active": False, "EffFrom": past}
    if count % 29 == 11:
        return "not_yet", {"Active": True, "EffFrom": future}
    if count % 31 == 13:
        return "expired", {"Active": True, "EffFrom": past, "EffTo": stamp(today - timedelta(days=120))}
    return "usable", {"Active": True, "EffFrom": past}


def _add_account(
    writer: Writer, company: Company, segments: tuple[str, str, str], text: str, **standing: object
) -> str:
    internal = "|".join(segments)
    display = "-".join(reversed(segments))
    writer.add(company, "GLAccount", COACode=COA, GLAccount=internal, GLAccount1=internal,
               GLAcctDispGLAcctDisp=display, GLAcctDispGLShortAcct="".join(reversed(segments)),
               GLAcctDispAccountDesc=text, AccountDesc=text, SegValue1=segments[0], SegValue2=segments[1],
               SegValue3=segments[2], **standing)  # fmt: skip
    return internal
