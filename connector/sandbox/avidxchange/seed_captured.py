"""The captured invoices a customer starts with: three closed batches for Epicor vendors (contract 5.3).

Twelve are fit to be written into Epicor: plain, with two coded lines, against received and uninvoiced PO lines, and one
credit memo beside a positive invoice of the same vendor. Two are not: one is of a vendor that Epicor does not know, one
is coded to an inactive account; those two are on payment hold over here, so that no payment meets an invoice that is
not in Epicor. GL accounts are in display form, the way a person coding an invoice sees them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import cycle
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

from connector.sandbox.avidxchange import captured
from connector.sandbox.avidxchange.chance import roll
from connector.sandbox.avidxchange.customer import Customer, money
from connector.sandbox.avidxchange.seed_vendors import EXACT, NEAR, external_id, only_here, standing, vendor_row
from connector.sandbox.avidxchange.wire import Row

if TYPE_CHECKING:
    from connector.sandbox.seed.rows import Company

VENDORS = 6
#: What is in each batch, in order.
BATCHES = (
    ("plain", "split", "plain", "plain"),
    ("order", "order", "plain", "credit", "split"),
    ("plain", "split", "plain", "unknown vendor", "inactive account"),
)


def seed_captured(customer: Customer, company: Company, now: datetime) -> None:
    """Fill in the closed batches. A company without usable vendors or accounts gets none."""
    accounts = [row for row in company.tables["GLAccount"] if _usable(row, now) and row["GLAccount"] >= "5"]
    vendors = [row for row in company.tables["Vendor"] if _payable(company, row)]
    vendors = vendors[:: max(1, len(vendors) // VENDORS)]
    if not accounts or not vendors:
        return
    maker = _Maker(customer, company, now, accounts, vendors[:VENDORS])
    for number, kinds in enumerate(BATCHES, start=1):
        closed = now - timedelta(days=len(BATCHES) - number + 1)
        batch: Row = {
            "BatchGUID": str(uuid5(NAMESPACE_URL, f"{company.code}/captured/{number}")),
            "BatchName": f"{company.code} captured {number:03d}",
            "DateClosed": closed,
            "InvoiceIds": [],
            "Acknowledged": False,
            "_count": None,
            "_total": None,
        }
        customer.captured_batches[batch["BatchGUID"]] = batch
        for kind in kinds:
            values = maker.values(kind)
            if values is not None:
                captured.add_invoice(customer, batch, values, closed)


class _Maker:
    """Makes the values of one captured invoice after the other."""

    def __init__(
        self, customer: Customer, company: Company, now: datetime, accounts: list[Row], vendors: list[Row]
    ) -> None:
        self._customer, self._company, self._now, self._accounts = customer, company, now, accounts
        self._vendors = cycle(vendors)
        self._orders = _open_receipts(company)
        self._count = 0
        self._previous: Row | None = None
        self._taken = {row["InvoiceNum"] for row in company.tables["APInvHed"]}

    def values(self, kind: str) -> Row | None:
        """Return what ``captured.add_invoice`` needs for this kind, or None if the data has nothing for it."""
        self._count += 1
        values = self._order() if kind == "order" else self._coded(kind)
        if values is None:
            return None
        values["GrossAmount"] = sum((line["Amount"] for line in values["Lines"]), Decimal(0))
        values["Number"] = self._number()
        day = (self._now - timedelta(days=5)).date()
        values.update(InvoiceDate=day.isoformat(), InvoiceDueDate=(day + timedelta(days=30)).isoformat())
        values["TermTypeName"] = "Net 30"
        self._previous = values
        return values

    def _number(self) -> str:
        number = f"C-{20000 + self._count}"
        while number in self._taken:
            number += "A"
        return number

    def _coded(self, kind: str) -> Row:
        amount = money(Decimal(roll("captured", self._company.code, self._count, sides=90000) + 5000) / 100)
        if kind == "credit" and self._previous is not None:
            amount = -money(self._previous["GrossAmount"] / 4)
            return {"VendorId": self._previous["VendorId"], "Lines": [self._line(1, amount, "Credit for a return")]}
        if kind == "unknown vendor":
            name = only_here(1)["VendorName"]
            unknown = next(row["Id"] for row in self._customer.vendors.values() if row["VendorName"] == name)
            return {"VendorId": unknown, "Lines": [self._line(1, amount, "Emergency repair")], "OnHold": True}
        values: Row = {"VendorId": self._vendor_id(next(self._vendors)), "Lines": [self._line(1, amount, "Services")]}
        if kind == "split":
            part = money(amount / 3)
            values["Lines"] = [self._line(1, part, "Services"), self._line(2, amount - part, "Materials")]
        if kind == "inactive account":
            values.update(OnHold=True, Memo="Coded to an account that is no longer used")
            values["Lines"][0]["GLAccount"] = self._inactive_account()
        return values

    def _line(self, number: int, amount: Decimal, text: str) -> Row:
        account = self._accounts[roll("account", self._company.code, self._count, number, sides=len(self._accounts))]
        quantity = -1 if amount < 0 else 1
        return {
            "LineNumber": number,
            "Amount": amount,
            "GLAccount": account["GLAcctDispGLAcctDisp"],
            "Description": text,
            "Quantity": quantity,
            "UnitPrice": amount * quantity,
            "POLineNumber": None,
            "ReceiptNumber": None,
        }

    def _order(self) -> Row | None:
        found = next(self._orders, None)
        if found is None:
            return None
        vendor, receipt = found
        amount = money(receipt["VendorQty"] * receipt["VendorUnitCost"])
        line = self._line(1, amount, receipt["PartDescription"] or "Goods received")
        line.update(
            Quantity=receipt["VendorQty"],
            UnitPrice=receipt["VendorUnitCost"],
            POLineNumber=receipt["POLine"],
            ReceiptNumber=receipt["PackSlip"],
        )
        return {"VendorId": self._vendor_id(vendor), "PONumber": str(receipt["PONum"]), "Lines": [line]}

    def _vendor_id(self, vendor: Row) -> int:
        external = external_id(self._company.code, vendor["VendorNum"])
        row = self._customer.vendor(external) or self._customer.add_vendor(
            {**vendor_row(vendor), "VendorExternalSystemID": external}, self._now
        )
        return int(row["Id"])

    def _inactive_account(self) -> str:
        for row in self._company.tables["GLAccount"]:
            if not row["Active"]:
                return str(row["GLAcctDispGLAcctDisp"])
        return "99-99-9999"


def _usable(account: Row, now: datetime) -> bool:
    today = now.date().isoformat()
    begins, ends = (account["EffFrom"] or "")[:10], (account["EffTo"] or "9999-12-31")[:10]
    return bool(account["Active"]) and begins <= today <= ends


def _payable(company: Company, vendor: Row) -> bool:
    """Return whether a vendor is fit to be paid, and known over here by its external id or not at all yet."""
    if EXACT <= standing(company.code, vendor["VendorNum"]) < NEAR:
        return False
    whole = vendor["Address1"] and vendor["City"] and vendor["State"] and vendor["ZIP"]
    clear = not vendor["Inactive"] and not vendor["PayHold"] and vendor["CurrencyCode"] == "USD"
    return bool(whole) and clear and len(vendor["Address1"]) <= 60


def _open_receipts(company: Company) -> Iterator[tuple[Row, Row]]:
    """Yield (vendor, receipt line) for lines received and not invoiced, on open orders of vendors that can be paid."""
    vendors = {row["VendorNum"]: row for row in company.tables["Vendor"] if _payable(company, row)}
    orders = {
        row["PONum"]: row
        for row in company.tables["POHeader"]
        if row["OpenOrder"] and not row["VoidOrder"] and row["Approve"] and row["CurrencyCode"] == "USD"
    }
    for receipt in company.tables["RcvDtl"]:
        order = orders.get(receipt["PONum"])
        if order is not None and receipt["Received"] and not receipt["Invoiced"] and order["VendorNum"] in vendors:
            yield vendors[order["VendorNum"]], receipt
