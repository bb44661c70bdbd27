"""The client against the Epicor stand-in over real HTTP: what the tests of it share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connector.epicor.client import EpicorClient, EpicorConfig
from connector.epicor.drafts import AllocationDraft, InvoiceDraft, InvoiceLineDraft, PaymentDraft
from connector.sandbox import credentials
from connector.sandbox.seed import Row
from connector.transport.attempts import Attempt
from tests.sandbox.epicor_world import EpicorWorld


@dataclass
class Connected:
    """A world, a client of its company EPIC06, and what the client reported."""

    world: EpicorWorld
    client: EpicorClient
    config: EpicorConfig
    attempts: list[Attempt] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def today(self) -> date:
        """The day of the world's clock."""
        return self.world.now.date()

    def calls(self, operation: str) -> list[Attempt]:
        """Every try of an operation, named without its namespace."""
        return [attempt for attempt in self.attempts if attempt.operation.endswith(operation)]

    def options(self, operation: str) -> list[dict[str, str]]:
        """The query options of every try of an operation, decoded."""
        return [
            {name: values[0] for name, values in parse_qs(urlsplit(attempt.url).query, keep_blank_values=True).items()}
            for attempt in self.calls(operation)
        ]

    def fault(self, **rule: Any) -> None:
        """Let a call go wrong from now on."""
        self.world.faults.add([{"system": "epicor", **rule}])

    def rows(self, table: str) -> list[Row]:
        """The stored rows of EPIC06."""
        return list(self.world.state.companies["EPIC06"][table].all())


def configured(world: EpicorWorld, **changed: Any) -> EpicorConfig:
    """Return the configuration of EPIC06 with some settings changed."""
    settings: dict[str, Any] = {
        "base_url": world.root.removesuffix(f"/{credentials.EPICOR_INSTANCE}"),
        "instance": credentials.EPICOR_INSTANCE,
        "company": "EPIC06",
        "username": credentials.EPICOR_USER,
        "password": credentials.EPICOR_PASSWORD,
        "api_key": credentials.EPICOR_API_KEY,
        "client_id": credentials.EPICOR_CLIENT_ID,
        "client_secret": credentials.EPICOR_CLIENT_SECRET,
        "token_url": world.root.removesuffix(f"/{credentials.EPICOR_INSTANCE}") + credentials.EPICOR_TOKEN_PATH,
    }
    return EpicorConfig(**{**settings, **changed})


@contextmanager
def connected(*, config: dict[str, Any] | None = None, **world: Any) -> Iterator[Connected]:
    """Serve a world and connect a client to it; waits are recorded and not waited."""
    with EpicorWorld(**world) as served:
        attempts: list[Attempt] = []
        waits: list[float] = []
        settings = configured(served, **(config or {}))
        client = EpicorClient(
            settings, on_attempt=attempts.append, allow_private_hosts=True, now=lambda: served.now, sleep=waits.append
        )
        try:
            yield Connected(served, client, settings, attempts, waits)
        finally:
            client.close()


def vendor_row(here: Connected) -> Row:
    """An active vendor that is paid in USD."""
    return next(
        row
        for row in here.rows("Vendor")
        if not row["Inactive"] and not row["PayHold"] and row["CurrencyCode"] == "USD"
    )


def invoice_draft(here: Connected, *amounts: str, number: str = "NEW/'1' #2", debit_memo: bool = False) -> InvoiceDraft:
    """An invoice of a good vendor with a line an amount, each on another account."""
    vendor = vendor_row(here)
    accounts = ("5010|20|01", "5020|10|03", "5030|10|01")
    lines = tuple(
        InvoiceLineDraft(line_number=place, amount=Decimal(amount), gl_account=account, description=f"Line {place}")
        for place, (amount, account) in enumerate(zip(amounts, accounts, strict=False), start=1)
    )
    return InvoiceDraft(
        company="EPIC06",
        vendor_num=vendor["VendorNum"],
        vendor_id=vendor["VendorID"],
        invoice_num=number,
        invoice_date=here.today - timedelta(days=3),
        due_date=here.today + timedelta(days=20),
        apply_date=here.today,
        currency="USD",
        amount=sum((line.amount for line in lines), Decimal(0)),
        terms_code="N30",
        description="Captured invoice",
        external_id="avid-1001",
        po_num=None,
        debit_memo=debit_memo,
        lines=lines,
    )


def open_invoice(here: Connected) -> Row:
    """A posted USD invoice that nothing has been paid of."""
    return next(
        row
        for row in here.rows("APInvHed")
        if row["Posted"] and row["OpenPayable"] and not row["PayHold"] and not row["DebitMemo"]
        and row["CurrencyCode"] == "USD" and row["DocInvoiceBal"] == row["DocInvoiceAmt"] == row["DocUnpostedBal"]
        and Decimal(100) < row["DocInvoiceBal"]
    )  # fmt: skip


def payment_draft(here: Connected, invoice: Row, *, amount: Decimal | None = None, discount: str = "0") -> PaymentDraft:
    """A settled payment of one invoice."""
    taken = invoice["DocInvoiceBal"] if amount is None else amount
    return PaymentDraft(
        company="EPIC06",
        vendor_num=invoice["VendorNum"],
        vendor_id=next(row["VendorID"] for row in here.rows("Vendor") if row["VendorNum"] == invoice["VendorNum"]),
        bank_account_id="AVID",
        payment_method_id=next(r["PMUID"] for r in here.rows("PayMethod") if r["Type"] == 0 and r["PMSource"] == 0),
        check_number=777001,
        check_date=here.today,
        currency="USD",
        cash=taken - Decimal(discount),
        reference="ACH-0001",
        reference_field="XRefCheckNum",
        identity="avid-pay-1",
        identity_field="Description",
        allocations=(AllocationDraft(invoice_num=invoice["InvoiceNum"], amount=taken, discount=Decimal(discount)),),
    )
