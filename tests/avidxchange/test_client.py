"""Every call of the client against the stand-in over real HTTP, in all of its envelope shapes."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from decimal import Decimal

import pytest

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import (
    BatchState,
    PaymentMethod,
    PaymentStatus,
    PurchaseOrderItem,
    PurchaseOrderLineItem,
    ReceiptItem,
    ReceiptLineItem,
    Verdict,
    encode,
)
from connector.sandbox.credentials import AVID_A, AVID_B
from connector.transport.errors import Misconfigured, Rejected
from tests.avidxchange.connected import account, connected, invoice, vendor

PDF = b"%PDF-1.4 an invoice"
PDF_HASH = f"sha256:{hashlib.sha256(PDF).hexdigest()}"


# --- batches -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("awkward", [False, True])
def test_vendors_out_and_back(awkward: bool) -> None:
    with connected(awkward=awkward) as here:
        sent = [vendor(f"E|{number}|MAIN", tax_id=f"00-{number:07}") for number in range(1, 51)]
        answer = here.submit(BatchKind.VENDORS, "B-1", sent)
        assert (answer.state, answer.external_id, answer.unmatched) == (BatchState.SUCCESS, "B-1", ())
        ids = {one.external_id: one.avid_id for one in answer.verdicts}
        read = {one.external_id: one for page in here.client.vendors() for one in page}
        assert {name: read[name].id for name, _item in sent} == ids
        one = read["E|7|MAIN"]
        assert (one.name, one.tax_id, one.line1, one.postal_code) == (
            "Vendor E|7|MAIN",
            "00-0000007",
            "1 Mill Street",
            "45402",
        )


def test_fifty_batches_of_every_shape_give_every_item_its_own_verdict() -> None:
    """The stand-in chooses shape, order, echoes and 202 by the batch's id; every third item is refused."""
    with connected() as here:
        here.prepare()
        for place in range(50):
            names = [f"{place}-{number}" for number in range(7)]
            sent = [invoice(name, gl_account="unknown" if at % 3 == 2 else "6100-00") for at, name in enumerate(names)]
            answer = here.submit(BatchKind.INVOICES, f"B-{place}", sent)
            assert answer.unmatched == ()
            assert [(one.external_id, one.successful, one.code) for one in answer.verdicts] == [
                (external_id, at % 3 != 2, "gl_not_found" if at % 3 == 2 else "")
                for at, (external_id, _item) in enumerate(sent)
            ]
            assert answer.state is BatchState.PARTIAL
        held = {one["ExternalId"]: str(one["Id"]) for one in here.world.ledger()["invoices"]}
        assert len(held) == 50 * 5
        found = here.client.invoices_by_external_id(list(held))
        assert {one.external_id: one.id for one in found} == held


def test_a_202_has_no_verdicts_until_it_is_looked_up() -> None:
    with connected(always_202=True, pace=60) as here:
        first = here.client.submit(BatchKind.VENDORS, "B-1", [vendor("E|1|MAIN")])
        assert (first.state, first.verdicts, first.unmatched) == (BatchState.PROCESSING, (), ("E|1|MAIN",))
        again = here.client.batch(BatchKind.VENDORS, first.avid_batch_id, ["E|1|MAIN"])
        assert again.state is BatchState.PROCESSING
        here.world.clock.forward(seconds=60)
        last = here.client.batch(BatchKind.VENDORS, first.avid_batch_id, ["E|1|MAIN"])
        assert (last.state, last.unmatched) == (BatchState.SUCCESS, ())
        by_our_id = here.client.batch(BatchKind.VENDORS, "B-1", ["E|1|MAIN"])
        assert by_our_id == last


def test_orders_and_receipts() -> None:
    with connected() as here:
        here.prepare()
        line = PurchaseOrderLineItem(
            line_number=1,
            release_number=1,
            quantity=Decimal("2.5"),
            unit_price=Decimal("4.125"),
            amount=Decimal("10.31"),
            received_quantity=Decimal(0),
        )
        order = PurchaseOrderItem(
            po_number="450",
            vendor_external_system_id="E|1|MAIN",
            status="Open",
            total_amount=Decimal("10.31"),
            currency="USD",
            lines=(line,),
            operation="Upsert",
        )
        taken = here.submit(BatchKind.PURCHASE_ORDERS, "B-1", [("450", encode(order))])
        assert [(one.external_id, one.successful) for one in taken.verdicts] == [("450", True)]
        receipt = ReceiptItem(
            po_number="450",
            vendor_external_system_id="E|1|MAIN",
            lines=(
                ReceiptLineItem(
                    line_number=1, release_number=1, received_quantity=Decimal("2.5"), receipt_number="PS-1"
                ),
            ),
            operation="Upsert",
        )
        taken = here.submit(BatchKind.RECEIPTS, "B-2", [("450", encode(receipt))])
        assert taken.state is BatchState.SUCCESS
        (held,) = here.world.ledger()["receipts"]
        assert (held["PONumber"], held["Lines"][0]["ReceivedQuantity"]) == ("450", "2.5")


def test_an_invoice_sent_again_is_answered_with_the_one_that_is_there() -> None:
    with connected(awkward=False) as here:
        here.prepare()
        (first,) = here.submit(BatchKind.INVOICES, "B-1", [invoice("77")]).verdicts
        (again,) = here.submit(BatchKind.INVOICES, "B-2", [invoice("77")]).verdicts
        assert first == Verdict(external_id="E|1|77|1", successful=True, avid_id=first.avid_id, status="Received")
        assert (again.successful, again.code, again.avid_id) == (False, "duplicate_invoice", first.avid_id)
        assert len(here.world.ledger()["invoices"]) == 1


def test_a_batch_nobody_knows() -> None:
    with connected() as here, pytest.raises(Rejected) as caught:
        here.client.batch(BatchKind.INVOICES, "nothing", ["a"])
    assert caught.value.code == "not_found"


def test_two_accounting_systems_need_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    with connected() as here:
        monkeypatch.setattr(here.client, "accounting_systems", lambda: [("17", "Main"), ("18", "Other")])
        with pytest.raises(Misconfigured) as caught:
            here.client.submit(BatchKind.INVOICES, "B-1", [invoice("77")])
    assert caught.value.code == "accounting_system_unclear"
    assert "17 (Main), 18 (Other)" in caught.value.message
    assert here.calls("invoices_batches") == 0
    with connected(profile={"accounting_system_id": "17"}) as here:
        here.prepare()
        assert here.submit(BatchKind.INVOICES, "B-1", [invoice("77")]).state is BatchState.SUCCESS
        assert here.calls("accounting_systems") == 0


# --- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", [1, 7, 500])
def test_vendors_by_pages_of_any_size(page_size: int) -> None:
    with connected(profile={"page_size": page_size}) as here:
        held = {str(one["Id"]) for one in here.world.ledger()["vendors"]}
        read = [one.id for page in here.client.vendors() for one in page]
        assert sorted(read) == sorted(held)


def test_vendors_modified_since_a_day() -> None:
    with connected() as here:
        here.world.clock.forward(days=3)
        here.prepare()
        read = [one.external_id for page in here.client.vendors(modified_from=here.today) for one in page]
        assert read == ["E|1|MAIN"]


def test_lookups_by_id_are_chunked_and_keep_to_what_was_asked() -> None:
    with connected() as here:
        here.prepare()
        sent = [invoice(f"N,{number}") for number in range(120)]
        for start in range(0, 120, 50):
            here.submit(BatchKind.INVOICES, f"B-{start}", sent[start : start + 50])
        names = [external_id for external_id, _item in sent]
        found = here.client.invoices_by_external_id([*names, "E|9|nobody|1"])
        assert sorted(one.external_id for one in found) == sorted(names)
        assert found.bad == ()
        assert here.calls("invoices") >= 3
        assert here.client.invoices_by_external_id([]) == []


def test_approvals_over_a_range_longer_than_a_window() -> None:
    with connected(profile={"page_size": 2}) as here:
        here.prepare()
        names = []
        for place in range(6):
            external_id, item = invoice(f"7{place}")
            here.submit(BatchKind.INVOICES, f"B-{place}", [(external_id, item)])
            names.append(external_id)
            here.world.clock.forward(days=20)
        start = here.today - timedelta(days=130)
        read = [one for page in here.client.invoices_modified(start, here.today) for one in page]
        assert sorted(one.external_id for one in read) == sorted(names)
        assert {one.approval_status for one in read} <= {"Approved", "Rejected"}
        assert list(here.client.invoices_modified(here.today, here.today - timedelta(days=1))) == []


def test_a_window_ends_with_the_last_second_of_its_day() -> None:
    with connected() as here:
        here.prepare()
        here.world.clock.now = here.world.clock.now.replace(hour=23, minute=59, second=59, microsecond=999_999)
        (external_id, item) = invoice("late")
        here.submit(BatchKind.INVOICES, "B-1", [(external_id, item)])
        day = here.today
        here.world.clock.forward(hours=30)
        read = [one.external_id for page in here.client.invoices_modified(day, day) for one in page]
        assert read == [external_id]


# --- images ------------------------------------------------------------------------------------------------------


def test_an_image_goes_up_once_however_often() -> None:
    with connected() as here:
        here.prepare()
        (verdict,) = here.submit(BatchKind.INVOICES, "B-1", [invoice("77")]).verdicts
        for _time in range(2):
            here.client.upload_image(
                verdict.avid_id,
                external_id="E|1|77|1",
                file_name='Rechnung "ä".pdf',
                content_hash=PDF_HASH,
                file=io.BytesIO(PDF),
                size=len(PDF),
            )
        (read,) = here.client.invoices_by_external_id(["E|1|77|1"])
        assert (read.image_count, read.image_hashes) == (1, (PDF_HASH,))


@pytest.mark.parametrize(
    ("content", "claimed", "invoice_id", "code"),
    [
        (b"GIF89a", None, None, "image_rejected"),
        (PDF + b"x" * 100, None, None, "image_too_large"),
        (PDF, "sha256:00", None, "image_rejected"),
        (PDF, None, "999", "not_found"),
    ],
)
def test_an_image_that_is_refused(content: bytes, claimed: str | None, invoice_id: str | None, code: str) -> None:
    with connected(profile={"image_max_bytes": 100}) as here:
        here.prepare()
        (verdict,) = here.submit(BatchKind.INVOICES, "B-1", [invoice("77")]).verdicts
        with pytest.raises(Rejected) as caught:
            here.client.upload_image(
                invoice_id or verdict.avid_id,
                external_id="E|1|77|1",
                file_name="a.pdf",
                content_hash=claimed or PDF_HASH,
                file=io.BytesIO(content),
                size=len(content),
            )
        assert caught.value.code == code


def test_the_far_side_s_own_limit_of_an_image() -> None:
    with connected() as here:
        here.prepare()
        here.world.state.options.image_max_bytes = 10
        (verdict,) = here.submit(BatchKind.INVOICES, "B-1", [invoice("77")]).verdicts
        with pytest.raises(Rejected) as caught:
            here.client.upload_image(
                verdict.avid_id,
                external_id="E|1|77|1",
                file_name="a.pdf",
                content_hash=PDF_HASH,
                file=io.BytesIO(PDF),
                size=len(PDF),
            )
        assert (caught.value.code, caught.value.status) == ("image_too_large", 413)


# --- captured invoices -------------------------------------------------------------------------------------------


def test_captured_batches_add_up_and_can_be_acknowledged() -> None:
    with connected(profile={"page_size": 2}) as here:
        start = here.today - timedelta(days=90)
        batches = [one for page in here.client.captured_batches(start, here.today) for one in page]
        held = {one["BatchGUID"]: one for one in here.world.ledger()["captured_batches"]}
        assert {one.guid for one in batches} == set(held)
        assert len(batches) >= 3
        for batch in batches:
            invoices = here.client.captured_invoices(batch)
            assert invoices.bad == ()
            assert (batch.invoice_count, batch.total) == (len(invoices), sum(one.gross_amount for one in invoices))
            for one in invoices:
                assert sum(line.amount for line in one.lines) == one.gross_amount
            assert here.client.captured_batch(batch.guid) == batch
            now = here.world.clock()
            here.client.acknowledge(batch.guid, started_at=now - timedelta(minutes=1), ended_at=now)
        acknowledged = here.world.ledger()["captured_batches"]
        assert all(one["Acknowledged"] for one in acknowledged)


def test_an_acknowledgement_of_nothing_is_refused() -> None:
    with connected() as here, pytest.raises(Rejected) as caught:
        here.client.acknowledge("nothing", started_at=here.world.clock(), ended_at=here.world.clock())
    assert caught.value.code == "validation"


def test_a_captured_image_comes_down() -> None:
    with connected() as here:
        (batch, *_more) = [
            one for page in here.client.captured_batches(here.today - timedelta(days=90), here.today) for one in page
        ]
        one = next(one for one in here.client.captured_invoices(batch) if one.image_url)
        sink = io.BytesIO()
        assert here.client.download(one.image_url, sink, max_bytes=100_000) == "application/pdf"
        assert sink.getvalue().startswith(b"%PDF-")
        with pytest.raises(Rejected) as caught:
            here.client.download(one.image_url, io.BytesIO(), max_bytes=100)
        assert caught.value.code == "image_too_large"
        with pytest.raises(Rejected) as caught:
            here.client.download("/v1/images/999", io.BytesIO(), max_bytes=100)
        assert caught.value.code == "image_missing"


@pytest.mark.parametrize("url", ["", "https://elsewhere.invalid/i", "//elsewhere.invalid/i", "http://127.0.0.1:1/i"])
def test_an_image_elsewhere_is_never_asked_for(url: str) -> None:
    with connected() as here:
        with pytest.raises(Rejected) as caught:
            here.client.download(url, io.BytesIO(), max_bytes=100)
        assert (caught.value.code, here.attempts) == ("image_elsewhere", [])


# --- payments ----------------------------------------------------------------------------------------------------


def test_payments_by_window_and_by_id() -> None:
    with connected(profile={"page_size": 3}) as here:
        here.prepare()
        sent = [invoice(f"7{number}", f"{number + 1}0.10") for number in range(9)]
        here.submit(BatchKind.INVOICES, "B-1", sent)
        for batch in here.client.captured_batches(here.today - timedelta(days=90), here.today):
            for one in batch:
                here.client.acknowledge(one.guid, started_at=here.world.clock(), ended_at=here.world.clock())
        held = {str(one["PaymentId"]): one for one in here.world.ledger()["payments"]}
        read = {
            one.id: one
            for page in here.client.payments_modified(here.today - timedelta(days=45), here.today)
            for one in page
        }
        assert read.keys() == held.keys()
        assert len(read) > 5
        for payment_id, one in read.items():
            assert one.amount == Decimal(held[payment_id]["Amount"])
            assert one.amount == sum(remittance.net for remittance in one.remittances)
            assert one.status is not PaymentStatus.UNKNOWN
            assert one.method is not PaymentMethod.UNKNOWN
        again = here.client.payments_by_id([*read, "999"])
        assert {one.id: one for one in again} == read


def test_what_only_an_edit_can_bring() -> None:
    with connected() as here:
        here.prepare()
        here.submit(BatchKind.INVOICES, "B-1", [invoice("77")])
        (payment, *_more) = here.world.ledger()["payments"]
        key = {"PaymentId": payment["PaymentId"]}
        assert here.world.edit("payments", key=key, set={"Status": "Escheated"}).status_code == 200
        (read,) = here.client.payments_by_id([str(payment["PaymentId"])])
        assert (read.status, read.status_text) == (PaymentStatus.UNKNOWN, "Escheated")
        assert here.world.edit("payments", key=key, set={"Status": "Void by payer"}).status_code == 200
        (read,) = here.client.payments_by_id([str(payment["PaymentId"])])
        assert (read.status, read.void_reason) == (PaymentStatus.VOID, "Voided on request")


# --- who we are --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["tokens", "client_credentials"])
@pytest.mark.parametrize("who", [AVID_A, AVID_B])
def test_each_customer_sees_its_own(mode: str, who: type) -> None:
    with connected(mode=mode, who=who) as here:
        assert here.client.accounting_systems() == [(str(who.accounting_system_id), f"Epicor {who.company}")]
        read = {one.id for page in here.client.vendors() for one in page}
        assert read == {str(one["Id"]) for one in here.world.ledger(who.company)["vendors"]}


def test_one_token_serves_until_it_expires_and_is_fetched_once_more_then() -> None:
    with connected(mode="client_credentials") as here:
        for _time in range(3):
            here.client.accounting_systems()
        assert here.calls("token") == 1
        here.world.state.expire_tokens()
        here.client.accounting_systems()
        assert here.calls("token") == 2


def test_bank_accounts() -> None:
    with connected() as here:
        assert here.client.bank_accounts() == [
            (one["ClientId"], one["Status"]) for one in here.world.customer.bank_accounts
        ]
        assert here.client.bank_accounts()[0] == ("OPER", "Synced")


def test_gl_accounts() -> None:
    with connected() as here:
        answer = here.submit(BatchKind.GL_ACCOUNTS, "B-1", [account("6100-00"), account("6200-00")])
        assert [(one.external_id, one.successful) for one in answer.verdicts] == [("6100-00", True), ("6200-00", True)]
