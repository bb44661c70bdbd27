"""A served Epicor stand-in for one test: its state, a clock to turn, and calls the way a careful client makes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import requests

from connector.sandbox import credentials
from connector.sandbox.epicor import EpicorOptions, EpicorState, make_app
from connector.sandbox.epicor.ledger import ledger
from connector.sandbox.faults import FaultBook
from connector.sandbox.seed import Row, build
from connector.sandbox.serving import Listener

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TODAY = "2026-11-23T00:00:00"
INVOICES = "Erp.BO.APInvoiceSvc"
INVOICE_GROUPS = "Erp.BO.APInvGrpSvc"
PAYMENTS = "Erp.BO.PaymentEntrySvc"
PAYMENT_GROUPS = "Erp.BO.APChkGrpSvc"
VOIDS = "Erp.BO.VoidPaymentSvc"
SWITCHES = {"runChkCPay": False, "runChkBankRef": False, "runChkRevChrg": False, "suppressUserPrompts": False}

Dataset = dict[str, list[Row]]


class EpicorWorld:
    """Serves a state on a loopback port while the ``with`` block lasts."""

    def __init__(self, *, vendors: int = 60, invoices: int = 44, faults: Iterable[Row] = (), **options: Any) -> None:
        self.now = NOON
        data = build(vendors=vendors, invoices=invoices, seed=1, today=NOON.date())
        self.state = EpicorState(data, clock=lambda: self.now, options=EpicorOptions(**options))
        self.faults = FaultBook(faults, sleep=lambda _: None)
        app = self.faults.wrap(make_app(self.state), "epicor", expire_tokens=self.state.expire_tokens)
        self._listener = Listener(app, host="127.0.0.1", port=0)
        self.root = f"{self._listener.url}/{credentials.EPICOR_INSTANCE}"
        self.http = requests.Session()
        self.http.auth = (credentials.EPICOR_USER, credentials.EPICOR_PASSWORD)
        self.http.headers["x-api-key"] = credentials.EPICOR_API_KEY

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._listener.stop()

    def forward(self, **parts: float) -> None:
        """Turn the clock, by seconds, hours or days."""
        self.now += timedelta(**parts)

    def get(self, path: str, *, company: str | None = "EPIC06", **given: Any) -> requests.Response:
        """GET a path below the company (or below none)."""
        middle = f"{company}/" if company else ""
        return self.http.get(f"{self.root}/api/v2/odata/{middle}{path}", timeout=10, **given)

    def rows(self, path: str, **given: Any) -> list[Row]:
        """Return the rows of a set that answers 200."""
        reply = self.get(path, **given)
        assert reply.status_code == 200, reply.text
        rows: list[Row] = reply.json()["value"]
        return rows

    def post(self, service: str, method: str, body: Row) -> requests.Response:
        """POST to a method or a set of EPIC06."""
        return self.http.post(f"{self.root}/api/v2/odata/EPIC06/{service}/{method}", json=body, timeout=10)

    def call(self, service: str, method: str, **parameters: Any) -> Row:
        """Call a method that must succeed; returns ``returnObj`` and the out parameters in one mapping."""
        reply = self.post(service, method, parameters)
        assert reply.status_code == 200, f"{method}: {reply.text}"
        body = reply.json()
        return {**body.get("parameters", {}), **({"returnObj": body["returnObj"]} if "returnObj" in body else {})}

    def edit(self, table: str, key: Row, **values: Any) -> None:
        """Change a row of EPIC06 as a person would."""
        self.state.edit({"company": "EPIC06", "table": table, "key": key, "set": values})

    def stored(self, table: str, *key: Any) -> Row:
        """Return a stored row of EPIC06 by its key without Company."""
        row = self.state.companies["EPIC06"][table].get(*key)
        assert row is not None, f"{table} has no row {key}"
        return row

    def ledger(self) -> Row:
        """Return what EPIC06 holds."""
        found: Row = ledger(self.state)["EPIC06"]
        return found

    def invoice(self, vendor: int, number: str) -> Row:
        """Return one invoice of the ledger."""
        found: Row = next(r for r in self.ledger()["invoices"] if (r["VendorNum"], r["InvoiceNum"]) == (vendor, number))
        return found


def error(reply: requests.Response) -> tuple[int, str, str]:
    """Return status, the last part of ErrorType, and the message of a refusal."""
    body = reply.json()
    assert body["HttpStatus"] == reply.status_code
    return reply.status_code, body["ErrorType"].rsplit(".", 1)[-1], body["ErrorMessage"]


def make_invoice_group(world: EpicorWorld, group: str = "AVX1") -> None:
    """Make a group for invoices."""
    ds = world.call(INVOICE_GROUPS, "GetNewAPInvGrpNoLock", ds={"APInvGrp": []})["ds"]
    ds["APInvGrp"][0]["GroupID"] = group
    world.call(INVOICE_GROUPS, "Update", ds=ds)


def make_header(world: EpicorWorld, vendor: Row, number: str, amount: str, *, debit_memo: bool = False) -> Row:
    """Save an invoice header in group AVX1; returns its stored row."""
    kind = "GetNewAPInvHedDebitMemo" if debit_memo else "GetNewAPInvHedInvoice"
    ds = world.call(INVOICES, kind, ds={}, cGroupID="AVX1")["ds"]
    ds = world.call(INVOICES, "ChangeVendorID", ds=ds, ProposedVendorID=vendor["VendorID"], confirmCheck=False)["ds"]
    ds = world.call(INVOICES, "ChangeInvoiceDateEx", ds=ds, ProposedInvoiceDate="2026-11-20", recalcAmts="")["ds"]
    ds = world.call(INVOICES, "ChangeInvoiceVendorAmt", ds=ds, ProposedInvoiceVendorAmt=amount)["ds"]
    ds["APInvHed"][0] |= {"InvoiceNum": number, "ExternalID": f"avid-{number}"}
    world.call(INVOICES, "Update", ds=ds)
    return world.stored("APInvHed", vendor["VendorNum"], number)


def add_line(world: EpicorWorld, header: Row, amount: str) -> Row:
    """Save a miscellaneous line through UpdateMaster; returns the reply."""
    key = {"iVendorNum": header["VendorNum"], "cInvoiceNum": header["InvoiceNum"]}
    ds = world.call(INVOICES, "GetNewAPInvDtlMiscellaneous", ds={}, **key)["ds"]
    ds["APInvDtl"][0] |= {"Description": "Freight", "ScrDocExtCost": amount}
    return world.call(INVOICES, "UpdateMaster", ds=ds, cGroupID=header["GroupID"], cTableName="APInvDtl", **SWITCHES)


def book(world: EpicorWorld, header: Row, account: str, *, line: int = 1) -> requests.Response:
    """Write a line's account into the distribution the server made; returns the answer of UpdateMaster."""
    ds = world.call(INVOICES, "GetByID", vendorNum=header["VendorNum"], invoiceNum=header["InvoiceNum"])["returnObj"]
    row = next(row for row in ds["APInvExpTGLC"] if row["InvoiceLine"] == line)
    segments = {f"SegValue{place}": value for place, value in enumerate(account.split("|"), start=1)}
    row |= {"GLAccount": account, **segments, "RowMod": "U"}
    body = {"ds": ds, "cGroupID": header["GroupID"], "cTableName": "APInvExpTGLC", **SWITCHES}
    return world.post(INVOICES, "UpdateMaster", body)


def good_vendor(world: EpicorWorld) -> Row:
    """Return a vendor with nothing wrong about it."""
    return world.stored("Vendor", 101)


def account_that_is(world: EpicorWorld, **wanted: Any) -> str:
    """Return the first expense account with these column values."""
    rows = world.state.companies["EPIC06"]["GLAccount"].all()
    return next(
        str(row["GLAccount"])
        for row in rows
        if row["GLAccount"] > "5" and all(row[name] == value for name, value in wanted.items())
    )


def make_payment_group(world: EpicorWorld, group: str = "PAY1") -> None:
    """Make a payment group on the clearing account with the manual method, in the order of the contract."""
    ds = world.call(PAYMENT_GROUPS, "GetNewAPChkGrpNoLock", ds={"APChkGrp": []})["ds"]
    ds["APChkGrp"][0]["GroupID"] = group
    ds = world.call(PAYMENT_GROUPS, "OnChangeBankAcctID", ds=ds, pcBankAcctID="AVID")["ds"]
    ds = world.call(PAYMENT_GROUPS, "Update", ds=ds)["ds"]
    ds["APChkGrp"][0]["RowMod"] = "U"
    ds = world.call(PAYMENT_GROUPS, "OnChangePayMethod", ds=ds, vPMUID=2)["ds"]
    ds["APChkGrp"][0]["CheckDate"] = TODAY
    world.call(PAYMENT_GROUPS, "Update", ds=ds)


def make_payment(world: EpicorWorld, vendor_id: str, *, check: int = 777001, group: str = "PAY1") -> int:
    """Save a payment's header; returns its HeadNum."""
    ds = world.call(PAYMENTS, "CreateNewCheckHed", ds={}, pcGroupID=group)["ds"]
    ds = world.call(PAYMENTS, "OnChangeVendor", ds=ds, pcVendorID=vendor_id)["ds"]
    if check:
        ds = world.call(PAYMENTS, "OnChangeManualPrint", ds=ds, plManualPrint=True)["ds"]
        ds = world.call(PAYMENTS, "OnChangeCheckNum", ds=ds, piCheckNum=check)["ds"]
    ds = world.call(PAYMENTS, "OnChangeCheckDate", ds=ds, pdtCheckDate="2026-11-23")["ds"]
    assert world.call(PAYMENTS, "PreUpdate", ds=ds)["requiresUserInput"] is False
    saved = world.call(PAYMENTS, "Update", ds=ds)["ds"]["CheckHed"]
    return int(saved[0]["HeadNum"])


def allocation(world: EpicorWorld, head: int, number: str, amount: str, discount: str = "0") -> Dataset:
    """Return a payment's dataset with one allocation entered and not yet saved."""
    ds = world.call(PAYMENTS, "GetByID", headNum=head)["returnObj"]
    ds = world.call(PAYMENTS, "GetNewAPTran", ds=ds, headNum=head, apTranNo=0, invoiceNum="")["ds"]
    answer = {"pcInvoiceNum": number, "pcChangeExchangeRateResponse": "Yes"}
    ds = world.call(PAYMENTS, "OnChangeInvoiceNum", ds=ds, **answer)["ds"]
    ds = world.call(PAYMENTS, "OnChangeDocTranAmt", ds=ds, pdDocTranAmt=amount)["ds"]
    ds = world.call(PAYMENTS, "OnChangeDocDiscAmt", ds=ds, pdDocDiscAmt=discount)["ds"]
    whole: Dataset = ds
    return whole


def post_payments(world: EpicorWorld, group: str = "PAY1") -> str:
    """Post a payment group; returns its error log."""
    service = "Erp.PROC.APPaymentPostSvc"
    ds = world.call(service, "GetNewParameters")["returnObj"]
    ds["APPaymentPostProcess"][0]["GroupID"] = group
    world.call(service, "RunDirect", ds=ds)
    return str(world.stored("APChkGrp", group)["PostErrorLog"])


def open_invoice(world: EpicorWorld, **wanted: Any) -> Row:
    """Return the first invoice of the ledger that can be paid in US dollars and matches."""
    base = {"Posted": True, "OpenPayable": True, "PayHold": False, "CurrencyCode": "USD", "DebitMemo": False, **wanted}
    found: Row = next(
        row for row in world.ledger()["invoices"] if all(row[name] == value for name, value in base.items())
    )
    return found
