"""``sync_now``: stages in order, one entry a stage however many passes it took, and an exit code to rely on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from connector.stages import Stage
from connector.transport.errors import Misconfigured, Retry, System
from syncjobs.engine import schedule
from syncjobs.engine.context import StageContext
from syncjobs.management import cycles
from syncjobs.management.cycles import Cycle
from syncjobs.models import Batch, InvoiceLink, Payment, StageRun
from syncjobs.models.runs import COUNTS
from syncjobs.states import BatchStatus, RunStatus
from tenants.audit import Actor
from tenants.models import Tenant, TenantStatus

pytestmark = pytest.mark.django_db
TESTER = Actor.system("test")


@pytest.fixture
def sync_now(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            call_command("sync_now", *arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def cycle(tenant: Tenant, time: Time, *wanted: Stage, **options: Any) -> Cycle:
    return Cycle(
        tenant,
        wanted or tuple(Stage),
        TESTER,
        say=lambda _words: None,
        sleep=time.sleep,
        monotonic=time.monotonic,
        **options,
    )


def test_all_stages_run_in_the_order_of_a_cycle(north: Tenant, policies: dict[str, Any], sync_now: Any) -> None:
    policies["vendors_out"] = lambda ctx: (ctx.settle_count("created", 2), ctx.settle_count("held"))
    code, out, err = sync_now("north", "--json")
    report = json.loads(out)
    assert code == 0
    assert report["tenant"] == "north"
    assert [run["stage"] for run in report["runs"]] == [str(stage) for stage in Stage]
    first = report["runs"][0]
    assert first.pop("seconds") >= 0
    assert first == {
        "stage": "vendors_out",
        "status": "done_with_problems",
        "counts": {"read": 3, "created": 2, "updated": 0, "unchanged": 0, "held": 1, "rejected": 0, "uncertain": 0},
        "requests": 0,
        "error": "",
    }
    assert err.splitlines()[0] == "vendors_out: done with problems (3 read, 2 created, 1 held)"


def test_named_stages_run_once_each_and_in_order(north: Tenant, policies: dict[str, Any], sync_now: Any) -> None:
    code, out, _ = sync_now("north", "payments_in", "vendors_out", "payments_in", "--json")
    assert (code, [run["stage"] for run in json.loads(out)["runs"]]) == (0, ["vendors_out", "payments_in"])


def test_a_failed_run_is_told_and_exits_1_while_the_others_run(
    north: Tenant, policies: dict[str, Any], sync_now: Any
) -> None:
    def misconfigured(_ctx: StageContext) -> None:
        raise Misconfigured("The company is wrong.", system=System.EPICOR, code="wrong_company", hint="Correct it.")

    def broken(_ctx: StageContext) -> None:
        raise KeyError("a bug")

    policies.update(vendors_out=misconfigured, gl_codes_out=broken)
    code, out, _ = sync_now("north", "--json")
    runs = {run["stage"]: (run["status"], run["error"]) for run in json.loads(out)["runs"]}
    assert code == 1
    assert runs == {
        **{str(stage): ("done", "") for stage in Stage},
        "vendors_out": ("failed", "The company is wrong. Correct it."),
        "gl_codes_out": ("errored", "A fault in the connector itself: KeyError."),
    }


def test_counts_that_do_not_add_up_are_a_fault_of_ours(north: Tenant, policies: dict[str, Any], sync_now: Any) -> None:
    policies["vendors_out"] = lambda ctx: ctx.count("read", 2)
    code, out, _ = sync_now("north", "vendors_out", "--json")
    assert (code, json.loads(out)["runs"][0]["status"]) == (1, "errored")


def test_a_person_reads_a_table(north: Tenant, policies: dict[str, Any], sync_now: Any) -> None:
    policies["vendors_out"] = lambda ctx: ctx.settle_count("created", 1200)
    code, out, _ = sync_now("north", "vendors_out")
    head, line = out.splitlines()
    assert code == 0
    assert head.split() == ["stage", *COUNTS, "requests", "seconds", "status"]
    assert line.split()[:3] == ["vendors_out", "1,200", "1,200"]
    assert line.endswith("done")


def test_switches_reach_the_run(north: Tenant, policies: dict[str, Any], sync_now: Any) -> None:
    sync_now("north", "vendors_out", "--dry-run")
    sync_now("north", "vendors_out", "--full")
    runs = StageRun.objects.order_by("pk").values_list("dry_run", "full_read", "trigger", "asked_by")
    assert list(runs) == [(True, False, "command", "sync_now"), (False, True, "command", "sync_now")]


def test_a_stage_that_is_off_or_paused_by_a_person_runs_only_when_named(
    north: Tenant, policies: dict[str, Any], sync_now: Any
) -> None:
    schedule.apply(north, {"vendors_out": {"enabled": False}}, actor=TESTER)
    schedule.pause(north, Stage.GL_CODES_OUT, actor=TESTER, reason="year end")
    _, out, _ = sync_now("north", "--json")
    assert [run["stage"] for run in json.loads(out)["runs"]] == [str(stage) for stage in list(Stage)[2:]]
    _, out, _ = sync_now("north", "vendors_out", "--json")
    assert [run["stage"] for run in json.loads(out)["runs"]] == ["vendors_out"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nobody"], "There is no tenant 'nobody'."),
        (["north", "vendor_out"], "unknown stage 'vendor_out'; known: vendors_out, gl_codes_out"),
    ],
)
def test_a_wrong_question_exits_2(north: Tenant, sync_now: Any, arguments: list[str], says: str) -> None:
    code, out, err = sync_now(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(says)
    assert not StageRun.objects.exists()


def test_a_paused_tenant_does_not_run(north: Tenant, sync_now: Any) -> None:
    Tenant.objects.update(status=TenantStatus.PAUSED)
    assert sync_now("north")[0] == 2
    assert not StageRun.objects.exists()


def test_a_stage_that_is_busy_is_waited_for(
    north: Tenant, policies: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    time, moment = Time(), timezone.now()
    other = StageRun.objects.create(
        tenant=north,
        stage="vendors_out",
        trigger="schedule",
        started_at=moment,
        lease_until=moment + timedelta(hours=1),
        deadline=moment + timedelta(hours=6),
    )
    stuck = cycle(north, time, Stage.VENDORS_OUT)
    stuck.run()
    assert sum(time.slept) == cycles.BUSY_WAIT_S
    assert stuck.entries[Stage.VENDORS_OUT].as_json(with_passes=False) == {
        "stage": "vendors_out",
        "status": "busy",
        "counts": dict.fromkeys(COUNTS, 0),
        "requests": 0,
        "seconds": 0.0,
        "error": f"Another run has been at it for more than 60 seconds ({other}).",
    }
    assert stuck.entries[Stage.VENDORS_OUT].failed

    def ends(_seconds: float) -> None:
        StageRun.objects.filter(pk=other.pk).update(status=RunStatus.DONE)

    monkeypatch.setattr(time, "sleep", ends)
    patient = cycle(north, time, Stage.VENDORS_OUT)
    patient.run()
    assert patient.entries[Stage.VENDORS_OUT].status == "done"


def submitted(tenant: Tenant, stage: str = "vendors_out", kind: str = "vendors") -> Batch:
    return Batch.objects.create(
        tenant=tenant, stage=stage, kind=kind, external_id="b1", avid_batch_id="202-1", state=BatchStatus.SUBMITTED
    )


def test_waiting_goes_on_until_verdicts_are_in_and_lets_the_next_stages_go_on(
    north: Tenant, south: Tenant, policies: dict[str, Any]
) -> None:
    """The vendors' verdicts come late; invoices held for them go out in the same pass as the verdicts come in."""
    submitted(south)  # another tenant's business
    batch = submitted(north)
    order: list[str] = []
    passes = {"vendors_out": 0, "invoices_out": 0}

    def vendors(ctx: StageContext) -> None:
        passes["vendors_out"] += 1
        if passes["vendors_out"] == 3:
            Batch.objects.filter(pk=batch.pk).update(state=BatchStatus.SETTLED)
            ctx.settle_count("created", 5)
            ctx.settle_count("rejected")
        else:
            ctx.settle_count("uncertain", 6)

    def invoices(ctx: StageContext) -> None:
        passes["invoices_out"] += 1
        ctx.settle_count("held" if passes["invoices_out"] == 1 else "created", 2)

    policies.update(vendors_out=vendors, invoices_out=invoices)
    for stage in Stage:
        policies.setdefault(stage, lambda ctx: None)
    for name, policy in list(policies.items()):
        policies[name] = lambda ctx, policy=policy: (order.append(str(ctx.stage)), policy(ctx))[1]

    time = Time()
    waited = cycle(north, time)
    waited.run()
    waited.settle(60)
    assert time.slept == [1, 2]
    assert order == [
        *(str(stage) for stage in Stage),
        *("vendors_out", "approvals_in", "invoices_in", "payments_in"),
        # Purchase orders and invoices run again because the vendors they need have just moved.
        *(str(stage) for stage in Stage if stage != Stage.GL_CODES_OUT),
    ]
    vendors_entry = waited.entries[Stage.VENDORS_OUT].as_json(with_passes=True)
    assert (vendors_entry["status"], vendors_entry["passes"]) == ("done_with_problems", 3)
    assert vendors_entry["counts"] == {
        "read": 6,
        "created": 5,
        "updated": 0,
        "unchanged": 0,
        "held": 0,
        "rejected": 1,
        "uncertain": 0,
    }
    invoices_entry = waited.entries[Stage.INVOICES_OUT].as_json(with_passes=True)
    assert (invoices_entry["status"], invoices_entry["passes"]) == ("done", 2)
    assert invoices_entry["counts"] == {**dict.fromkeys(COUNTS, 0), "read": 2, "created": 2}


def test_waiting_stops_when_its_time_is_over(north: Tenant, policies: dict[str, Any]) -> None:
    submitted(north)
    time = Time()
    waited = cycle(north, time)
    waited.run()
    waited.settle(20)
    assert time.slept == [1, 2, 4, 8, 5]
    assert waited.entries[Stage.VENDORS_OUT].passes == 6
    assert waited.entries[Stage.GL_CODES_OUT].passes == 1


def payment(tenant: Tenant, **values: Any) -> Payment:
    facts = {"avid_id": "9", "status": "IN_FLIGHT", "method": "CHECK", "amount": Decimal("1.00"), **values}
    return Payment.objects.create(tenant=tenant, **facts)


def test_payments_on_their_way_are_waited_for(north: Tenant, policies: dict[str, Any]) -> None:
    on_its_way = payment(north)

    def clears(ctx: StageContext) -> None:
        if StageRun.objects.filter(stage="payments_in").count() == 4:
            Payment.objects.filter(pk=on_its_way.pk).update(final=True)
            ctx.settle_count("created")
        else:
            ctx.settle_count("unchanged")

    policies["payments_in"] = clears
    time = Time()
    waited = cycle(north, time)
    waited.run()
    waited.settle(60)
    assert time.slept == [1, 2, 4]
    counts = waited.entries[Stage.PAYMENTS_IN].counts
    assert counts == {**dict.fromkeys(COUNTS, 0), "read": 1, "created": 1}


def test_approved_invoices_are_not_waited_for_when_nothing_moves(north: Tenant, policies: dict[str, Any]) -> None:
    """A credit may stay approved for ever; nobody promised to pay it within the minute."""
    InvoiceLink.objects.create(
        tenant=north, direction="out", company="EPIC06", vendor_num=104, invoice_num="CM-1", state="approved"
    )
    time = Time()
    waited = cycle(north, time)
    waited.run()
    waited.settle(600)
    assert time.slept == [1, 2]


def test_nothing_under_way_is_not_waited_for(north: Tenant, policies: dict[str, Any], sync_now: Any) -> None:
    code, out, _ = sync_now("north", "vendors_out", "--wait", "600", "--json")
    assert (code, json.loads(out)["runs"][0]["passes"]) == (0, 1)


def test_a_rehearsal_waits_for_nothing(north: Tenant, policies: dict[str, Any]) -> None:
    submitted(north)
    time = Time()
    waited = cycle(north, time, dry_run=True)
    waited.run()
    waited.settle(600)
    assert time.slept == []


def test_a_later_pass_makes_up_for_a_throttled_one_but_not_for_a_bug(north: Tenant, policies: dict[str, Any]) -> None:
    submitted(north)
    first = {
        "approvals_in": Retry("Slow down.", system=System.AVIDXCHANGE, code="throttled"),
        "payments_in": KeyError("x"),
    }

    def once(ctx: StageContext) -> None:
        fault = first.pop(str(ctx.stage), None)
        if fault is not None:
            raise fault

    policies.update(approvals_in=once, payments_in=once)
    waited = cycle(north, Time())
    waited.run()
    waited.settle(3)
    ends = {stage: (entry.status, entry.failed) for stage, entry in waited.entries.items() if entry.passes > 2}
    assert ends[Stage.APPROVALS_IN] == ("done", False)
    assert ends[Stage.PAYMENTS_IN] == ("errored", True)


@pytest.mark.parametrize("wait", ["soon", "-1", "nan", "1e9"])
def test_a_wait_is_a_sensible_number_of_seconds(north: Tenant, sync_now: Any, wait: str) -> None:
    from django.core.management.base import CommandError

    with pytest.raises(CommandError, match="must be a number of seconds, at most a day"):
        sync_now("north", "--wait", wait)
