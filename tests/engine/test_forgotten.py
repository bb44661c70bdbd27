"""Records that both systems know and our database does not, as after a backup was put back: each is recognised."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from connector.avidxchange.records import Payment as PaymentRecord
from connector.avidxchange.records import PaymentMethod, PaymentStatus, Remittance, SubmittedInvoice
from connector.epicor import payment_entry
from connector.epicor import records as epicor
from connector.epicor.drafts import PaymentDraft
from connector.translate import payments as translation
from connector.translate.codebook import Hold
from syncjobs.engine import captured_cases, origins, payment_drafts, payment_news, recognition, recording, reversals
from syncjobs.engine.captured_cases import Case
from syncjobs.engine.context import StageContext
from syncjobs.models import InvoiceImage, InvoiceLink, Payment, Posting, Problem, StageSchedule
from syncjobs.states import PaymentState
from tenants.models import AuditEvent, EpicorConnection, Tenant
from tests.engine.conftest import Open
from tests.translate.examples import codebook, header, rules

pytestmark = pytest.mark.django_db

KEY = (104, "INV-77")


def invoice(tenant: Tenant, number: str = "INV-77", **values: Any) -> InvoiceLink:
    facts: dict[str, Any] = {"direction": "out", "company": "EPIC06", "vendor_num": 104, **values}
    return InvoiceLink.objects.create(tenant=tenant, invoice_num=number, **facts)


# --- invoices that came in never go out ---------------------------------------------------------------------------


def held(ctx: StageContext, row: epicor.Invoice, *known: InvoiceLink) -> Hold | None:
    document: Any = SimpleNamespace(header=[row])
    before = {(one.vendor_num or 0, one.invoice_num): one for one in known}
    return origins.from_avidxchange(ctx, {KEY: document}, before).get(KEY)


def test_an_unknown_invoice_that_carries_avidxchanges_id_is_held(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant, "invoices_out")
    written = header(Decimal("10.00"), external_id="880012")
    found = held(ctx, written)
    assert found is not None
    assert (found.code, found.field) == ("came_from_avidxchange", "ExternalID")
    assert "carries AvidXchange's id 880012" in found.message
    assert held(ctx, header(Decimal("10.00"))) is None
    # One that we know is ours, whatever somebody wrote into the column; one that is held for it stays held.
    assert held(ctx, written, invoice(tenant, state="ready")) is None
    assert held(ctx, written, InvoiceLink(vendor_num=104, invoice_num="INV-77", hold_code=origins.CODE)) is not None
    # Without captured invoices there are none to be confused with.
    StageSchedule.objects.filter(tenant=tenant, stage="invoices_in").update(enabled=False)
    assert held(ctx, written) is None


@pytest.mark.parametrize(
    ("group", "prefix", "expected"), [("AVX1", "AVX", True), ("APCLERK", "AVX", False), ("AVX1", "", False)]
)
@pytest.mark.parametrize("column", ["Description", "AvidId_c"])
def test_in_a_column_that_is_not_ours_alone_the_group_decides(
    tenant: Tenant, open_run: Open, monkeypatch: pytest.MonkeyPatch, column: str, group: str, prefix: str,
    expected: bool,
) -> None:  # fmt: skip
    tenant.options = {"external_ref_field": column}
    tenant.save()
    EpicorConnection.objects.filter(tenant=tenant).update(ap_group_prefix=prefix)
    monkeypatch.setattr(origins, "read_column", lambda client, vendor, number, name: f"880012 of {name}")
    row = header(Decimal("10.00"), description="880012", group_id=group, external_id="something else")
    ctx = open_run(tenant, "invoices_out")
    ctx.__dict__["epicor"] = None
    assert (held(ctx, row) is not None) is expected


def test_the_held_row_gives_way_to_the_captured_invoice_with_what_hangs_on_it(
    tenant: Tenant, other: Tenant, open_run: Open
) -> None:
    theirs = invoice(other, state="held", hold_code=origins.CODE)
    waiting = invoice(tenant, state="held", hold_code=origins.CODE)
    payment = Payment.objects.create(tenant=tenant, avid_id="500001", amount=Decimal(1))
    payment.remittances.create(tenant=tenant, position=1, number="INV-77", gross=1, discount=0, net=1, invoice=waiting)
    captured = invoice(tenant, direction="in", vendor_num=None, avid_id="880012", captured="{}", captured_hash="h")
    ctx = open_run(tenant, "invoices_in")
    with ctx.commit():
        assert captured_cases.claim(ctx, Case(captured, None), *KEY) is None
    assert InvoiceLink.objects.get(tenant=tenant).pk == captured.pk
    assert payment.remittances.get().invoice_id == captured.pk
    assert InvoiceLink.objects.get(tenant=other).pk == theirs.pk


def test_any_other_row_keeps_its_key(tenant: Tenant, open_run: Open) -> None:
    invoice(tenant, state="held", hold_code="vendor_not_mapped")
    captured = invoice(tenant, direction="in", vendor_num=None, avid_id="880012", captured="{}", captured_hash="h")
    ctx = open_run(tenant, "invoices_in")
    with ctx.commit():
        refusal = captured_cases.claim(ctx, Case(captured, None), *KEY)
    assert refusal is not None
    assert refusal.code == "duplicate_invoice"


# --- submitted invoices that we do not know -----------------------------------------------------------------------


class Books:
    """An Epicor that answers look-ups from a few rows."""

    def __init__(self, *rows: epicor.Invoice) -> None:
        self.rows = {(row.vendor_num, row.invoice_num): row for row in rows}
        self.asked: list[str] = []

    def find(self, entity: epicor.EntitySet, where: str) -> list[epicor.Invoice]:
        self.asked.append(where)
        return [row for key, row in self.rows.items() if f"VendorNum eq {key[0]} and InvoiceNum eq '{key[1]}'" in where]


def there(number: str, version: int = 1, company: str = "EPIC06", **more: Any) -> SubmittedInvoice:
    return SubmittedInvoice(
        id=f"id of {number}", external_id=f"{company}|104|{number}|{version}", number=number,
        gross_amount=Decimal("10.00"), approval_status="Approved", **more,
    )  # fmt: skip


def recognised(ctx: StageContext, books: Books, *page: SubmittedInvoice) -> dict[str, tuple[str, str, int, str]]:
    ctx.__dict__["epicor"] = books
    recognition.recognise(ctx, page)
    rows = InvoiceLink.objects.filter(tenant=ctx.tenant)
    return {row.invoice_num: (row.state, row.external_id, row.version, row.avid_id) for row in rows}


def test_one_that_is_closed_in_epicor_by_now_gets_its_row_and_its_image_back(
    tenant: Tenant, other: Tenant, open_run: Open
) -> None:
    invoice(other, "INV-77", state="ready")
    books = Books(header(Decimal("10.00"), open_payable=False, doc_unposted_bal=Decimal(0)))
    page = there("INV-77", 2, image_hashes=("sha256:ab",)), there("GONE"), there("INV-77", company="EPIC07")
    found = recognised(open_run(tenant, "approvals_in"), books, *page)
    assert found == {"INV-77": ("submitted", "EPIC06|104|INV-77|2", 2, "id of INV-77")}
    row = InvoiceLink.objects.get(tenant=tenant)
    assert (row.gross_amount, row.open_amount, row.currency, row.direction) == (Decimal("10.00"), 0, "USD", "out")
    assert (row.header_hash != "", row.sent_at is not None, row.desired_hash) == (True, True, "")
    assert InvoiceImage.objects.values_list("invoice", "content_hash", "state").get() == (row.pk, "sha256:ab", "sent")
    event = AuditEvent.objects.get(tenant=tenant, action="approvals_in.recognised")
    assert (event.subject_key, event.reason) == ("EPIC06|104|INV-77", recognition.WHY)
    assert InvoiceLink.objects.get(tenant=other).state == "ready"


@pytest.mark.parametrize("state", ["waiting", "held", "ready", "refused", "withdrawn"])
def test_one_that_we_hold_as_unsent_is_submitted(tenant: Tenant, open_run: Open, state: str) -> None:
    row = invoice(tenant, state=state, hold_code="partly_paid", hold_message="x", desired_hash="h")
    image = InvoiceImage.objects.create(tenant=tenant, invoice=row, file_ref=7, file_name="a.pdf")
    problem = Problem.objects.create(
        tenant=tenant, stage="invoices_out", code="partly_paid", subject_kind="invoice", message="x",
        subject_key="EPIC06|104|INV-77", last_seen_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    books = Books()
    ctx = open_run(tenant, "approvals_in")
    assert recognised(ctx, books, there("INV-77")) == {
        "INV-77": ("submitted", "EPIC06|104|INV-77|1", 1, "id of INV-77")
    }
    assert books.asked == [], "Epicor is asked about nothing that we have"
    row.refresh_from_db()
    problem.refresh_from_db()
    image.refresh_from_db()
    assert (row.hold_code, row.sent_hash, problem.state, image.state) == ("", "h", "resolved", "uncertain")


@pytest.mark.parametrize(
    "known", [{"state": "approved", "external_id": "EPIC06|104|INV-77|1"}, {"state": "in_batch"}, {"direction": "in"}]
)
def test_what_is_known_or_under_way_is_left_alone(tenant: Tenant, open_run: Open, known: dict[str, str]) -> None:
    row = invoice(tenant, **{"state": "written", **known})
    recognised(open_run(tenant, "approvals_in"), Books(), there("INV-77"))
    row.refresh_from_db()
    assert row.state == known.get("state", "written")
    assert not AuditEvent.objects.filter(action="approvals_in.recognised").exists()


def test_a_page_without_strangers_costs_no_call(tenant: Tenant, open_run: Open) -> None:
    books = Books()
    recognised(open_run(tenant, "approvals_in"), books, replace(there("X"), external_id="of somebody else"))
    assert books.asked == []


# --- payments that stand in Epicor --------------------------------------------------------------------------------


def paid(status: PaymentStatus = PaymentStatus.CLEARED, number: str = "500001") -> PaymentRecord:
    return PaymentRecord(
        id=number, status=status, status_text=status.value, method=PaymentMethod.CHECK, method_text="check",
        amount=Decimal("10.00"), network_check_number="300000101", cleared_at=datetime(2026, 11, 20, tzinfo=UTC),
        remittances=(Remittance(number="INV-77", gross=Decimal("10.00"), discount=Decimal(0), net=Decimal("10.00"),
                                external_id="EPIC06|104|INV-77|1", invoice_id=""),),
    )  # fmt: skip


def entered(**changes: Any) -> epicor.Payment:
    facts: dict[str, Any] = {
        "company": "EPIC06", "head_num": 3012, "group_id": "AVX9", "vendor_num": 104, "bank_acct_id": "AVID",
        "check_date": "2026-11-20T00:00:00", "description": translation.identity("500001"), "posted": True,
    }  # fmt: skip
    return epicor.Payment(**{**facts, **changes})


@pytest.mark.parametrize("there", [True, False])
def test_a_payment_that_stands_is_not_measured_by_what_it_left_to_pay(tenant: Tenant, there: bool) -> None:
    link = invoice(tenant, external_id="EPIC06|104|INV-77|1")
    closed = header(Decimal("10.00"), doc_unposted_bal=Decimal(0), pay_hold=True)
    key = payment_drafts.balances.key(*KEY)
    named = {translation.external_key(link.external_id): link}
    draft = payment_drafts._draft(
        paid(), named, {key: closed}, {key: Decimal(0)}, there=there, book=codebook(), rules=rules()
    )
    assert isinstance(draft, PaymentDraft) is there
    assert there or (isinstance(draft, Hold) and draft.code == "invoice_on_hold")


def test_its_posting_begins_in_the_group_that_it_stands_in(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant, "payments_in")
    posting = Posting.objects.create(
        tenant=tenant, stage="payments_in", kind="ap_payment", natural_key="500001", draft="{}", draft_hash="d"
    )
    recording.take_over(ctx, posting, entered())
    posting.refresh_from_db()
    assert (posting.group_id, [(one["step"], one["state"]) for one in posting.steps]) == ("AVX9", [("group", "done")])
    recording.take_over(ctx, posting, entered(group_id="OTHER"))
    posting.refresh_from_db()
    assert posting.group_id == "AVX9", "one that was begun knows better"


@pytest.fixture
def stands(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[list[str]]]:
    """Let Epicor show payment 500001, or nothing; returns what it was asked for."""

    def let(shown: bool) -> list[list[str]]:
        asked: list[list[str]] = []

        def answer(client: Any, *, identity_field: str, identities: list[str]) -> dict[str, epicor.Payment]:
            asked.append(identities)
            return {name: entered() for name in identities if shown and name == translation.identity("500001")}

        monkeypatch.setattr(payment_entry, "standing", answer)
        return asked

    return let


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("before", [None, PaymentState.SEEN, PaymentState.READY])
def test_one_that_was_taken_back_is_undone_if_it_stands_though_we_recorded_nothing(
    tenant: Tenant, open_run: Open, stands: Callable[[bool], list[list[str]]], before: PaymentState | None, shown: bool
) -> None:
    asked = stands(shown)
    ctx = open_run(tenant, "payments_in")
    ctx.__dict__["epicor"] = None
    if before is not None:
        payment_news._take(ctx, payment_news.Records([paid(PaymentStatus.ISSUED)]), rules=rules(), bad=set())
        Payment.objects.update(state=before)
    page = payment_news.Records([paid(PaymentStatus.VOID), paid(number="500002")])
    payment_news._take(ctx, page, rules=rules(), bad=set())
    assert asked == [[translation.identity("500001")]], "only what was taken back is asked for"
    row = Payment.objects.get(avid_id="500001")
    assert row.state == (PaymentState.REVERSING if shown else PaymentState.CLOSED)
    draft = reversals._draft_of_standing(ctx, row, rules())
    assert (draft is not None) is shown
    if draft is not None:
        assert (draft.vendor_num, draft.bank_account_id, draft.identity_field) == (104, "AVID", "Description")
        assert draft.void_date.isoformat() == "2026-11-20"
