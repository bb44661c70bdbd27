"""Purchase orders with lines, releases and receipts: open, closed and void; received, partly received, not received.

A PO's kind follows from its place in the list. Every received line whose receipt is not invoiced yet can be billed by
an invoice (in Epicor through ``GetAPUninvoicedReceipts``).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random

from connector.sandbox.seed.rows import Company, Row
from connector.sandbox.seed.words import PARTS
from connector.sandbox.seed.writer import Writer, stamp

FIRST_PO = 40_001
_KINDS = ("received", "open", "part", "received", "closed", "received", "open", "void", "part", "closed", "unapproved")
_CENT = Decimal("0.01")


def add_orders(writer: Writer, company: Company, vendors: list[Row], *, count: int, rng: Random, today: date) -> None:
    """Add ``count`` POs against the given vendors, with receipts where their kind has some."""
    for place in range(count):
        vendor = vendors[(place * 3) % len(vendors)]
        _add_order(writer, company, vendor, place=place, rng=rng, today=today)


def _add_order(writer: Writer, company: Company, vendor: Row, *, place: int, rng: Random, today: date) -> None:
    number, kind = FIRST_PO + place, _KINDS[place % len(_KINDS)]
    ordered = today - timedelta(days=70 - place % 50)
    changed = stamp(min(today, ordered + timedelta(days=12)))
    header = writer.add(company, "POHeader", PONum=number, OpenOrder=kind not in {"closed", "void"},
                        VoidOrder=kind == "void", VendorNum=vendor["VendorNum"], VendorVendorID=vendor["VendorID"],
                        VendorName=vendor["Name"], OrderDate=stamp(ordered), TermsCode=vendor["TermsCode"],
                        DueDate=stamp(ordered + timedelta(days=14)), CurrencyCode=vendor["CurrencyCode"],
                        Approve=kind != "unapproved", ApprovalStatus="U" if kind == "unapproved" else "A",
                        ApprovedDate=None if kind == "unapproved" else stamp(ordered), BuyerID="BUYER1", POType="STD",
                        Confirmed=True, ShipName="Main plant", EntryPerson="purchasing", ChangedBy="purchasing",
                        ChangeDate=changed)  # fmt: skip
    total = Decimal(0)
    received: list[tuple[Row, Row]] = []
    for line in range(1, 2 + place % 4):
        part, text, unit = PARTS[(place + line) % len(PARTS)]
        quantity = Decimal(rng.randrange(2, 40))
        price = Decimal(rng.randrange(150, 42_000)) / 100
        amount = (quantity * price).quantize(_CENT)
        total += amount
        is_open = kind not in {"closed", "void"}
        row = writer.add(company, "PODetail", PONUM=number, POLine=line, VendorNum=vendor["VendorNum"], PartNum=part,
                         LineDesc=text, OrderQty=quantity, PUM=unit, XOrderQty=quantity, IUM=unit, UnitCost=price,
                         DocUnitCost=price, ExtCost=amount, DocExtCost=amount, OpenLine=is_open,
                         VoidLine=kind == "void", DueDate=header["DueDate"], CurrencyCode=vendor["CurrencyCode"],
                         ChangedBy="purchasing", ChangeDate=changed)  # fmt: skip
        got = _received(kind, quantity)
        release = writer.add(company, "PORel", PONum=number, POLine=line, PORelNum=1, OpenRelease=is_open,
                             VoidRelease=kind == "void", RelQty=quantity, XRelQty=quantity, ReceivedQty=got,
                             ArrivedQty=got, InvoicedQty=got if kind == "closed" else Decimal(0),
                             DueDate=header["DueDate"], TranType="PUR-STK", Plant="MfgSys", WarehouseCode="MAIN",
                             Status={"void": "V", "closed": "C"}.get(kind, "O"))  # fmt: skip
        if got:
            received.append((row, release))
    header["TotalOrder"] = header["DocTotalOrder"] = total
    if received:
        _add_receipt(writer, company, header, received, day=ordered + timedelta(days=10), closed=kind == "closed")


def _received(kind: str, quantity: Decimal) -> Decimal:
    if kind == "part":
        return Decimal(int(quantity) // 2)
    return quantity if kind in {"received", "closed"} else Decimal(0)


def _add_receipt(
    writer: Writer, company: Company, order: Row, lines: list[tuple[Row, Row]], *, day: date, closed: bool
) -> None:
    slip = f"PS-{order['PONum']}"
    when = stamp(day)
    key = {"VendorNum": order["VendorNum"], "PurPoint": "", "PackSlip": slip}
    writer.add(company, "RcvHead", **key, ReceiptDate=when, ArrivedDate=when, EntryDate=when, Received=True,
               Invoiced=closed, SaveForInvoicing=False, PONum=order["PONum"], CurrencyCode=order["CurrencyCode"],
               ChangedBy="receiving", ChangeDate=when)  # fmt: skip
    for number, (line, release) in enumerate(lines, start=1):
        quantity = release["ReceivedQty"]
        writer.add(company, "RcvDtl", **key, PackLine=number, PONum=order["PONum"], POLine=line["POLine"], PORelNum=1,
                   PartNum=line["PartNum"], PartDescription=line["LineDesc"], OurQty=quantity, IUM=line["IUM"],
                   VendorQty=quantity, PUM=line["PUM"], VendorUnitCost=line["UnitCost"],
                   DocVendorUnitCost=line["DocUnitCost"], Invoiced=closed, Received=True, ReceiptDate=when,
                   SupplierUnInvcReceiptQty=Decimal(0) if closed else quantity, ChangedBy="receiving",
                   ChangeDate=when)  # fmt: skip
