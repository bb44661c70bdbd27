"""Replay against both stand-ins: any number of times, in any order, the far side ends in the same state."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from connector.sandbox.server import Sandbox
from syncjobs.engine import replay
from syncjobs.engine.replay import Action
from syncjobs.engine.replay_targets import Target
from syncjobs.models import Batch, BatchItem, StageRun, VendorMapping
from syncjobs.states import ItemState
from tenants.audit import Actor
from tenants.models import AuditEvent, Tenant

ANN = Actor.system("ann")
RunStage = Callable[..., StageRun]
Ledger = Callable[[Tenant], dict[str, Any]]


@pytest.fixture
def sandbox_options() -> dict[str, Any]:
    return {"vendors": 20, "invoices": 15, "seed": 1, "pace": 0}


@pytest.fixture
def sent(tenant: Tenant, other: Tenant, run_stage: RunStage, approve_all: Any) -> Batch:
    """Both tenants' vendors are over there; the first tenant's newest batch is returned."""
    for one in (tenant, other):
        run_stage(one, "vendors_out")
        approve_all(one)
        run_stage(one, "vendors_out")
    return Batch.objects.filter(tenant=tenant, kind="vendors").order_by("-pk")[0]


@pytest.fixture
def refused(sent: Batch, tenant: Tenant, run_stage: RunStage) -> VendorMapping:
    """A vendor whose change AvidXchange has refused; what was wrong has been put right over there since."""
    row = VendorMapping.objects.filter(tenant=tenant, state="approved").exclude(sent_hash="").order_by("vendor_num")[0]
    good = json.loads(row.desired)
    bad = {**good, "VendorName": ""}
    VendorMapping.objects.filter(pk=row.pk).update(desired=json.dumps(bad), desired_hash="changed")
    # Read by nobody in between: the run after the overlap would translate it anew.
    from syncjobs.stages import vendors_out

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vendors_out, "read_epicor", lambda _ctx: None)
        run_stage(tenant, "vendors_out")
    row.refresh_from_db()
    assert row.refused_hash == "changed"
    VendorMapping.objects.filter(pk=row.pk).update(desired=json.dumps(good | {"AccountNo": "A-1"}))
    row.refresh_from_db()
    return row


def vendors(ledger: Ledger, tenant: Tenant) -> list[dict[str, Any]]:
    return list(ledger(tenant)["avidxchange"]["vendors"])


def again(preview: replay.Preview, run_stage: RunStage) -> list[StageRun]:
    done = replay.execute(preview, actor=ANN, reason="a test")
    return [
        run_stage(done.tenant, stage, trigger="replay", replay_of=done.run, full_read=done.reads_everything(stage))
        for stage in done.stages
    ]


def test_accepted_and_unchanged_records_are_left_alone(
    sent: Batch, tenant: Tenant, other: Tenant, run_stage: RunStage, ledger: Ledger, sandbox: Sandbox
) -> None:
    before = [ledger(one) for one in (tenant, other)]
    batches = Batch.objects.count()
    preview = replay.plan(tenant, Target(batch=sent.pk))
    assert preview.counts == {"create": 0, "update": 0, "none": sent.item_count, "refuse": 0}
    assert preview.stages == []
    assert again(preview, run_stage) == []
    for fresh in (True, False, True):
        runs = again(replay.plan(tenant, Target(run=sent.run_id), fresh=fresh), run_stage)
        assert [(run.stage, run.trigger, run.replay_of_id, run.created, run.updated) for run in runs] == [
            ("vendors_out", "replay", sent.run_id, 0, 0)
        ]
    assert [ledger(one) for one in (tenant, other)] == before
    assert Batch.objects.count() == batches


def test_a_refused_record_goes_into_a_new_batch_that_points_at_the_old_one(
    refused: VendorMapping, tenant: Tenant, run_stage: RunStage, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    from syncjobs.stages import vendors_out

    monkeypatch.setattr(vendors_out, "read_epicor", lambda _ctx: None)
    item = BatchItem.objects.get(tenant=tenant, subject_id=refused.pk, subject_kind="vendor", state=ItemState.REFUSED)
    old = Batch.objects.values().get(pk=item.batch_id)
    key = f"{refused.company}|{refused.vendor_num}"
    # Without a replay nothing is sent, however often the stage runs.
    run_stage(tenant, "vendors_out")
    assert Batch.objects.order_by("-pk")[0].pk == item.batch_id

    preview = replay.plan(tenant, Target(record=("vendor", key)))
    assert [(one.action, one.key, one.why) for one in preview.effects] == [
        (Action.UPDATE, key, "It is sent in a new batch.")
    ]
    (run,) = again(preview, run_stage)
    new = Batch.objects.order_by("-pk")[0]
    assert (run.created, run.updated, new.item_count, new.replay_of_id) == (0, 1, 1, item.batch_id)
    assert Batch.objects.values().get(pk=item.batch_id) == old
    over_there = [one for one in vendors(ledger, tenant) if one["AccountNo"] == "A-1"]
    assert len(over_there) == 1

    # Any number of times, in any order: the old batch, the new one, the record.
    state = ledger(tenant)
    for target in (Target(batch=item.batch_id), Target(batch=new.pk), Target(record=("vendor", key))):
        assert again(replay.plan(tenant, target), run_stage) == []
    assert ledger(tenant) == state
    events = AuditEvent.objects.filter(tenant=tenant, action__startswith="replay.").order_by("sequence")
    assert [(event.action, event.subject_key, event.actor_name, event.reason) for event in events][:2] == [
        ("replay.requested", key, "ann", "a test"),
        ("replay.planned", key, "ann", "a test"),
    ]


def test_a_fresh_replay_reads_again_and_ends_in_what_epicor_says(
    refused: VendorMapping, tenant: Tenant, run_stage: RunStage, ledger: Ledger
) -> None:
    key = f"{refused.company}|{refused.vendor_num}"
    (run,) = again(replay.plan(tenant, Target(record=("vendor", key)), fresh=True), run_stage)
    assert run.full_read is True
    refused.refresh_from_db()
    assert refused.sent_hash == refused.desired_hash != "changed"
    assert [one for one in vendors(ledger, tenant) if one["AccountNo"] == "A-1"] == []
    state = ledger(tenant)
    again(replay.plan(tenant, Target(record=("vendor", key)), fresh=True), run_stage)
    assert ledger(tenant) == state


def test_another_tenants_rows_cannot_be_replayed(sent: Batch, other: Tenant) -> None:
    from syncjobs.engine.replay_targets import NoSuchTarget

    for target in (Target(batch=sent.pk), Target(run=sent.run_id)):
        with pytest.raises(NoSuchTarget):
            replay.plan(other, target)


def test_the_command_previews_and_sends_only_with_yes(
    refused: VendorMapping, tenant: Tenant, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from syncjobs.stages import vendors_out

    monkeypatch.setattr(vendors_out, "read_epicor", lambda _ctx: None)
    key = f"{refused.company}|{refused.vendor_num}"
    batches, runs = Batch.objects.count(), StageRun.objects.count()
    call_command("replay", tenant.slug, "--record", "vendor", key)
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "This would: create 0, update 1, leave alone 0, refuse 0; stages: vendors_out",
        f"  update vendor {key}: It is sent in a new batch.",
        'Nothing was sent. Add --yes --reason "…" to do it.',
    ]
    assert (Batch.objects.count(), StageRun.objects.count()) == (batches, runs)

    call_command("replay", tenant.slug, "--record", "vendor", key, "--yes", "--reason", "put right", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"create": 0, "update": 1, "none": 0, "refuse": 0}
    assert report["done"] is True
    assert [(run["stage"], run["status"], run["counts"]["updated"]) for run in report["runs"]] == [
        ("vendors_out", "done", 1)
    ]
    run = StageRun.objects.order_by("-pk")[0]
    assert (run.trigger, run.reason, run.asked_by) == ("replay", "put right", "replay")


def test_everything_replayed_writes_to_neither_system(
    tenant: Tenant,
    other: Tenant,
    cycle: Callable[..., dict[str, StageRun]],
    approve_all: Any,
    run_stage: RunStage,
    ledger: Ledger,
    sandbox: Sandbox,
) -> None:
    """All batches and documents of a whole cycle, stored and fresh: looked at, and left as they are."""
    for one in (tenant, other):
        cycle(one)
        approve_all(one)
        for _again in range(2):
            runs = cycle(one)
        assert [(name, run.created, run.updated) for name, run in runs.items() if run.created or run.updated] == []
    before, calls = [ledger(one) for one in (tenant, other)], sandbox.ledger()["calls"]
    today = timezone.now().astimezone(tenant.zone).date()
    days = Target(since=today - timedelta(days=1), until=today)
    for fresh in (False, True, False):
        preview = replay.plan(tenant, days, fresh=fresh)
        kinds = {effect.kind for effect in preview.effects}
        assert kinds >= {"vendor", "gl_account", "purchase_order", "receipts", "invoice", "ap_payment"}
        for run in again(preview, run_stage):
            assert (run.stage, run.status in ("done", "done_with_problems")) == (run.stage, True), run.error
            assert (run.stage, run.created, run.updated) == (run.stage, 0, 0)
    assert [ledger(one) for one in (tenant, other)] == before
    written = {system: {name: n for name, n in told.items() if name != "GET"} for system, told in calls.items()}
    now = sandbox.ledger()["calls"]
    assert {system: {name: n for name, n in told.items() if name != "GET"} for system, told in now.items()} == written
