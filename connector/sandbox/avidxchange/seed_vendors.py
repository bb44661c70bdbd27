"""What a customer holds before the first sync: vendors known over there by other means, and bank accounts.

About 15 in 100 of Epicor's vendors are there under the exact external id, 20 without one (half to be found by tax id
under another spelling, half by name and address), 3 only resemble one, and a few are known to nobody in Epicor. The
external id is Company, VendorNum and remit-to (or MAIN) joined by the pipe (contract 1, ``vendor_id_separator``).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from connector.sandbox.avidxchange.chance import roll
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.wire import Row

if TYPE_CHECKING:
    from connector.sandbox.seed.rows import Company

EXACT, BY_TAX_ID, BY_ADDRESS, NEAR = 15, 25, 35, 38


def external_id(company: str, vendor_num: int) -> str:
    """Return the external id of a vendor's main record."""
    return f"{company}|{vendor_num}|MAIN"


def standing(company: str, vendor_num: int) -> int:
    """Return a vendor's place in 0..99, which says how it is known over here (compare with the constants above)."""
    return roll("known", company, vendor_num)


def seed_vendors(customer: Customer, company: Company, now: datetime) -> None:
    """Fill in the vendors known before the first sync."""
    for vendor in company.tables["Vendor"]:
        place = standing(company.code, vendor["VendorNum"])
        if place >= NEAR:
            continue
        row = vendor_row(vendor)
        if place < EXACT:
            row["VendorExternalSystemID"] = external_id(company.code, vendor["VendorNum"])
        elif place < BY_TAX_ID:
            row["VendorName"] = f"{vendor['Name'].upper()} (AP)"
            row["Address"] = row["RemitToAddress"] = None
        elif place < BY_ADDRESS:
            row["TaxId"] = ""
        else:
            row.update(VendorName=f"{vendor['Name']} West", TaxId="", Address=None, RemitToAddress=None)
        customer.add_vendor(row, now)
    for number in range(1, 3 + len(company.tables["Vendor"]) // 150):
        customer.add_vendor(only_here(number), now)


def vendor_row(vendor: Row) -> Row:
    """Return an Epicor vendor as AvidXchange would hold it, without an external id."""
    address = {
        "Line1": vendor["Address1"] or "",
        "Line2": vendor["Address2"] or "",
        "Line3": vendor["Address3"] or "",
        "Line4": "",
        "City": vendor["City"] or "",
        "State": vendor["State"] or "",
        "PostalCode": vendor["ZIP"] or "",
        "CountryCode": "",
    }
    return {
        "VendorExternalSystemID": None,
        "VendorName": vendor["Name"],
        "DoingBusinessAs": "",
        "TaxId": vendor["TaxPayerID"] or "",
        "Address": address,
        "RemitToAddress": dict(address),
        "EmailAddress": "",
        "PhoneNumber": "",
        "TermTypeName": "",
        "AccountNo": "",
        "IsActive": True,
    }


def only_here(number: int) -> Row:
    """Return a vendor that nobody in Epicor knows."""
    blank: dict[str, str | bool] = dict.fromkeys(("Name", "TaxPayerID", "Address2", "Address3"), "")
    place = {"Address1": f"{number} Nowhere Lane", "City": "Tarnlow", "State": "OH", "ZIP": "00000"}
    return {**vendor_row({**blank, **place}), "VendorName": f"Captured Only Vendor {number}"}


def seed_bank_accounts(customer: Customer, company: Company) -> None:
    """Fill in Epicor's bank accounts by their ids, all ready to pay from but the last (R23; statuses facts 2.1)."""
    rows = company.tables["BankAcct"]
    customer.bank_accounts = [
        {
            "Id": 9000 + place,
            "ClientId": row["BankAcctID"],
            "Description": row["Description"],
            "Status": "Synced" if row is not rows[-1] else "Pending",
        }
        for place, row in enumerate(rows)
    ]
