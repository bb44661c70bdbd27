"""An invoice's image follows the invoice: the right file, by its content, once, whatever is lost on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, BinaryIO

import pytest

from connector.epicor.records import Attachment
from connector.sandbox.avidxchange.edits import edit as avid_edit
from connector.sandbox.server import Sandbox
from connector.transport.errors import Retry, System
from syncjobs.engine import images
from syncjobs.models import InvoiceImage, Problem, StageRun
from tenants.models import AuditEvent, Tenant
from tests.stages.outgoing_world import bring_master_data, link, problem_codes, writes

Run = Callable[..., StageRun]
Ledger = Callable[[Tenant], dict[str, Any]]
UPLOAD = {"system": "avidxchange", "method": "POST", "path": "/images"}


def over_there(ledger: Ledger, tenant: Tenant) -> dict[str, list[str]]:
    """The hashes of the images AvidXchange has, by invoice number."""
    return {
        row["Number"]: [image["ContentHash"] for image in row["Images"]]
        for row in ledger(tenant)["avidxchange"]["invoices"]
    }


def files(sandbox: Sandbox, tenant: Tenant, number: str) -> list[tuple[str, str, bytes]]:
    """An invoice's attachments in Epicor: name, document type, content."""
    database = sandbox.epicor.companies[str(tenant.epicor_connection.company)]
    rows = database["APInvHedAttch"].under(link(tenant, number).vendor_num, number)
    return [database.files[row["XFileRefNum"]] for row in rows]


def replace(sandbox: Sandbox, number: str, vendor: int, content: bytes) -> None:
    """Put another content behind an invoice's first attachment."""
    database = sandbox.epicor.companies["EPIC06"]
    ref = database["APInvHedAttch"].under(vendor, number)[0]["XFileRefNum"]
    name, kind, _old = database.files[ref]
    database.files[ref] = (name, kind, content)


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def attachment(sequence: int, name: str, kind: str = "INV") -> Attachment:
    return Attachment(
        company="E", vendor_num=1, invoice_num="1", drawing_seq=sequence, file_ref=sequence, file_name=name,
        doc_type_id=kind,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("doc_types", "expected"),
    [((), ["b.PDF", "c.pdf", "a.tif"]), (("misc",), ["c.pdf"]), (("INV",), ["b.PDF", "a.tif"]), (("OTHER",), [])],
)
def test_candidates_are_of_the_tenants_document_types_pdfs_first(doc_types: Any, expected: list[str]) -> None:
    given = [attachment(3, r"\\far\c.pdf", "MISC"), attachment(1, "a.tif"), attachment(2, r"C:\in\b.PDF")]
    found = images.candidates(given, doc_types)
    assert [images._named(one) for one in found] == expected


def test_the_first_pdf_of_every_invoice_is_there_and_nothing_else(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    run_stage(ready, "invoices_out")
    there = over_there(ledger, ready)
    for number, hashes in there.items():
        pdfs = [content for _name, _kind, content in files(sandbox, ready, number) if content.startswith(b"%PDF-")]
        assert hashes == [digest(content) for content in pdfs[:1]]
    assert [number for number, hashes in there.items() if not hashes] == [
        "INV-10007",
        "INV-10009",
        "INV-10028",
        "INV-10024",
    ]
    for number in ("INV-10007", "INV-10009", "INV-10028", "INV-10024"):
        assert link(ready, number).state == "submitted"
        assert problem_codes(ready, number) == ["image_refused"]
    # Named .jpg, and a PDF all the same; several attachments, and the first of them.
    named = InvoiceImage.objects.get(invoice=link(ready, "INV-10018"))
    assert (named.file_name, named.state) == ("invoice-18-1.jpg", "sent")
    assert InvoiceImage.objects.filter(invoice=link(ready, "INV-10019")).count() == 1
    sent = InvoiceImage.objects.filter(tenant=ready, state="sent").count()
    assert AuditEvent.objects.filter(tenant=ready, action="invoices_out.image_sent").count() == sent
    written = writes(sandbox)
    run_stage(ready, "invoices_out", full_read=True)
    assert writes(sandbox) == written


def test_only_attachments_of_the_chosen_types_are_sent(
    sandbox: Sandbox, make_tenant: Any, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    tenant = make_tenant("a", attachment_doc_types=["MISC"])
    bring_master_data(tenant, run_stage, approve_all)
    run_stage(tenant, "invoices_out")
    there = {number: hashes for number, hashes in over_there(ledger, tenant).items() if hashes}
    assert there == {"INV-10019": [digest(files(sandbox, tenant, "INV-10019")[1][2])]}


def test_a_lost_upload_reply_is_looked_up_and_the_image_is_there_once(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    sandbox.faults.add([{**UPLOAD, "kind": "reset_after"}, {**UPLOAD, "kind": "status", "status": 500}])
    run_stage(ready, "invoices_out")
    states = InvoiceImage.objects.filter(tenant=ready).values_list("state", flat=True)
    assert (list(states).count("uncertain"), list(states).count("pending")) == (1, 0)
    run_stage(ready, "invoices_out")
    assert not InvoiceImage.objects.filter(tenant=ready, state__in=["uncertain", "pending"]).exists()
    assert {len(hashes) for hashes in over_there(ledger, ready).values()} == {0, 1}


def test_killed_between_an_invoice_and_its_image(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(images, "send", lambda ctx: (_ for _ in ()).throw(Retry("gone", system=System.EPICOR)))
        assert run_stage(ready, "invoices_out").status == "failed"
    assert not any(over_there(ledger, ready).values())
    run_stage(ready, "invoices_out")
    assert sum(bool(hashes) for hashes in over_there(ledger, ready).values()) == 23


def test_too_large_and_missing_images_leave_the_invoice_submitted(
    sandbox: Sandbox, make_tenant: Any, run_stage: Run, approve_all: Any, ledger: Ledger
) -> None:
    tenant = make_tenant("a", max_attachment_mb=1)
    bring_master_data(tenant, run_stage, approve_all)
    exact, over = b"%PDF-" + b"x" * (1024 * 1024 - 5), b"%PDF-" + b"x" * (1024 * 1024 - 4)
    replace(sandbox, "INV-10000", 101, over)
    replace(sandbox, "INV-10001", 106, exact)
    database = sandbox.epicor.companies["EPIC06"]
    del database.files[database["APInvHedAttch"].under(121, "INV-10010")[0]["XFileRefNum"]]
    run_stage(tenant, "invoices_out")
    there = over_there(ledger, tenant)
    assert (there["INV-10000"], there["INV-10001"], there["INV-10010"]) == ([], [digest(exact)], [])
    for number in ("INV-10000", "INV-10010"):
        assert (link(tenant, number).state, problem_codes(tenant, number)) == ("submitted", ["image_refused"])
    told = Problem.objects.get(subject_id=link(tenant, "INV-10000").pk, state="open")
    assert "larger than 1048576 bytes" in told.message


def test_413_and_415_of_the_far_side_are_about_the_image_only(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    sandbox.faults.add([{**UPLOAD, "kind": "status", "status": 413}, {**UPLOAD, "kind": "status", "status": 415}])
    run = run_stage(ready, "invoices_out")
    assert run.rejected == 0
    refused = InvoiceImage.objects.filter(tenant=ready, state="refused")
    assert refused.count() == 6
    assert set(refused.values_list("invoice__state", flat=True)) == {"submitted"}


def test_a_connection_without_images_says_so_once_and_sends_the_invoices(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    missing = {"capability_missing": ["/invoices/{id}/images"]}
    avid_edit(sandbox.avidxchange, {"table": "options", "set": missing}, sandbox.epicor.clock())
    run = run_stage(ready, "invoices_out")
    assert run.status == "done_with_problems"
    assert run.created == 27
    told = Problem.objects.get(tenant=ready, subject_kind="images")
    assert (told.code, told.turn, told.state) == ("capability_unavailable", "implementer", "open")
    avid_edit(sandbox.avidxchange, {"table": "options", "set": {"capability_missing": []}}, sandbox.epicor.clock())
    run_stage(ready, "invoices_out")
    told.refresh_from_db()
    assert told.state == "resolved"
    assert sum(bool(hashes) for hashes in over_there(ledger, ready).values()) == 23


def test_an_attachment_that_cannot_be_fetched_keeps_no_other_waiting(
    sandbox: Sandbox, ready: Tenant, run_stage: Run, ledger: Ledger
) -> None:
    download = {"system": "epicor", "path": "DownloadFile", "kind": "html", "times": 1}
    sandbox.faults.add([download])
    run_stage(ready, "invoices_out")
    waiting = InvoiceImage.objects.get(tenant=ready, state="pending").invoice
    assert problem_codes(ready, waiting.invoice_num) == ["image_waits"]
    run_stage(ready, "invoices_out")
    assert problem_codes(ready, waiting.invoice_num) == []
    assert sum(bool(hashes) for hashes in over_there(ledger, ready).values()) == 23


def test_memory_stays_flat_whatever_the_file() -> None:
    """A file is read in pieces; nothing ever asks for all of it."""

    class Endless:
        def __init__(self) -> None:
            self.place, self.size, self.largest = 0, 50 * 1024 * 1024, 0

        def seek(self, place: int) -> None:
            self.place = place

        def read(self, size: int = -1) -> bytes:
            assert size > 0
            self.largest = max(self.largest, size)
            piece = b"x" * min(size, self.size - self.place)
            self.place += len(piece)
            return piece

    file: Any = Endless()
    sink: BinaryIO = file
    assert images.examine(sink).size == 50 * 1024 * 1024
    assert file.largest <= 256 * 1024
