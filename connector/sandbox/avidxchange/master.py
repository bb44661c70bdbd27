"""Vendors, chart, dimension values, purchase orders and receipts: what an upsert of each does (R3, R5 to R8).

Every body here is assumed (contract section 4). An upsert replaces the record it names; what it leaves out is gone.
``Inactivate`` keeps the row. An upsert that changes nothing does not touch ``LastModified``.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from connector.sandbox.avidxchange.checks import ItemCheck
from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.submissions import Verdict
from connector.sandbox.avidxchange.wire import Row

OPERATIONS = ("Upsert", "Inactivate")

Key = TypeVar("Key")


def upsert_vendor(customer: Customer, check: ItemCheck, now: datetime, _options: Options) -> Verdict:
    """Create or update the vendor that has this external id.

    ``Id`` (assumed) attaches the external id to a vendor that is there already under another or no external id.
    """
    external = check.text("VendorExternalSystemID", longest=100, required=True)
    echo = _echo("VendorExternalSystemID", external)
    found = customer.vendor(external)
    if check.choice("Operation", OPERATIONS, "Upsert") == "Inactivate":
        if found is None:
            check.fault("VENDOR_NOT_FOUND", f"No vendor {external}", "VendorExternalSystemID")
            return Verdict(echo, check.errors)
        _merge(found, {"IsActive": False}, now)
        return Verdict({"Id": found["Id"], **echo})
    row = _vendor_row(check, external)
    target = _attach_target(customer, check, found)
    if check.errors:
        return Verdict(echo, check.errors)
    if target is None:
        target = customer.add_vendor(row, now)
    else:
        customer.vendor_by_external.pop(target["VendorExternalSystemID"] or "", None)
        customer.vendor_by_external[external] = target["Id"]
        _merge(target, row, now)
    return Verdict({"Id": target["Id"], **echo})


def _vendor_row(check: ItemCheck, external: str) -> Row:
    return {
        "VendorExternalSystemID": external,
        "VendorName": check.text("VendorName", longest=255, required=True),
        "DoingBusinessAs": check.text("DoingBusinessAs", longest=255),
        "TaxId": check.identifier("TaxId"),
        "Address": check.address("Address"),
        "RemitToAddress": check.address("RemitToAddress", required=True),
        "EmailAddress": check.text("EmailAddress", longest=255),
        "PhoneNumber": check.text("PhoneNumber", longest=20),
        "TermTypeName": check.text("TermTypeName", longest=255),
        "AccountNo": check.text("AccountNo", longest=100),
        "IsActive": check.flag("IsActive"),
    }


def _attach_target(customer: Customer, check: ItemCheck, found: Row | None) -> Row | None:
    """Return the vendor to write to: the one ``Id`` names, else the one that has the external id, else None."""
    wanted = str(check.item.get("Id") or "")
    if not wanted:
        return found
    named = customer.vendors.get(int(wanted)) if wanted.isascii() and wanted.isdecimal() else None
    if named is None:
        check.fault("VENDOR_NOT_FOUND", f"No vendor with Id {wanted}", "Id")
    elif found is not None and found is not named:
        check.fault("VALIDATION", f"The external id belongs to vendor {found['Id']}", "VendorExternalSystemID")
    return named


def upsert_gl_account(customer: Customer, check: ItemCheck, now: datetime, _options: Options) -> Verdict:
    """Create or update the account with this number."""
    number = check.text("AccountNumber", longest=100, required=True)
    row = {
        "AccountNumber": number,
        "Description": check.text("Description", longest=255),
        "AccountType": check.text("AccountType", longest=50),
        "IsActive": _active(check),
    }
    echo = _echo("AccountNumber", number)
    if check.errors:
        return Verdict(echo, check.errors)
    return Verdict({"Id": _keep(customer, customer.gl_accounts, number, row, now), **echo})


def upsert_dimension(customer: Customer, check: ItemCheck, now: datetime, _options: Options) -> Verdict:
    """Create or update the dimension value with this name and code."""
    name = check.text("DimensionName", longest=100, required=True)
    code = check.text("Code", longest=100, required=True)
    row = {
        "DimensionName": name,
        "Code": code,
        "Description": check.text("Description", longest=255),
        "ParentCode": check.text("ParentCode", longest=100),
        "IsActive": _active(check),
    }
    echo = {"DimensionName": name, **_echo("Code", code)}
    if check.errors:
        return Verdict(echo, check.errors)
    return Verdict({"Id": _keep(customer, customer.dimensions, (name, code), row, now), **echo})


def upsert_purchase_order(customer: Customer, check: ItemCheck, now: datetime, _options: Options) -> Verdict:
    """Create or update the purchase order with this number; its vendor must be known."""
    number = check.text("PONumber", longest=50, required=True)
    vendor = known_vendor(customer, check)
    row = {
        "PONumber": number,
        "VendorExternalSystemID": check.item.get("VendorExternalSystemID"),
        "VendorId": vendor["Id"] if vendor else None,
        "OrderDate": check.day("OrderDate"),
        "Status": check.choice("Status", ("Open", "Closed", "Void")),
        "TotalAmount": check.amount("TotalAmount", required=True),
        "Currency": check.text("Currency", longest=3) or "USD",
        "Lines": [_order_line(customer, line) for line in check.rows("Lines")],
    }
    echo = _echo("PONumber", number)
    if check.errors:
        return Verdict(echo, check.errors)
    return Verdict({"Id": _keep(customer, customer.purchase_orders, number, row, now), **echo})


def _order_line(customer: Customer, line: ItemCheck) -> Row:
    account = line.text("GLAccount", longest=200)
    if account and account not in customer.gl_accounts:
        line.fault("GL_NOT_FOUND", f"No GL account {account}", "GLAccount")
    return {
        "LineNumber": line.whole("LineNumber", required=True),
        "ReleaseNumber": line.whole("ReleaseNumber"),
        "PartNumber": line.text("PartNumber", longest=100),
        "Description": line.text("Description", longest=1000),
        "UnitOfMeasure": line.text("UnitOfMeasure", longest=20),
        "Quantity": line.amount("Quantity", required=True, places=8),
        "UnitPrice": line.amount("UnitPrice", places=8),
        "Amount": line.amount("Amount"),
        "ReceivedQuantity": line.amount("ReceivedQuantity", places=8),
        "GLAccount": account,
    }


def upsert_receipt(customer: Customer, check: ItemCheck, now: datetime, _options: Options) -> Verdict:
    """Create or update the receipts of a purchase order, which must be known and of that vendor.

    An item with its own ``ReceiptNumber`` is one receipt; one without carries all receipts of its order (assumed).
    """
    order = check.text("PONumber", longest=50, required=True)
    number = check.text("ReceiptNumber", longest=50)
    vendor = known_vendor(customer, check)
    match_order(customer, check, vendor)
    row = {
        "PONumber": order,
        "ReceiptNumber": number,
        "VendorExternalSystemID": check.item.get("VendorExternalSystemID"),
        "ReceiptDate": check.day("ReceiptDate"),
        "Lines": [
            {
                "LineNumber": line.whole("LineNumber", required=True),
                "ReleaseNumber": line.whole("ReleaseNumber"),
                "ReceivedQuantity": line.amount("ReceivedQuantity", required=True, places=8),
                "ReceiptNumber": line.text("ReceiptNumber", longest=50, required=not number) or number,
                "ReceiptDate": line.day("ReceiptDate"),
            }
            for line in check.rows("Lines")
        ],
    }
    echo = {"ReceiptNumber": number, **_echo("PONumber", order)}
    if check.errors:
        return Verdict(echo, check.errors)
    return Verdict({"Id": _keep(customer, customer.receipts, (order, number), row, now), **echo})


def known_vendor(customer: Customer, check: ItemCheck) -> Row | None:
    """Return the active vendor an item names, or None with VENDOR_NOT_FOUND remembered."""
    external = check.item.get("VendorExternalSystemID")
    vendor = customer.vendor(external) if isinstance(external, str) else None
    if vendor is None or not vendor["IsActive"]:
        state = "No vendor" if vendor is None else "Inactive vendor"
        check.fault("VENDOR_NOT_FOUND", f"{state} {external}", "VendorExternalSystemID")
        return None
    return vendor


def match_order(customer: Customer, check: ItemCheck, vendor: Row | None) -> Row | None:
    """Return the purchase order an item names, or None with PO_NOT_FOUND or PO_VENDOR_MISMATCH remembered."""
    number = check.item.get("PONumber")
    found = customer.purchase_orders.get(number) if isinstance(number, str) else None
    if found is None:
        check.fault("PO_NOT_FOUND", f"No purchase order {number}", "PONumber")
    elif vendor is not None and found["VendorId"] != vendor["Id"]:
        check.fault("PO_VENDOR_MISMATCH", f"Purchase order {number} is another vendor's", "PONumber")
        return None
    return found


def _active(check: ItemCheck) -> bool:
    if check.choice("Operation", OPERATIONS, "Upsert") == "Inactivate":
        return False
    return check.flag("IsActive")


def _echo(name: str, value: str) -> Row:
    return {"ExternalId": {"Value": value}, name: value} if value else {}


def _keep(customer: Customer, table: dict[Key, Row], key: Key, row: Row, now: datetime) -> int:
    """Store or update a record and return its AvidXchange id."""
    if key in table:
        _merge(table[key], row, now)
    else:
        table[key] = {"Id": next(customer.record_ids), **row, "LastModified": now}
    return int(table[key]["Id"])


def _merge(row: Row, values: Row, now: datetime) -> None:
    if any(row.get(name) != value for name, value in values.items()):
        row.update(values)
        row["LastModified"] = now
