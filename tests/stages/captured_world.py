"""What the tests of captured invoices share: edits over there, and both ledgers in one comparable form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector.epicor.client import EpicorClient
from connector.sandbox.avidxchange.edits import edit
from connector.sandbox.server import Sandbox
from syncjobs.models import InvoiceLink, Posting, Problem, StageRun
from tenants.clients import epicor_client
from tenants.models import Tenant
from tests.stages import prepared

#: An invoice as it must stand: AvidXchange id, amount, whether a debit memo, and (amount, account) line by line.
Standing = tuple[str, Decimal, bool, list[tuple[Decimal, str]]]
#: The two invoices of the seed that nobody can write: unknown vendor, inactive account.
HELD = {"C-20013": "vendor_not_mapped", "C-20014": "gl_account_not_mapped"}


@dataclass
class World:
    """One tenant ready for captured invoices, and hands to change both systems with."""

    sandbox: Sandbox
    tenant: Tenant
    run_stage: Callable[..., StageRun]
    ledger: Callable[[Tenant], dict[str, Any]]

    @property
    def company(self) -> str:
        return str(self.tenant.epicor_connection.company)

    def run(self, **options: Any) -> StageRun:
        return self.run_stage(self.tenant, "invoices_in", **options)

    def has_run(self) -> None:
        """Take for given that the captured invoices were brought in once."""
        prepared.step("invoices_in has run", self.tenant, self.run)

    def epicor(self) -> EpicorClient:
        """The hands of a person in Epicor."""
        return epicor_client(self.tenant)

    # -- edits --------------------------------------------------------------------------------------------------------

    def avid(self, table: str, key: dict[str, Any], **change: Any) -> None:
        state = self.sandbox.avidxchange
        with state.lock:
            edit(state, {"company": self.company, "table": table, "key": key, **change}, state.clock())

    def reclose(self, number: int, **changes: Any) -> None:
        """Close the batch with this number (1 to 3) again."""
        self.avid("captured_batches", {"BatchGUID": self.guid(number)}, reclose=changes)

    def in_epicor(self, table: str, key: dict[str, Any], **change: Any) -> None:
        self.sandbox.epicor.edit({"company": self.company, "table": table, "key": key, **change})

    def post(self, number: str) -> None:
        """Post an invoice, as a person does with its group."""
        row = self.written()[number]
        key = {"VendorNum": row["VendorNum"], "InvoiceNum": number}
        self.in_epicor("APInvHed", key, set={"Posted": True})

    def fault(self, **rule: Any) -> None:
        self.sandbox.faults.add([rule])

    # -- what there is ------------------------------------------------------------------------------------------------

    def guid(self, number: int) -> str:
        return str(self.batches()[number - 1]["BatchGUID"])

    def batches(self) -> list[dict[str, Any]]:
        return list(self.ledger(self.tenant)["avidxchange"]["captured_batches"])

    def captured(self, number: str) -> dict[str, Any]:
        """An invoice as AvidXchange holds it."""
        return next(row for batch in self.batches() for row in batch["invoices"] if row["Number"] == number)

    def vendor_num(self, number: str) -> int:
        """The Epicor vendor of a captured invoice."""
        there = {row["Id"]: row for row in self.ledger(self.tenant)["avidxchange"]["vendors"]}
        return int(there[self.captured(number)["VendorId"]]["VendorExternalSystemID"].split("|")[1])

    def written(self) -> dict[str, dict[str, Any]]:
        """The captured invoices that Epicor holds, by number; none may be there twice."""
        rows = [row for row in self.ledger(self.tenant)["epicor"]["invoices"] if row["InvoiceNum"].startswith("C-2")]
        found = {row["InvoiceNum"]: row for row in rows}
        assert len(found) == len(rows)
        return found

    def standing(self) -> dict[str, Standing]:
        """The captured invoices as they stand in Epicor."""
        return {number: standing(row) for number, row in self.written().items()}

    def wanted(self, *, without: tuple[str, ...] = tuple(HELD)) -> dict[str, Standing]:
        """The captured invoices as AvidXchange coded them, in Epicor's words."""
        accounts = {
            row["GLAcctDispGLAcctDisp"]: row["GLAccount"] for row in self.ledger(self.tenant)["epicor"]["gl_accounts"]
        }
        found = {}
        for row in (row for batch in self.batches() for row in batch["invoices"]):
            lines = [(Decimal(line["Amount"]), accounts.get(line["GLAccount"], "")) for line in row["Lines"]]
            amount = Decimal(row["GrossAmount"])
            found[row["Number"]] = (str(row["Id"]), amount, amount < 0, lines)
        return {number: one for number, one in found.items() if number not in without}

    def acknowledged(self) -> list[bool]:
        return [batch["acknowledged"] for batch in self.batches()]

    def told(self) -> int:
        """How many acknowledgements AvidXchange has taken."""
        return len(self.ledger(self.tenant)["avidxchange"]["export_histories"])

    def rows_written(self) -> int:
        """How many rows were ever written in Epicor, by anybody."""
        return int(self.sandbox.epicor.calls["rows_written"])

    def problems(self) -> dict[str, str]:
        """Open problems of the stage: subject key → code."""
        rows = Problem.objects.filter(tenant=self.tenant, stage="invoices_in", state="open")
        return dict(rows.values_list("subject_key", "code"))

    def problem(self, code: str) -> Problem:
        return Problem.objects.get(tenant=self.tenant, code=code, state="open")

    def link(self, number: str) -> InvoiceLink:
        return InvoiceLink.objects.get(tenant=self.tenant, direction="in", invoice_num=number)

    def states(self) -> dict[str, str]:
        links = InvoiceLink.objects.filter(tenant=self.tenant, direction="in")
        return dict(links.values_list("invoice_num", "state"))

    def postings(self, number: str) -> list[Posting]:
        return list(Posting.objects.filter(tenant=self.tenant, invoice=self.link(number)).order_by("pk"))


def standing(row: dict[str, Any]) -> Standing:
    """An invoice of Epicor's ledger in the form of ``Standing``."""
    lines = []
    for line in row["lines"]:
        [account] = line["accounts"]
        lines.append((Decimal(line["DocExtCost"]), account))
    return row["ExternalID"], Decimal(row["DocInvoiceAmt"]), row["DebitMemo"], lines


def counts(run: StageRun) -> dict[str, int]:
    """A run's counts that are not nought."""
    return {name: number for name, number in run.counts.items() if number}
