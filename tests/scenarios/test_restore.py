"""A backup that is a day old is put back, and the connector catches up: nothing twice on either side, nothing lost.

The day that our database forgets holds a new vendor with its invoice, invoices posted since, one that was refused and
went out as its second version, images, captured invoices of a batch that was closed that day (one of them not paid, so
that Epicor shows it as any open invoice), payments in every shape the stand-in knows, voids and refunds among them.
Epicor and AvidXchange keep what they have. Before we look again AvidXchange voids one more payment: one that Epicor has
and that we have never heard of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.seed import TEMPLATES
from connector.sandbox.server import Sandbox
from syncjobs.engine import reconcile
from syncjobs.models import AvidVendor, InvoiceImage, InvoiceLink, Payment, Posting, StageRun, VendorMapping
from tenants import audit
from tenants.models import Tenant
from tests.scenarios.backup import Backup
from tests.scenarios.books import books, payment_faults
from tests.stages.conftest import FakeClock
from tests.stages.outgoing_world import MASTER, company, header, in_epicor, over_there, writes
from tests.stages.payments_world import open_codes, paid

pytestmark = pytest.mark.django_db

Run = Callable[..., StageRun]
Ledger = Callable[[Tenant], dict[str, Any]]
LATE_VENDOR = 990
NOT_POSTED_YET, REFUSED, UNPAID = "INV-10001", "INV-10004", "C-20012"


@pytest.fixture
def sandbox(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Both stand-ins, by the test's clock: days pass when it says so.

    This AvidXchange refuses no invoice for having its number already: nothing of the contract promises that.
    """
    monkeypatch.setattr(Customer, "same_number", lambda *_: None)
    with Sandbox(vendors=10, invoices=14, seed=3, pace=0, clock=clock.now) as box:
        yield box


@dataclass
class Days:
    """The two days of the story, as people and AvidXchange make them."""

    sandbox: Sandbox
    tenant: Tenant
    run_stage: Run
    cycle: Callable[[Tenant], object]
    approve_all: Callable[[Tenant], int]
    ledger: Ledger
    clock: FakeClock

    def yesterday(self) -> None:
        """Two invoices are not posted yet, a batch is still open, and no payment has been asked for."""
        for number in (NOT_POSTED_YET, REFUSED):
            in_epicor(self.sandbox, self.tenant, number, Posted=False)
        self._close_batch(timedelta(days=9))
        self.over_there("captured_invoices", {"Number": UNPAID}, OnHold=True)
        for stage in (*MASTER, "vendors_out", "invoices_out", "approvals_in", "invoices_in"):
            self.run_stage(self.tenant, stage)
            self.approve_all(self.tenant)

    def today(self) -> None:
        """All the rest, which will be forgotten."""
        self.clock.moment += timedelta(days=1, hours=1)
        self._enter()
        self._close_batch(timedelta(0))
        for number in (NOT_POSTED_YET, REFUSED):
            in_epicor(self.sandbox, self.tenant, number, Posted=True)
        self._takes_its_account(taken=False)
        self.run_stage(self.tenant, "vendors_out")
        self.approve_all(self.tenant)
        self.run_stage(self.tenant, "invoices_out")
        self._takes_its_account(taken=True)
        in_epicor(self.sandbox, self.tenant, REFUSED, Description="corrected")
        self.cycle(self.tenant)
        for stage in ("approvals_in", "payments_in"):
            self.run_stage(self.tenant, stage)

    def _close_batch(self, when: timedelta) -> None:
        """Let the third captured batch be closed at a time from now."""
        batch = self.ledger(self.tenant)["avidxchange"]["captured_batches"][2]["BatchGUID"]
        self.over_there("captured_batches", {"BatchGUID": batch}, DateClosed=(self.clock.now() + when).isoformat())

    def over_there(self, table: str, key: dict[str, Any], **changes: Any) -> None:
        over_there(self.sandbox, self.tenant, table, key, **changes)

    def _takes_its_account(self, *, taken: bool) -> None:
        """Make AvidXchange refuse the account of one invoice, or take it."""
        tables = self.sandbox.epicor.companies[company(self.tenant)]
        vendor = header(self.sandbox, self.tenant, REFUSED)["VendorNum"]
        account = tables["APInvExpTGLC"].under(vendor, REFUSED)[0]["GLAccount"]
        self.over_there("gl_accounts", {"AccountNumber": "-".join(reversed(account.split("|")))}, IsActive=taken)

    def _enter(self) -> None:
        """Let somebody enter a new vendor and its invoice in Epicor, like ones that are there."""
        tables = self.sandbox.epicor.companies[company(self.tenant)]
        like = header(self.sandbox, self.tenant, "INV-10000")
        self._copy("Vendor", tables["Vendor"].get(like["VendorNum"]), VendorID="LATE", Name="Latecomer", TaxPayerID="")
        for table in ("APInvHed", "APInvDtl", "APInvExp", "APInvExpTGLC", "APInvHedAttch"):
            for row in tables[table].under(like["VendorNum"], "INV-10000"):
                self._copy(table, row, InvoiceNum="LATE-1")

    def _copy(self, table: str, row: dict[str, Any], **changes: Any) -> None:
        own = {"SysRevID", "SysRowID", "Company"}
        copied = {name: row[name] for name in TEMPLATES[table] if name in row and name not in own}
        new = {**copied, "VendorNum": LATE_VENDOR, **changes}
        self.sandbox.epicor.edit({"company": company(self.tenant), "table": table, "insert": new})


# --- what we hold -------------------------------------------------------------------------------------------------


def links(tenant: Tenant) -> dict[Any, Any]:
    """Our invoices with everything that ties them to both systems."""
    columns = ("state", "external_id", "avid_id", "version", "approval", "paid_amount", "open_amount", "gross_amount")
    rows = InvoiceLink.objects.filter(tenant=tenant)
    return {
        (row["direction"], row["vendor_num"], row["invoice_num"]): {name: row[name] for name in columns}
        for row in rows.values("direction", "vendor_num", "invoice_num", *columns)
    }


def whole(tenant: Tenant) -> dict[str, Any]:
    """Everything of ours that ties a record of one system to one of the other."""
    named = dict(AvidVendor.objects.filter(tenant=tenant).values_list("external_id", "avid_id"))
    vendors = VendorMapping.objects.filter(tenant=tenant, state="approved").values_list("vendor_num", "external_id")
    documents = Posting.objects.filter(tenant=tenant).exclude(kind="ap_payment_void").order_by("version")
    images = InvoiceImage.objects.filter(tenant=tenant, state="sent")
    return {
        "invoices": links(tenant),
        "vendors": {number: named[external_id] for number, external_id in vendors},
        "payments": dict(Payment.objects.filter(tenant=tenant).values_list("avid_id", "state")),
        "documents": {(row.kind, row.natural_key): (row.state, row.head_num) for row in documents},
        "images": set(images.values_list("invoice__invoice_num", "content_hash")),
    }


def test_a_backup_of_yesterday_is_put_back_and_everything_is_there_exactly_once(
    sandbox: Sandbox, tenant: Tenant, other: Tenant, run_stage: Run, cycle: Callable[..., Any],
    approve_all: Callable[[Tenant], int], ledger: Ledger, clock: FakeClock, tmp_path: Path,
) -> None:  # fmt: skip
    days = Days(sandbox, tenant, run_stage, cycle, approve_all, ledger, clock)
    days.yesterday()
    before, backup = links(tenant), Backup.taken()
    days.today()
    kept = tmp_path / "head.json"
    assert verify(tenant, head=kept)[0] == 0
    then, there = whole(tenant), books(ledger(tenant))
    assert payment_faults(ledger(tenant)) == []
    forgotten = then["invoices"].keys() - before.keys()
    assert {("out", LATE_VENDOR, "LATE-1"), ("in", captured_by(then, UNPAID), UNPAID)} <= forgotten
    assert next(row["version"] for one, row in then["invoices"].items() if one[2] == REFUSED) == 2
    assert {"paid", "written"} <= {then["invoices"][one]["state"] for one in forgotten}

    backup.put_back()
    assert links(tenant) == before
    voided, number = a_payment_of(ledger(tenant), forgotten)
    days.over_there("payments", {"PaymentId": voided}, Status="Void")
    clock.moment += timedelta(hours=1)
    cycle(tenant)

    assert books(ledger(tenant)) == there
    assert payment_faults(ledger(tenant)) == []
    now = whole(tenant)
    assert now["payments"].pop(str(voided)) == "reversed"
    assert ("invoice", "reopened_by_void") in {("invoice", code) for _key, code in open_codes(tenant, "invoice")}
    del then["payments"][str(voided)], then["documents"]["ap_payment", str(voided)]
    for side in (now, then):
        [one] = [one for one in side["invoices"] if one[2] == number]
        del side["invoices"][one]
    for name, held in then.items():
        assert now[name] == held, name
    report = reconcile.reconcile(Tenant.objects.get(pk=tenant.pk), now=clock.now())
    assert [difference.as_json() for difference in report.differences] == []
    assert audit.verify(tenant).ok
    code, said = verify(tenant, against=kept)
    assert (code, "the database was put back to an older state" in said) == (1, True)

    settled = writes(sandbox)
    cycle(tenant)
    assert writes(sandbox) == settled, "a further cycle wrote"
    assert not InvoiceLink.objects.filter(tenant=other).exists()


def captured_by(held: dict[str, Any], number: str) -> int:
    """The vendor of a captured invoice."""
    return int(next(one[1] for one in held["invoices"] if one[2] == number))


def a_payment_of(ledger: dict[str, Any], invoices: set[Any]) -> tuple[int, str]:
    """A cleared payment of one invoice that began in Epicor and that we have forgotten."""
    numbers = {one[2] for one in invoices if one[0] == "out"}
    for payment_id, row in paid(ledger).items():
        paid_for = {part["Number"] for part in row["Remittances"]}
        if row["Status"] == "Cleared" and len(paid_for) == 1 and paid_for <= numbers:
            return payment_id, paid_for.pop()
    raise AssertionError("no payment of a forgotten invoice")


def verify(tenant: Tenant, **files: Path) -> tuple[int, str]:
    """Run ``verify_audit``; returns its exit code and what it said."""
    out = StringIO()
    try:
        call_command("verify_audit", tenant.slug, stdout=out, **files)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()
