"""The client against the AvidXchange stand-in over real HTTP: what the tests of it share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from connector.avidxchange.client import AvidXchangeClient, AvidXchangeConfig, BatchKind
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import (
    Address,
    BatchAnswer,
    BatchState,
    GLAccountItem,
    InvoiceItem,
    InvoiceLineItem,
    VendorItem,
    encode,
)
from connector.sandbox.credentials import AVID_A, AvidCustomer
from connector.transport.attempts import Attempt
from tests.sandbox.avid_world import AvidWorld

ADDRESS = Address(line1="1 Mill Street", city="Dayton", state="OH", postal_code="45402")


@dataclass
class Connected:
    """A world, a client of its customer A, and what the client reported."""

    world: AvidWorld
    client: AvidXchangeClient
    config: AvidXchangeConfig
    attempts: list[Attempt] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    @property
    def today(self) -> date:
        """The day of the world's clock."""
        return self.world.clock().date()

    def calls(self, operation: str) -> int:
        """How many tries of an operation were made."""
        return sum(attempt.operation == operation for attempt in self.attempts)

    def submit(self, kind: BatchKind, batch_id: str, items: list[tuple[str, bytes]]) -> BatchAnswer:
        """Send a batch and, where it is answered 202, look again later."""
        answer = self.client.submit(kind, batch_id, items)
        if answer.state is BatchState.PROCESSING:
            self.world.clock.forward(seconds=self.world.pace)
            answer = self.client.batch(kind, answer.avid_batch_id, [external_id for external_id, _item in items])
        return answer

    def prepare(self) -> None:
        """Make vendor E|1|MAIN and GL account 6100-00 known."""
        assert self.submit(BatchKind.VENDORS, "prepare-v", [vendor("E|1|MAIN")]).state is BatchState.SUCCESS
        assert self.submit(BatchKind.GL_ACCOUNTS, "prepare-g", [account("6100-00")]).state is BatchState.SUCCESS


@contextmanager
def connected(
    *,
    mode: str = "tokens",
    who: AvidCustomer = AVID_A,
    profile: dict[str, Any] | None = None,
    config: dict[str, Any] | None = None,
    **world: Any,
) -> Iterator[Connected]:
    """Serve a world and connect a client to it; waits are recorded and not waited."""
    with AvidWorld(**world) as served:
        settings = AvidXchangeConfig(
            **{
                "base_url": served.url,
                "auth_mode": mode,
                "company_token": who.company_token,
                "user_token": who.user_token,
                "client_id": who.client_id,
                "client_secret": who.client_secret,
                "company_id": who.company_id,
                "timeout_s": 5,
                **(config or {}),
            }
        )
        attempts: list[Attempt] = []
        waits: list[float] = []
        client = AvidXchangeClient(
            settings,
            Profile.from_overrides({"max_rps": None, **(profile or {})}),
            allow_private_hosts=True,
            on_attempt=attempts.append,
            now=served.clock,
            sleep=waits.append,
        )
        try:
            yield Connected(served, client, settings, attempts, waits)
        finally:
            client.close()


def vendor(external_id: str, **changes: Any) -> tuple[str, bytes]:
    """A vendor that can be taken."""
    values = {
        "vendor_external_system_id": external_id,
        "vendor_name": f"Vendor {external_id}",
        "remit_to_address": ADDRESS,
        "is_active": True,
        "operation": "Upsert",
        **changes,
    }
    return external_id, encode(VendorItem(**values))


def account(number: str) -> tuple[str, bytes]:
    """A GL account that can be taken."""
    return number, encode(GLAccountItem(account_number=number, is_active=True, operation="Upsert"))


def invoice(number: str, amount: str = "100.00", *, gl_account: str = "6100-00", **changes: Any) -> tuple[str, bytes]:
    """An invoice of vendor E|1|MAIN that can be taken."""
    external_id = f"E|1|{number}|1"
    gross = Decimal(amount)
    values = {
        "external_id": external_id,
        "document_type": "CreditMemo" if gross < 0 else "Invoice",
        "vendor_external_system_id": "E|1|MAIN",
        "number": number,
        "invoice_date": date(2026, 11, 2),
        "gross_amount": gross,
        "currency": "USD",
        "lines": (InvoiceLineItem(line_number=1, amount=gross, gl_account=gl_account),),
        **changes,
    }
    return external_id, encode(InvoiceItem(**values))
