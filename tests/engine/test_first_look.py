"""What is over there already is not sent: the look before the first sending of a patient kind."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from connector.avidxchange.decode import BadRow, Records
from connector.avidxchange.records import InvoiceItem, InvoiceLineItem, SubmittedInvoice, encode
from connector.translate.codebook import Rules
from connector.transport.errors import ConnectorError, Retry
from syncjobs.engine import batches, codebook, submissions, verdicts
from syncjobs.models import Batch, BatchItem, InvoiceImage, InvoiceLink, Problem
from tenants.models import AuditEvent, Tenant
from tests.engine.conftest import Open
from tests.engine.far_side import FarSide, busy, refused
from tests.engine.test_batches import BOX, PATIENT, box, due, ids, outcomes, states

pytestmark = pytest.mark.django_db


def there(far: FarSide, *numbers: int) -> None:
    """Let an earlier life of ours have sent these."""
    far._keep([(name, b"") for name in ids(*numbers)])


def test_what_is_there_is_settled_and_nothing_is_sent(
    tenant: Tenant, other: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101, 102)
    due(other, 101)
    there(far, 101, 102)
    batches.push(open_run(tenant), PATIENT)
    assert far.submissions == []
    assert states() == [("settled", [("101", "accepted"), ("102", "accepted")])]
    assert {row["sent_hash"] for row in _rows(tenant)} == {"101-1", "102-1"}
    assert {row["sent_hash"] for row in _rows(other)} == {""}
    assert AuditEvent.objects.filter(tenant=tenant, action="vendors_out.accepted").count() == 2
    batches.push(open_run(tenant), PATIENT)
    assert Batch.objects.count() == 1


def _rows(tenant: Tenant) -> list[dict[str, Any]]:
    return list(BOX.model._default_manager.filter(tenant=tenant).values("sent_hash"))


def test_the_rest_of_a_batch_goes_out_in_one_of_its_own(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    """A batch holds what was sent in it: verdicts without an echo are told apart by their place."""
    due(tenant, 101, 102, 103)
    there(far, 102)
    batches.push(open_run(tenant), PATIENT)
    assert [names for _batch, names in far.submissions] == [ids(101, 103)]
    assert states() == [
        ("settled", [("101", "dropped"), ("102", "accepted"), ("103", "dropped")]),
        ("settled", [("101", "accepted"), ("103", "accepted")]),
    ]
    assert outcomes() == {101: "created", 102: "created", 103: "created"}


def test_an_unsent_batch_of_an_older_database_is_looked_up_too(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    """It was committed, then the backup was made, then it was sent."""
    due(tenant, 101)
    far.script = [busy(3600)]
    with pytest.raises(Retry):
        batches.push(open_run(tenant), PATIENT)
    assert [batch.state for batch in Batch.objects.all()] == ["ready"]
    there(far, 101)
    batches.push(open_run(tenant), PATIENT)
    assert len(far.submissions) == 1, "only the first one, which was refused"
    assert states() == [("settled", [("101", "accepted")])]


@pytest.mark.parametrize("fault", [busy(None), refused()], ids=["later", "no answer to the question"])
def test_a_look_that_fails_sends_nothing_and_refuses_nothing(
    tenant: Tenant, far: FarSide, open_run: Open, fault: ConnectorError
) -> None:
    def fails(*_: Any) -> Any:
        raise fault

    due(tenant, 101)
    with pytest.raises(type(fault)):
        batches.push(open_run(tenant), box(patient=True, look_up=fails))
    assert far.submissions == []
    assert states() == [("ready", [("101", "pending")])]


def test_kinds_that_may_be_sent_twice_are_not_looked_up(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    def asked(*_: Any) -> Any:
        raise AssertionError("a call for nothing")

    due(tenant, 101)
    batches.push(open_run(tenant), box(look_up=asked))
    assert len(far.submissions) == 1


# --- invoices: which ids are asked for, and what being there means ------------------------------------------------

RULES = Rules(company="EPIC06")


class Shelf:
    """An AvidXchange that holds some invoices."""

    def __init__(self, *held: SubmittedInvoice, bad: bool = False) -> None:
        self.held = {one.external_id: one for one in held}
        self.bad = [BadRow("880020", "no amount")] if bad else []
        self.asked: list[str] = []

    def invoices_by_external_id(self, external_ids: list[str]) -> Records[SubmittedInvoice]:
        self.asked = external_ids
        return Records([self.held[name] for name in external_ids if name in self.held], self.bad)


def over_there(external_id: str, amount: str = "10.00", number: str = "INV|7") -> SubmittedInvoice:
    return SubmittedInvoice(
        id="880019", external_id=external_id, number=number, gross_amount=Decimal(amount), approval_status="Pending"
    )


def sent(external_id: str) -> BatchItem:
    line = InvoiceLineItem(line_number=1, amount=Decimal("10.00"), gl_account="1", description="x")
    item = InvoiceItem(
        external_id=external_id, document_type="Invoice", vendor_external_system_id="v", number="INV|7",
        invoice_date=date(2026, 1, 1), gross_amount=Decimal("10.00"), currency="USD", lines=(line,),
    )  # fmt: skip
    return BatchItem(external_id=external_id, payload=encode(item).decode())


def found(shelf: Shelf, external_id: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(codebook, "rules_for", lambda tenant: RULES)
    ctx: Any = SimpleNamespace(avidxchange=shelf, tenant=None)
    return submissions.look_up(ctx, [sent(external_id)]).get(external_id)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_an_invoice_is_found_under_whatever_version_was_accepted(version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours may be older (a backup was put back) or newer (it was told that the older one was refused)."""
    shelf = Shelf(over_there(f"EPIC06|104|INV|7|{version}"))
    verdict = found(shelf, "EPIC06|104|INV|7|2", monkeypatch)
    assert shelf.asked == [f"EPIC06|104|INV|7|{number}" for number in (1, 2, 3, 4)]
    assert (verdict.successful, verdict.external_id, verdict.avid_id) == (True, shelf.asked[version - 1], "880019")


def test_an_invoice_that_is_not_there_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(Shelf(over_there("EPIC06|104|INV|70|1")), "EPIC06|104|INV|7|1", monkeypatch) is None


def test_another_amount_does_not_make_it_another_invoice_and_another_number_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = found(Shelf(over_there("EPIC06|104|INV|7|1", "12.00")), "EPIC06|104|INV|7|1", monkeypatch)
    assert (changed.successful, changed.code) == (True, "differs_over_there")
    assert "over 12.00 under this id, not INV|7 over 10.00" in changed.message
    strange = found(Shelf(over_there("EPIC06|104|INV|7|1", number="X")), "EPIC06|104|INV|7|1", monkeypatch)
    assert (strange.successful, strange.code, strange.avid_id) == (False, "differs_over_there", "")


def test_one_that_cannot_be_read_does_not_pass_for_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Retry, match="cannot be read"):
        found(Shelf(bad=True), "EPIC06|104|INV|7|1", monkeypatch)


@pytest.mark.parametrize("text", ["", "EPIC06|104|1", "EPIC06|x|INV-7|1", "EPIC06|104|INV-7|one", "EPIC06|104||1"])
def test_other_texts_are_no_ids_of_ours(text: str) -> None:
    assert submissions.parsed_id(text, RULES) is None


def test_a_found_invoice_takes_over_the_id_it_has_and_its_image_is_looked_for(tenant: Tenant, open_run: Open) -> None:
    facts: dict[str, Any] = {"tenant": tenant, "direction": "out", "company": "EPIC06", "vendor_num": 104}
    link = InvoiceLink.objects.create(
        **facts, invoice_num="INV|7", external_id="EPIC06|104|INV|7|1", desired_hash="h", state="in_batch"
    )
    InvoiceImage.objects.create(tenant=tenant, invoice=link, file_ref=1, file_name="a.pdf")
    ctx = open_run(tenant, "invoices_out")
    batch = Batch.objects.create(tenant=tenant, stage="invoices_out", kind="invoices", external_id="b", item_count=1)
    item = BatchItem.objects.create(
        tenant=tenant, batch=batch, external_id=link.external_id, subject_kind="invoice", subject_id=link.pk,
        subject_key="EPIC06|104|INV|7", payload=sent(link.external_id).payload, payload_hash="h",
    )  # fmt: skip
    shelf: Any = Shelf(over_there("EPIC06|104|INV|7|3", "12.00"))
    ctx.__dict__["avidxchange"] = shelf
    with ctx.commit():
        verdicts.decide(ctx, submissions.INVOICE_BOX, [item], submissions.look_up(ctx, [item]))
    link.refresh_from_db()
    assert (link.state, link.external_id, link.version, link.avid_id) == (
        "submitted", "EPIC06|104|INV|7|3", 3, "880019",
    )  # fmt: skip
    assert BatchItem.objects.get().external_id == "EPIC06|104|INV|7|3"
    assert InvoiceImage.objects.get().state == "uncertain"
    told = Problem.objects.get()
    assert (told.code, told.state, told.amount) == ("differs_over_there", "open", Decimal(0))
