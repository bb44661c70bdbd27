"""AP invoices in every state a sync meets, their lines to the cent, GL distributions and attachments.

The kind of an invoice follows from its place in the list: about 85% of the open ones are clean (usable accounts, a
vendor without faults, an image). ``DocInvoiceAmt`` is the sum of lines and header charges; debit memos are negative in
the plain and Doc columns and positive in the Scr ones (epicor.md 4.5).
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from random import Random

from connector.sandbox.seed import files
from connector.sandbox.seed.reference import COA, TERMS, Chart
from connector.sandbox.seed.rows import Company, Row
from connector.sandbox.seed.vendors import is_clean
from connector.sandbox.seed.words import SERVICES
from connector.sandbox.seed.writer import Writer, stamp

CAD_RATE = Decimal("0.73")
_CENT = Decimal("0.01")
_KINDS = (
    "open", "open", "closed", "split", "open", "debit", "unposted", "open", "partly", "open", "open", "order", "open",
    "cad", "closed", "open", "hold", "open", "charge", "open", "held", "open", "inactive_account", "open", "many",
    "open", "closed", "open", "order", "open", "unposted", "open", "faulty_vendor", "open", "partly", "split",
    "open", "open", "closed", "open",
)  # fmt: skip


class InvoiceWriter:
    """Adds one company's invoices; keeps what the next one needs to know."""

    def __init__(self, writer: Writer, company: Company, chart: Chart, *, rng: Random, today: date) -> None:
        self.writer, self.company, self.chart, self.rng, self.today = writer, company, chart, rng, today
        vendors = company.tables["Vendor"]
        self.good = [row for row in vendors if is_clean(row) and row["CurrencyCode"] == "USD"]
        self.canadian = [row for row in vendors if is_clean(row) and row["CurrencyCode"] == "CAD"] or self.good
        self.faulty = [row for row in vendors if not is_clean(row)] or self.good
        self.orders = _billable(company)
        self.vendors = {row["VendorNum"]: row for row in vendors}

    def add(self, place: int) -> tuple[Row, str]:
        """Add the ``place``-th invoice with everything below it; returns its header and its kind."""
        kind = _KINDS[place % len(_KINDS)]
        order = self.orders.pop(0) if kind == "order" and self.orders else None
        vendor = self._vendor(kind, place, order)
        dated = self.today - timedelta(days=3 + (place * 7) % 55)
        header = self._header(vendor, kind, place, dated)
        total = self._lines(header, kind, place, order)
        if kind == "charge":
            total += self._charge(header)
        self._totals(header, total, kind, vendor["TermsCode"])
        self._attachments(header, place)
        return header, kind

    def _vendor(self, kind: str, place: int, order: Row | None) -> Row:
        if order is not None:
            return self.vendors[order["VendorNum"]]
        pool = {"cad": self.canadian, "faulty_vendor": self.faulty}.get(kind, self.good)
        return pool[(place * 5) % len(pool)]

    def _header(self, vendor: Row, kind: str, place: int, dated: date) -> Row:
        days = TERMS[vendor["TermsCode"]]
        posted = kind not in {"held", "unposted"}
        return self.writer.add(
            self.company, "APInvHed", VendorNum=vendor["VendorNum"], InvoiceNum=_number(place),
            VendorNumVendorID=vendor["VendorID"], VendorNumName=vendor["Name"], OpenPayable=kind != "closed",
            Posted=posted, GroupID="" if posted else "APOPEN", InvoiceHeld=kind == "held", PayHold=kind == "hold",
            DebitMemo=kind == "debit", VendorInactive=vendor["Inactive"], VendorPayHold=vendor["PayHold"],
            InvoiceDate=stamp(dated), ApplyDate=stamp(dated), DueDate=stamp(dated + timedelta(days=days[1])),
            DiscountDate=stamp(dated + timedelta(days=days[2])) if days[2] else None, FiscalYear=dated.year,
            FiscalPeriod=dated.month, CurrencyCode=vendor["CurrencyCode"],
            ExchangeRate=CAD_RATE if vendor["CurrencyCode"] == "CAD" else Decimal(1), TermsCode=vendor["TermsCode"],
            PMUID=1, Description=f"{self.company.code[-2:]} {SERVICES[place % len(SERVICES)]}", EntryPerson="ap.clerk",
            ChangedBy="ap.clerk", ChangeDate=stamp(min(self.today, dated + timedelta(days=2))),
        )  # fmt: skip

    def _lines(self, header: Row, kind: str, place: int, order: Row | None) -> Decimal:
        """Add the lines with their distributions; returns their sum in document currency."""
        if order is not None:
            header["REFPONum"] = order["PONum"]
            return self._order_lines(header, order)
        sign = -1 if kind == "debit" else 1
        count = 40 if kind == "many" else 1 + place % 4
        total = Decimal(0)
        for number in range(1, count + 1):
            amount = sign * Decimal(self.rng.randrange(1_499, 350_000)) / 100
            self._line(header, number, amount, LineType="M", Description=SERVICES[(place + number) % len(SERVICES)],
                       VendorQty=Decimal(1), PUM="EA", accounts=self._accounts(kind, place + number))  # fmt: skip
            total += amount
        return total

    def _order_lines(self, header: Row, order: Row) -> Decimal:
        """Bill every received line of the order, and mark its receipt and release as invoiced."""
        tables, total = self.company.tables, Decimal(0)
        lines = {row["POLine"]: row for row in tables["PODetail"] if row["PONUM"] == order["PONum"]}
        releases = {row["POLine"]: row for row in tables["PORel"] if row["PONum"] == order["PONum"]}
        slips = [row for row in tables["RcvDtl"] if row["PONum"] == order["PONum"]]
        for number, slip in enumerate(slips, start=1):
            line = lines[slip["POLine"]]
            self._line(header, number, line["DocExtCost"], LineType="R", PartNum=line["PartNum"],
                       Description=line["LineDesc"], VendorQty=slip["VendorQty"], PUM=line["PUM"],
                       PONum=order["PONum"], POLine=line["POLine"], PORelNum=1, PackSlip=slip["PackSlip"],
                       PackLine=slip["PackLine"], RelatedToRcvDtlSysRowID=slip["SysRowID"],
                       accounts=self._accounts("order", number))  # fmt: skip
            slip.update(Invoiced=True, SupplierUnInvcReceiptQty=Decimal(0), InvoiceNum=header["InvoiceNum"],
                        InvoiceLine=number)  # fmt: skip
            releases[slip["POLine"]]["InvoicedQty"] = slip["VendorQty"]
            total += line["DocExtCost"]
        return total

    def _accounts(self, kind: str, turn: int) -> list[str]:
        usable = self.chart.usable
        if kind == "inactive_account":
            return [self.chart.inactive[turn % len(self.chart.inactive)]]
        if kind == "split":
            return [usable[(turn * 7) % len(usable)], usable[(turn * 7 + 3) % len(usable)]]
        return [usable[(turn * 11) % len(usable)]]

    def _line(self, header: Row, number: int, amount: Decimal, *, accounts: list[str], **values: object) -> None:
        quantity = values["VendorQty"]
        if not isinstance(quantity, Decimal):
            raise TypeError("VendorQty must be a Decimal")
        unit = (amount / quantity).quantize(Decimal("0.00001"))
        base = _base(header, amount)
        key = {"VendorNum": header["VendorNum"], "InvoiceNum": header["InvoiceNum"], "InvoiceLine": number}
        self.writer.add(self.company, "APInvDtl", **key, UnitCost=unit, DocUnitCost=unit, ScrUnitCost=abs(unit),
                        ExtCost=base, DocExtCost=amount, ScrExtCost=abs(base), ScrDocExtCost=abs(amount),
                        ScrVendorQty=quantity, GLAccount=accounts[0], DebitMemo=header["DebitMemo"],
                        Posted=header["Posted"], CurrencyCode=header["CurrencyCode"], ChangedBy="ap.clerk",
                        ChangeDate=header["ChangeDate"], **values)  # fmt: skip
        parts = _split(amount, len(accounts))
        for sequence, (account, part) in enumerate(zip(accounts, parts, strict=True), start=1):
            self._expense(header, {**key, "InvExpSeq": sequence}, account, part)

    def _expense(self, header: Row, key: dict[str, object], account: str, amount: Decimal) -> None:
        base, currency = _base(header, amount), header["CurrencyCode"]
        segments = account.split("|")
        display = "-".join(reversed(segments))
        self.writer.add(self.company, "APInvExp", **key, ExpAmt=base, DocExpAmt=amount, ScrExpAmt=abs(base),
                        DocScrExpAmt=abs(amount), GLAccount=account, ExpDispGLAcct=display, COACode=COA, BookID="MAIN",
                        CurrencyCode=currency, Posted=header["Posted"])  # fmt: skip
        self.writer.add(self.company, "APInvExpTGLC", **key, GLAccount=account, SegValue1=segments[0],
                        SegValue2=segments[1], SegValue3=segments[2], COACode=COA, BookID="MAIN",
                        GLAcctContext="Expense", GLAccountGLAcctDisp=display, RelatedToFile="APInvExp",
                        TransAmt=base, CurrencyCode=currency, UserCanModify=not header["Posted"])  # fmt: skip

    def _charge(self, header: Row) -> Decimal:
        """Add a freight charge on the header with its own distribution; returns its amount."""
        amount = Decimal(self.rng.randrange(2_500, 19_900)) / 100
        base, currency = _base(header, amount), header["CurrencyCode"]
        key = {"VendorNum": header["VendorNum"], "InvoiceNum": header["InvoiceNum"], "InvoiceLine": 0}
        freight = next(account for account in self.chart.usable if account.startswith("5030"))
        self.writer.add(self.company, "APIHAPInvMsc", **key, MscNum=1, MiscCode="FRT", MiscCodeDescription="Freight",
                        Description="Freight", MiscAmt=base, DocMiscAmt=amount, ScrMiscAmt=base, ScrDocMiscAmt=amount,
                        CurrencyCode=currency, InvExpSeq=1, Posted=header["Posted"])  # fmt: skip
        self.writer.add(self.company, "APIHAPInvExp", **key, InvExpSeq=1, ExpAmt=base, DocExpAmt=amount, ScrExpAmt=base,
                        DocScrExpAmt=amount, GLAccount=freight, CurrencyCode=currency,
                        Posted=header["Posted"])  # fmt: skip
        return amount

    def _totals(self, header: Row, total: Decimal, kind: str, terms: str) -> None:
        base = _base(header, total)
        discount = (total * TERMS[terms][3] / 100).quantize(_CENT)
        header.update(InvoiceAmt=base, DocInvoiceAmt=total, ScrInvoiceAmt=abs(base), ScrDocInvoiceAmt=abs(total),
                      InvoiceVendorAmt=base, DocInvoiceVendorAmt=total, ScrInvoiceVendorAmt=abs(base),
                      ScrDocInvoiceVendorAmt=abs(total), InvoiceBal=base, DocInvoiceBal=total,
                      ScrDocInvoiceBal=abs(total), UnpostedBal=base, DocUnpostedBal=total, ScrDocUnpostedBal=abs(total),
                      DiscountAmt=discount, DocDiscountAmt=discount, ScrDocDiscountAmt=abs(discount))  # fmt: skip
        if kind in {"held", "unposted"} and header["VendorNum"] % 2:
            header["Description"] += " (to be checked)"

    def _attachments(self, header: Row, place: int) -> None:
        """Hang the image on the invoice: mostly one PDF, sometimes TIFF, PNG, several, none, or a wrong extension."""
        if place % 23 == 22:
            return
        for sequence in range(1, (3 if place % 13 == 6 else 1) + 1):
            name, content = _image(header, place, sequence)
            number = len(self.company.files) + 9001
            self.company.files[number] = (name, "INV" if sequence == 1 else "MISC", content)
            self.writer.add(self.company, "APInvHedAttch", VendorNum=header["VendorNum"],
                            InvoiceNum=header["InvoiceNum"], DrawingSeq=sequence, XFileRefNum=number,
                            DrawDesc="Invoice" if sequence == 1 else "Packing list",
                            FileName=f"\\\\files\\attachments\\{name}", DocTypeID="INV" if sequence == 1 else "MISC",
                            ForeignSysRowID=header["SysRowID"])  # fmt: skip


def _billable(company: Company) -> list[Row]:
    """Return every other wholly received, open order: the rest stays for invoices that come in from outside."""
    tables = company.tables
    ordered = {(row["PONUM"], row["POLine"]): row["OrderQty"] for row in tables["PODetail"]}
    got = {(row["PONum"], row["POLine"]): row["VendorQty"] for row in tables["RcvDtl"]}
    short = {number for (number, line), quantity in ordered.items() if got.get((number, line)) != quantity}
    whole = [row for row in tables["POHeader"] if row["OpenOrder"] and row["Approve"] and row["PONum"] not in short]
    return whole[::2]


def _number(place: int) -> str:
    """Return an invoice number; a few hold what breaks URLs and careless quoting."""
    styles = {3: f"2026/{place:04d}", 8: f"O'B-{place}", 14: f"#{77000 + place}", 21: f"A {5500 + place} B",
              27: f"{place:08d}", 33: f"50%+{place}&C"}  # fmt: skip
    return styles.get(place % 40, f"INV-{10_000 + place}")


def _base(header: Row, amount: Decimal) -> Decimal:
    """Return an amount of the invoice's currency in base currency."""
    rate: Decimal = header["ExchangeRate"]
    return (amount * rate).quantize(_CENT)


def _split(amount: Decimal, parts: int) -> list[Decimal]:
    """Return the amount in ``parts`` pieces of whole cents; the last takes the remainder."""
    piece = (amount / parts).quantize(_CENT)
    return [piece] * (parts - 1) + [amount - piece * (parts - 1)]


def _image(header: Row, place: int, sequence: int) -> tuple[str, bytes]:
    stem = f"invoice-{place}-{sequence}"
    if place % 17 == 7:
        return f"{stem}.tif", files.tiff(place)
    if place % 19 == 9:
        return f"{stem}.png", files.png(place)
    title = "INVOICE" if sequence == 1 else "PACKING LIST"
    content = files.pdf(title, header["InvoiceNum"], f"Vendor {header['VendorNum']}", header["Company"])
    return (f"{stem}.jpg" if place % 37 == 18 else f"{stem}.pdf"), content
