"""Vendors of an industrial distributor: mostly clean, some awkward, with remit-to addresses.

What a vendor is follows from its place in the list, so that a test of 40 vendors meets every kind: names that break
careless code, inactive ones, payment holds, missing or over-long addresses, Canadian dollars, several remit-to's.
"""

from __future__ import annotations

from random import Random

from connector.sandbox.seed.rows import Company, Row
from connector.sandbox.seed.words import AWKWARD_NAMES, CANADIAN_PLACES, FORMS, PLACES, STEMS, STREETS, TRADES
from connector.sandbox.seed.writer import Writer

FIRST_VENDOR = 101
_TERMS = ("N30", "N30", "N30", "N45", "N60", "2N10", "N15", "COD")
_NAMES = len(STEMS) * len(TRADES) * len(FORMS)
_STEP = 7919  # prime, so the names are all different before one repeats


def add_vendors(writer: Writer, company: Company, *, count: int, rng: Random) -> list[Row]:
    """Add ``count`` vendors with their remit-to's; returns the vendors in key order.

    Every 40 vendors hold two inactive, one on payment hold, one without a city, one with an over-long address and two
    Canadian ones.
    """
    offset = 0 if company.code == "EPIC06" else 4001
    rows = []
    for place in range(count):
        row = writer.add(company, "Vendor", **_vendor(place, offset=offset, rng=rng))
        rows.append(row)
    for place, row in enumerate(rows):
        if place % 4 == 1:
            _add_remit_tos(writer, company, row, place)
    return rows


def is_clean(row: Row) -> bool:
    """Return whether nothing about the vendor would stop its invoices: active, no hold, complete and sane address."""
    whole = row["City"] and row["State"] and row["ZIP"] and row["Address1"]
    return bool(whole and len(row["Address1"]) <= 60 and not row["Inactive"] and not row["PayHold"])


def _vendor(place: int, *, offset: int, rng: Random) -> dict[str, object]:
    number = FIRST_VENDOR + place
    name, key = _name(place, offset)
    canadian = place % 20 == 9
    city, state, postcode = CANADIAN_PLACES[place % 3] if canadian else PLACES[rng.randrange(len(PLACES))]
    street = f"{rng.randrange(100, 9900)} {STREETS[rng.randrange(len(STREETS))]}"
    if place % 40 == 23:
        street = f"{street}, Building 14 North Annex, Receiving Door 27, behind the old cooling tower, ring twice"
    return {
        "VendorNum": number,
        "VendorID": f"{key[:5].upper()}{number}",
        "Name": name,
        "LegalName": name,
        "GroupCode": ("MRO", "DIST", "SERV", "FRT")[place % 4],
        "AccountRef": f"CUST-{number}",
        "Address1": street,
        "Address2": f"Suite {place % 90 + 10}" if place % 3 == 0 else "",
        "City": "" if place % 40 == 17 else city,
        "State": state,
        "ZIP": "" if place % 80 == 57 else postcode,
        "Country": "Canada" if canadian else "USA",
        "CountryNum": 2 if canadian else 1,
        "PhoneNum": f"555-01{place % 100:02d}",
        "EMailAddress": f"ap{number}@{key.lower()}.example",
        "TaxPayerID": f"00-{(offset * 100 + number) % 10_000_000:07d}",
        "TINType": "1",
        "Print1099": place % 6 == 0,
        "TermsCode": _TERMS[rng.randrange(len(_TERMS))],
        "CurrencyCode": "CAD" if canadian else "USD",
        "PMUID": 1,
        "PayMethodName": "Check",
        "Inactive": place % 20 == 13,
        "PayHold": place % 40 == 31,
        "Approved": True,
        "AllowAsAltRemitTo": False,
    }


def _name(place: int, offset: int) -> tuple[str, str]:
    """Return the vendor's name and a plain word from it for codes and addresses."""
    pick = (place * _STEP + offset) % _NAMES
    stem = STEMS[pick % len(STEMS)]
    if place % 8 == 2 and place // 8 < len(AWKWARD_NAMES) and not offset:
        return AWKWARD_NAMES[place // 8], stem
    trade = TRADES[pick // len(STEMS) % len(TRADES)]
    return f"{stem} {trade} {FORMS[pick // (len(STEMS) * len(TRADES))]}", stem


def _add_remit_tos(writer: Writer, company: Company, vendor: Row, place: int) -> None:
    for sequence in range(1, 2 + place % 3):
        city, state, postcode = PLACES[(place + sequence) % len(PLACES)]
        writer.add(company, "VendRemitTo", VendorNum=vendor["VendorNum"], RemitToSeq=sequence,
                   RemitToID=f"R{sequence}", RemitToName=vendor["Name"], RemitToAddress1=f"PO Box {7000 + place}",
                   RemitToCity=city, RemitToState=state, RemitToZip=postcode, RemitToCountry=1,
                   RemitToEmail=f"remit{sequence}.{vendor['EMailAddress']}", PMUID=vendor["PMUID"],
                   CurrencyCode=vendor["CurrencyCode"], TermsCode=vendor["TermsCode"], DefaultRemitTo=sequence == 1,
                   Inactive=sequence == 3)  # fmt: skip
