"""What a replay would do about each kind of record, and what it appends; nothing here calls a far system."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from connector.avidxchange.records import InvoiceItem, encode
from connector.stages import Stage
from connector.transport.errors import Held, System
from syncjobs.engine import loop, postings, replay
from syncjobs.engine import replay_targets as targets
from syncjobs.engine.context import StageContext
from syncjobs.engine.replay import Action
from syncjobs.engine.replay_targets import NoSuchTarget, Target
from syncjobs.models import Batch, BatchItem, InvoiceLink, Payment, Posting, PurchaseOrderLink, StageRun, VendorMapping
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus

pytestmark = pytest.mark.django_db
ANN = Actor.system("ann")


def vendor(tenant: Tenant, number: int = 104, **values: Any) -> VendorMapping:
    facts = {"external_id": f"EPIC06|{number}", "state": "approved", "proposal": "create", **values}
    return VendorMapping.objects.create(tenant=tenant, company="EPIC06", vendor_num=number, **facts)


def invoice(tenant: Tenant, **values: Any) -> InvoiceLink:
    facts = {"direction": "out", "company": "EPIC06", "vendor_num": 104, "invoice_num": "INV|77", **values}
    return InvoiceLink.objects.create(tenant=tenant, **facts)


def batch(tenant: Tenant, *rows: Any, state: str = "refused", status: str = "settled", **values: Any) -> Batch:
    facts = {"stage": "vendors_out", "kind": "vendors", "external_id": f"b{Batch.objects.count()}", **values}
    made = Batch.objects.create(tenant=tenant, state=status, **facts)
    for row in rows:
        BatchItem.objects.create(
            tenant=tenant,
            batch=made,
            external_id=str(row.pk),
            subject_kind="vendor",
            subject_id=row.pk,
            subject_key="k",
            payload="{}",
            payload_hash="new",
            state=state,
        )
    return made


def posting(tenant: Tenant, **values: Any) -> Posting:
    facts = {
        "stage": "invoices_in",
        "kind": "ap_invoice",
        "natural_key": "EPIC06|104|INV-77",
        "draft": "{}",
        "draft_hash": "x",
        "state": "done",
        **values,
    }
    return Posting.objects.create(tenant=tenant, **facts)


def only(preview: replay.Preview) -> tuple[str, str, str]:
    (effect,) = preview.effects
    return str(effect.action), effect.kind, effect.key


@pytest.mark.parametrize(
    ("values", "action", "says"),
    [
        ({"desired_hash": "new", "sent_hash": "new"}, "none", "has not changed since"),
        ({"desired_hash": "new", "refused_hash": "new"}, "create", "in a new batch"),
        ({"desired_hash": "new", "sent_hash": "old", "refused_hash": "new"}, "update", "in a new batch"),
        ({"desired_hash": "new", "avid_id": "501"}, "update", "in a new batch"),
        ({"desired_hash": "", "hold_code": "missing_address", "hold_message": "No address."}, "refuse", "No address."),
        ({"desired_hash": "new", "state": "proposed"}, "refuse", "not approved (needs review)"),
        ({"desired_hash": ""}, "refuse", "Nothing of it is to be sent."),
    ],
)
def test_an_upsert_is_sent_again_only_when_it_is_not_there_as_it_should_be(
    north: Tenant, values: dict[str, Any], action: str, says: str
) -> None:
    vendor(north, **values)
    preview = replay.plan(north, Target(record=("vendor", "EPIC06|104")))
    assert only(preview) == (action, "vendor", "EPIC06|104")
    assert says in preview.effects[0].why
    assert preview.stages == ([Stage.VENDORS_OUT] if action in ("create", "update") else [])


def test_what_is_in_flight_is_left_alone(north: Tenant) -> None:
    row = vendor(north, desired_hash="new")
    batch(north, row, state="pending")
    assert only(replay.plan(north, Target(record=("vendor", "EPIC06|104"))))[0] == "none"


@pytest.mark.parametrize("state", ["submitted", "approved", "rejected", "paid", "reopened"])
def test_an_invoice_that_is_there_never_goes_out_again(north: Tenant, state: str) -> None:
    row = invoice(north, state=state, desired_hash="new", sent_hash="old", header_hash="h")
    for fresh in (False, True):
        preview = replay.plan(north, Target(record=("invoice", "EPIC06|104|INV|77")), fresh=fresh)
        assert only(preview) == ("none", "invoice", "EPIC06|104|INV|77")
        replay.execute(preview, actor=ANN, reason="again")
    before = (row.state, row.version, row.header_hash, row.refused_hash)
    row.refresh_from_db()
    assert (row.state, row.version, row.header_hash, row.refused_hash) == before


def test_a_refused_invoice_goes_out_under_the_next_version_of_its_id(north: Tenant) -> None:
    from datetime import date
    from decimal import Decimal

    item = InvoiceItem(
        external_id="EPIC06|104|INV|77|1",
        document_type="Invoice",
        vendor_external_system_id="EPIC06|104|MAIN",
        number="INV|77",
        invoice_date=date(2026, 11, 1),
        gross_amount=Decimal("12.30"),
        currency="USD",
        lines=(),
    )
    row = invoice(
        north,
        state="refused",
        external_id="EPIC06|104|INV|77|1",
        version=2,  # raised by the refusal
        desired=encode(item).decode(),
        desired_hash="new",
        refused_hash="new",
    )
    preview = replay.plan(north, Target(record=("invoice", "EPIC06|104|INV|77")))
    assert only(preview)[0] == "create"
    done = replay.execute(preview, actor=ANN, reason="put right over there")
    assert done.stages == [Stage.INVOICES_OUT]
    row.refresh_from_db()
    assert (row.state, row.external_id, row.refused_hash) == ("ready", "EPIC06|104|INV|77|2", "")
    # Once more before it was sent: it is due already, and nothing more happens to it.
    replay.execute(replay.plan(north, Target(record=("invoice", "EPIC06|104|INV|77"))), actor=ANN, reason="twice")
    row.refresh_from_db()
    assert (row.state, row.external_id, row.version) == ("ready", "EPIC06|104|INV|77|2", 2)


def test_a_fresh_replay_forgets_the_header_of_what_is_not_there(north: Tenant) -> None:
    row = invoice(north, state="waiting", state_reason="On pay hold.", header_hash="h")
    preview = replay.plan(north, Target(record=("invoice", "EPIC06|104|INV|77")), fresh=True)
    assert only(preview)[0] == "refuse"
    assert "On pay hold." in preview.effects[0].why
    assert preview.stages == [Stage.INVOICES_OUT]
    assert preview.reads_everything(Stage.INVOICES_OUT) is False  # it is read by its key
    replay.execute(preview, actor=ANN, reason="again")
    row.refresh_from_db()
    assert (row.state, row.header_hash) == ("waiting", "")
    InvoiceLink.objects.update(state="submitted")
    preview = replay.plan(north, Target(record=("invoice", "EPIC06|104|INV|77")), fresh=True)
    assert preview.reads_everything(Stage.INVOICES_OUT) is True


def test_a_fresh_replay_of_a_captured_invoice_reads_its_batch_again(north: Tenant) -> None:
    captured = batch(north, kind="captured_invoices", stage="invoices_in", status="acknowledged")
    other = batch(north, kind="captured_invoices", stage="invoices_in", status="acknowledged")
    invoice(north, direction="in", state="written", captured_batch=captured)
    for target in (Target(record=("invoice", "EPIC06|104|INV|77")), Target(batch=captured.pk)):
        Batch.objects.update(state="acknowledged")
        preview = replay.plan(north, target, fresh=True)
        assert (list(preview.stages), preview.reads_everything(Stage.INVOICES_IN)) == ([Stage.INVOICES_IN], False)
        replay.execute(preview, actor=ANN, reason="again")
        assert dict(Batch.objects.values_list("pk", "state")) == {captured.pk: "reading", other.pk: "acknowledged"}


def test_receipts_are_replayed_apart_from_their_order(north: Tenant) -> None:
    PurchaseOrderLink.objects.create(
        tenant=north,
        company="EPIC06",
        po_num=4500123,
        vendor_num=104,
        desired_hash="new",
        sent_hash="new",
        receipts_desired_hash="r",
        receipts_refused_hash="r",
    )
    assert only(replay.plan(north, Target(record=("purchase_order", "EPIC06|4500123"))))[0] == "none"
    preview = replay.plan(north, Target(record=("receipts", "EPIC06|4500123")))
    assert only(preview)[0] == "create"
    replay.execute(preview, actor=ANN, reason="again")
    row = PurchaseOrderLink.objects.get()
    assert (row.refused_hash, row.receipts_refused_hash) == ("", "")


def steps(made: list[str], there: set[str]) -> list[postings.Step]:
    """A document of two steps; ``there`` is what Epicor shows, ``made`` what was written."""

    def step(name: str) -> postings.Step:
        def do(_ctx: StageContext, _posting: Posting) -> dict[str, Any]:
            made.append(name)
            there.add(name)
            return {}

        return postings.Step(name, lambda _ctx, _posting: {} if name in there else None, do)

    return [step("header"), step("line 1")]


@pytest.fixture
def work(north: Tenant) -> Callable[..., StageRun]:
    """Run a stage that works its postings through the given steps."""

    def run(plan: list[postings.Step]) -> StageRun:
        def policy(ctx: StageContext) -> None:
            for one in postings.live(ctx, ctx.stage):
                postings.work(ctx, one, plan)

        return loop.run_stage(north, Stage.INVOICES_IN, policy, trigger="replay", actor=ANN)

    return run


def test_a_finished_document_is_looked_at_and_not_written_again(north: Tenant, work: Any) -> None:
    made: list[str] = []
    there = {"header", "line 1"}
    old = posting(north, steps=[{"step": "header", "state": "done", "at": "x"}])
    for target in (Target(posting=old.pk), Target(posting=old.pk)):
        preview = replay.plan(north, target)
        assert only(preview) == ("none", "ap_invoice", "EPIC06|104|INV-77")
        assert replay.execute(preview, actor=ANN, reason="look").stages == [Stage.INVOICES_IN]
        # A second one before the first was worked: it is in work already.
        assert only(replay.plan(north, target))[0] == "none"
        assert replay.execute(replay.plan(north, target), actor=ANN, reason="look").stages == []
        assert work(steps(made, there)).status == "done"
    assert made == []
    lives = Posting.objects.order_by("version").values_list("version", "state", "replay_of__version")
    assert list(lives) == [(1, "done", None), (2, "done", 1), (3, "done", 2)]
    old.refresh_from_db()
    assert old.steps == [{"step": "header", "state": "done", "at": "x"}]


def test_what_is_missing_of_a_finished_document_is_written_again(north: Tenant, work: Any) -> None:
    made: list[str] = []
    posting(north)
    (row,) = Posting.objects.all()
    replay.execute(replay.plan(north, Target(posting=row.pk)), actor=ANN, reason="somebody deleted a line")
    work(steps(made, {"header"}))
    assert made == ["line 1"]


def test_a_held_document_is_taken_up_by_a_new_posting_and_worked_once(north: Tenant, work: Any) -> None:
    def locked(_ctx: StageContext, _posting: Posting) -> dict[str, Any]:
        raise Held("The group is locked.", system=System.EPICOR, code="group_locked")

    ready = posting(north, state="ready")
    work([postings.Step("group", lambda _ctx, _posting: None, locked)])
    ready.refresh_from_db()
    assert (ready.state, ready.code) == ("held", "group_locked")
    preview = replay.plan(north, Target(posting=ready.pk))
    assert only(preview)[0] == "create"
    replay.execute(preview, actor=ANN, reason="unlocked")
    made: list[str] = []
    work(steps(made, set()))
    assert made == ["header", "line 1"]
    lives = Posting.objects.order_by("version").values_list("version", "state", "code")
    assert list(lives) == [(1, "abandoned", "group_locked"), (2, "done", "")]
    # The first life's id still leads to the document; it is looked at, not written.
    replay.execute(replay.plan(north, Target(posting=ready.pk)), actor=ANN, reason="again")
    work(steps(made, {"header", "line 1"}))
    assert made == ["header", "line 1"]


def test_an_intent_without_a_version_means_the_newest_life(north: Tenant) -> None:
    import msgspec

    class Draft(msgspec.Struct):
        amount: str = "1.00"

    posting(north, state="abandoned")
    newest = posting(north, version=2, state="done", steps=[{"step": "header", "state": "done"}])
    found = []

    def policy(ctx: StageContext) -> None:
        with ctx.commit():
            found.append(postings.ensure(ctx, "ap_invoice", "EPIC06|104|INV-77", Draft()))
            found.append(postings.ensure(ctx, "ap_invoice", "EPIC06|104|INV-78", Draft()))

    loop.run_stage(north, Stage.INVOICES_IN, policy, trigger="replay", actor=ANN)
    assert [(one.pk == newest.pk, one.version) for one in found] == [(True, 2), (False, 1)]


def test_a_payment_and_a_captured_invoice_are_replayed_through_their_documents(north: Tenant) -> None:
    facts = {"status": "CLEARED", "method": "CHECK", "amount": "1.00"}
    paid = Payment.objects.create(tenant=north, avid_id="9", state="recorded", **facts)
    Payment.objects.create(tenant=north, avid_id="10", state="held", detail_hash="d", **facts)
    Payment.objects.create(tenant=north, avid_id="11", state="closed", **facts)
    posting(north, stage="payments_in", kind="ap_payment", natural_key="9", payment=paid)
    held = invoice(north, direction="in", state="held", invoice_num="C-1")
    posting(north, natural_key="EPIC06|104|C-1", invoice=held, state="held")
    invoice(north, direction="in", state="withdrawn", invoice_num="C-2", state_reason="Removed over there.")

    def planned(kind: str, key: str, *, fresh: bool = False) -> tuple[str, list[Stage]]:
        preview = replay.plan(north, Target(record=(kind, key)), fresh=fresh)
        return only(preview)[0], list(preview.stages)

    assert planned("payment", "9") == ("none", [Stage.PAYMENTS_IN])
    assert planned("payment", "10") == ("create", [Stage.PAYMENTS_IN])
    assert planned("payment", "11") == ("none", [])
    assert planned("invoice", "EPIC06|104|C-1") == ("create", [Stage.INVOICES_IN])
    assert planned("invoice", "EPIC06|104|C-2") == ("refuse", [])
    replay.execute(replay.plan(north, Target(record=("payment", "9"))), actor=ANN, reason="look")
    newest = Posting.objects.filter(natural_key="9").order_by("-version")[0]
    assert (newest.version, newest.state, newest.payment) == (2, "ready", paid)
    replay.execute(replay.plan(north, Target(record=("payment", "10")), fresh=True), actor=ANN, reason="look")
    assert Payment.objects.get(avid_id="10").detail_hash == ""


def test_days_are_the_companys_own_and_another_tenants_work_is_not_among_them(north: Tenant, south: Tenant) -> None:
    rows = [vendor(north, number, desired_hash="new", refused_hash="new") for number in (1, 2, 3)]
    mine = [batch(north, row) for row in rows]
    batch(south, vendor(south, 1, desired_hash="new", refused_hash="new"))
    # 23:30 on the 3rd, and 00:30 on the 4th and the 5th, in Chicago (UTC-6).
    from datetime import UTC, date, datetime

    moments = [datetime(2026, 11, day, hour, 30, tzinfo=UTC) for day, hour in ((4, 5), (4, 6), (5, 6))]
    for made, moment in zip(mine, moments, strict=True):
        Batch.objects.filter(pk=made.pk).update(created_at=moment)
    preview = replay.plan(north, Target(since=date(2026, 11, 4), until=date(2026, 11, 4)))
    assert [effect.key for effect in preview.effects] == ["EPIC06|2"]
    preview = replay.plan(north, Target(since=date(2026, 11, 3), until=date(2026, 11, 5)))
    assert [effect.key for effect in preview.effects] == ["EPIC06|1", "EPIC06|2", "EPIC06|3"]


def test_a_run_is_replayed_with_its_batches_documents_and_stage(north: Tenant, ran: Any) -> None:
    run = ran(north, "vendors_out", created=1)
    batch(north, vendor(north, desired_hash="new", refused_hash="new"), run=run)
    posting(north, run=run)
    preview = replay.plan(north, Target(run=run.pk))
    assert [(str(one.action), one.kind) for one in preview.effects] == [("create", "vendor"), ("none", "ap_invoice")]
    assert (list(preview.stages), preview.run) == ([Stage.VENDORS_OUT, Stage.INVOICES_IN], run.pk)
    empty = ran(north, "gl_codes_out")
    assert list(replay.plan(north, Target(run=empty.pk)).stages) == [Stage.GL_CODES_OUT]


def test_a_plan_is_made_anew_when_it_is_carried_out(north: Tenant) -> None:
    row = vendor(north, desired_hash="new", refused_hash="new")
    preview = replay.plan(north, Target(record=("vendor", "EPIC06|104")))
    VendorMapping.objects.filter(pk=row.pk).update(sent_hash="new", refused_hash="")
    done = replay.execute(preview, actor=ANN, reason="too late")
    assert [effect.action for effect in done.effects] == [Action.NONE]
    assert done.stages == []


def test_a_replay_has_a_reason_and_a_size(north: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    vendor(north, 1, desired_hash="new")
    preview = replay.plan(north, Target(record=("vendor", "EPIC06|1")))
    with pytest.raises(ValueError, match="needs a reason"):
        replay.execute(preview, actor=ANN, reason="  ")
    big = batch(north, *(vendor(north, number, desired_hash="new") for number in (2, 3, 4)))
    monkeypatch.setattr(targets, "MOST", 2)
    with pytest.raises(NoSuchTarget, match="more than 2 records"):
        replay.plan(north, Target(batch=big.pk))


@pytest.mark.parametrize(
    ("target", "says"),
    [
        (Target(record=("vendors", "EPIC06|104")), "There is no kind of record 'vendors'; known: vendor, gl_account"),
        (Target(record=("vendor", "EPIC06|x")), "north has no vendor 'EPIC06|x'."),
        (Target(record=("gl_account", "EPIC06")), "north has no gl account 'EPIC06'."),
        (Target(batch=1), "north has no batch 1."),
        (Target(posting=1), "north has no posting 1."),
        (Target(run=1), "north has no run 1."),
        (Target(), "Name a first and a last day"),
    ],
)
def test_what_is_not_there_is_named(north: Tenant, target: Target, says: str) -> None:
    with pytest.raises(NoSuchTarget) as raised:
        replay.plan(north, target)
    assert str(raised.value).startswith(says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody", "--run", "1"], "There is no tenant 'nobody'."),
        (["north", "--run", "1"], "north has no run 1."),
        (["north", "--record", "vendor", "EPIC06|104", "--yes"], "A replay needs a reason."),
        (["north", "--since", "2026-11-01"], "--since and --until belong together"),
    ],
)
def test_a_wrong_question_exits_2(
    north: Tenant, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    vendor(north, desired_hash="new")
    with pytest.raises(SystemExit) as ended:
        call_command("replay", *arguments)
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith(says)


def test_a_paused_tenant_is_not_replayed(north: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
    Tenant.objects.update(status=TenantStatus.PAUSED)
    with pytest.raises(SystemExit):
        call_command("replay", "north", "--run", "1")
    assert "is paused" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--run", "1", "--batch", "2"], ["--since", "today"]])
def test_exactly_one_target_is_named(north: Tenant, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("replay", "north", *arguments)


def test_a_run_that_failed_exits_1(north: Tenant, policies: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    moment = timezone.now() - timedelta(days=1)
    run = StageRun.objects.create(
        tenant=north,
        stage="vendors_out",
        trigger="schedule",
        status="done",
        started_at=moment,
        lease_until=moment,
        deadline=moment,
    )

    def broken(_ctx: StageContext) -> None:
        raise KeyError("a bug")

    policies["vendors_out"] = broken
    with pytest.raises(SystemExit) as ended:
        call_command("replay", "north", "--run", str(run.pk), "--yes", "--reason", "again")
    assert ended.value.code == 1
    assert StageRun.objects.order_by("-pk")[0].replay_of == run
