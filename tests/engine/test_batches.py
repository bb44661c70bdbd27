"""The write protocol towards AvidXchange: whatever breaks in between, nothing is lost and nothing is there twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import BatchAnswer, Verdict
from connector.transport.errors import Misconfigured, Rejected, Retry, Waits
from syncjobs.engine import batches, intents, locks, refusals
from syncjobs.engine.context import LeaseLost, StageContext
from syncjobs.engine.outbox import Outbox, tally
from syncjobs.models import Batch, BatchItem, Problem, PurchaseOrderLink, StageRun, VendorMapping
from syncjobs.states import BATCH_LIVE, BatchStatus, MappingState
from tenants.models import AuditEvent, Tenant
from tests.engine.conftest import Open, Sleeper, die
from tests.engine.far_side import AVID, FarSide, accepted, answer, avid_id, busy, refused, rejected, silent

pytestmark = pytest.mark.django_db


def look_up(ctx: StageContext, items: Any) -> Any:
    return ctx.avidxchange.look_up([item.external_id for item in items])  # type: ignore[attr-defined]


def box(**changes: Any) -> Outbox:
    facts: dict[str, Any] = {
        "kind": BatchKind.VENDORS,
        "model": VendorMapping,
        "subject_kind": "vendor",
        "may_send": Q(state=MappingState.APPROVED),
        "external_id": lambda row: row.external_id,
        "key": lambda row: f"{row.company}|{row.vendor_num}",
        "look_up": look_up,
        "decided": refusals.tell("vendor", "vendor"),
        **changes,
    }
    return Outbox(**facts)


BOX = box()
#: An upsert without a read to look it up by, such as a GL account.
BLIND = box(look_up=None)
PATIENT = box(patient=True)


def due(tenant: Tenant, *numbers: int, content: str = "1", **values: Any) -> list[VendorMapping]:
    """Make vendors that are due to be sent."""
    return [
        VendorMapping.objects.create(
            tenant=tenant,
            company="EPIC06",
            vendor_num=number,
            name=f"Vendor {number}",
            external_id=f"EPIC06|{number}|MAIN",
            desired=json.dumps({"VendorExternalSystemID": f"EPIC06|{number}|MAIN", "content": content}),
            desired_hash=f"{number}-{content}",
            state=MappingState.APPROVED,
            **values,
        )
        for number in numbers
    ]


def change(number: int, content: str) -> None:
    VendorMapping.objects.filter(vendor_num=number).update(
        desired=json.dumps({"VendorExternalSystemID": f"EPIC06|{number}|MAIN", "content": content}),
        desired_hash=f"{number}-{content}",
    )


def ids(*numbers: int) -> list[str]:
    return [f"EPIC06|{number}|MAIN" for number in numbers]


def states() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every batch in order, with its items."""
    return [
        (batch.state, [(item.external_id.split("|")[1], item.state) for item in batch.items.all()])
        for batch in Batch.objects.order_by("pk")
    ]


def outcomes() -> dict[int, str]:
    return dict(VendorMapping.objects.values_list("vendor_num", "outcome"))


def age(minutes: float) -> None:
    """Let the last sending of every batch be so long ago."""
    Batch.objects.update(sent_at=timezone.now() - timedelta(minutes=minutes))


# --- what goes well ---------------------------------------------------------------------------------------------------


def test_due_rows_go_out_once_and_are_settled_item_by_item(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102, 103)
    far.script = [lambda name: rejected(name) if "102" in name else accepted(name)]
    batches.push(open_run(tenant), BOX)
    assert far.submissions == [(Batch.objects.get().external_id, ids(101, 102, 103))]
    assert states() == [("settled", [("101", "accepted"), ("102", "refused"), ("103", "accepted")])]
    rows = VendorMapping.objects.values_list("vendor_num", "sent_hash", "refused_hash", "avid_id", "outcome")
    assert list(rows) == [
        (101, "101-1", "", avid_id("EPIC06|101|MAIN"), "created"),
        (102, "", "102-1", "", "rejected"),
        (103, "103-1", "", avid_id("EPIC06|103|MAIN"), "created"),
    ]
    problem = Problem.objects.get()
    assert (problem.subject_key, problem.code, problem.state) == ("EPIC06|102", "vendor_not_found", "open")
    told = AuditEvent.objects.filter(action__startswith="vendors_out.").values_list("action", "subject_key")
    assert sorted(told) == [
        ("vendors_out.accepted", "EPIC06|101"),
        ("vendors_out.accepted", "EPIC06|103"),
        ("vendors_out.refused", "EPIC06|102"),
    ]

    batches.push(open_run(tenant), BOX)
    assert len(far.submissions) == 1  # neither what was accepted nor what was refused goes out again


def test_a_refused_row_goes_out_again_when_it_changed_and_its_problem_closes(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    far.script = [rejected]
    batches.push(open_run(tenant), BOX)
    change(101, "2")
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "refused")]), ("settled", [("101", "accepted")])]
    assert list(Problem.objects.values_list("code", "state")) == [("vendor_not_found", "resolved")]
    first, second = Batch.objects.order_by("pk")
    assert first.external_id != second.external_id
    assert json.loads(far.there["EPIC06|101|MAIN"][0])["content"] == "2"


def test_the_second_acceptance_of_a_row_is_an_update(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    batches.push(open_run(tenant), BOX)
    change(101, "2")
    batches.push(open_run(tenant), BOX)
    assert outcomes() == {101: "updated"}


def test_a_row_that_is_there_under_an_id_of_its_own_is_no_creation(tenant: Tenant, open_run: Open) -> None:
    due(tenant, 101, avid_id="501")
    batches.push(open_run(tenant), BOX)
    assert outcomes() == {101: "updated"}


def test_a_batch_holds_no_more_than_the_profile_allows(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, *range(101, 106))
    far.batch_max_items = 2
    batches.push(open_run(tenant), BOX)
    assert [names for _, names in far.submissions] == [ids(101, 102), ids(103, 104), ids(105)]
    assert [batch.item_count for batch in Batch.objects.order_by("pk")] == [2, 2, 1]


def test_the_same_content_gets_the_same_batch_id_and_a_later_one_counts_up(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    batches.push(open_run(tenant), BOX)
    first = Batch.objects.get().external_id
    for content in ("2", "1"):  # away and back again
        change(101, content)
        batches.push(open_run(tenant), BOX)
    assert [name for name, _ in far.submissions][2] == f"{first}-2"


def test_a_rehearsal_sends_nothing(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    batches.push(open_run(tenant, dry_run=True), BOX)
    assert (far.submissions, Batch.objects.count()) == ([], 0)


def test_tenants_with_the_same_ids_keep_apart(tenant: Tenant, other: Tenant, open_run: Open) -> None:
    due(tenant, 101)
    due(other, 101)
    north, south = FarSide(), FarSide()
    batches.push(open_run(tenant, far_side=north), BOX)
    assert VendorMapping.objects.get(tenant=other).sent_hash == ""
    batches.push(open_run(other, far_side=south), BOX)
    assert (len(north.submissions), len(south.submissions)) == (1, 1)
    assert north.submissions[0][0] != south.submissions[0][0]
    assert list(VendorMapping.objects.values_list("sent_hash", flat=True)) == ["101-1", "101-1"]


# --- verdicts that come later -----------------------------------------------------------------------------------------


def test_verdicts_that_come_later_are_waited_for_with_growing_pauses(
    tenant: Tenant, far: FarSide, open_run: Open, sleeper: Sleeper
) -> None:
    due(tenant, 101, 102)
    far.script = ["202"]
    answers = iter([0, 0, 1, 2])

    def some(avid_batch_id: str, names: Any) -> BatchAnswer:
        return answer(avid_batch_id.removeprefix("avid-"), [accepted(name) for name in names[: next(answers)]])

    far.on_poll = some
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "accepted"), ("102", "accepted")])]
    assert sleeper.slept == [0.25, 0.5, 1.0, 2.0]
    assert Batch.objects.get().polls == 4
    assert len(far.submissions) == 1


def test_a_run_without_patience_left_leaves_the_batch_to_the_next(
    tenant: Tenant, far: FarSide, open_run: Open, sleeper: Sleeper
) -> None:
    due(tenant, 101)
    far.script = ["202"]
    far.on_poll = lambda name, _: answer(name.removeprefix("avid-"), [])
    ctx = open_run(tenant)
    batches.push(ctx, BOX)
    assert sum(sleeper.slept) == pytest.approx(ctx.patience_s)
    assert states() == [("submitted", [("101", "pending")])]
    assert outcomes() == {101: "uncertain"}
    assert batches.due_for_poll(tenant.pk, "vendors") is False  # its pause is not over

    again = open_run(tenant)
    VendorMapping.objects.update(seen_run=again.run.pk, outcome="")  # as if its row had been read again
    batches.push(again, BOX)
    tally(again, VendorMapping, {"created": Q(sent_hash="")})
    assert len(far.submissions) == 1
    assert again.counts == {"read": 1, "uncertain": 1}  # on its way is not created

    far.on_poll = None
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "accepted")])]
    assert outcomes() == {101: "created"}
    assert len(far.submissions) == 1


def test_a_changed_row_waits_for_the_verdict_on_what_was_sent_before(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    far.script = ["202"]
    far.on_poll = lambda name, _: answer(name.removeprefix("avid-"), [])
    batches.push(open_run(tenant), BOX)
    change(101, "2")
    batches.push(open_run(tenant), BOX)
    assert len(far.submissions) == 1
    far.on_poll = None
    batches.push(open_run(tenant), BOX)
    assert [names for _, names in far.submissions] == [ids(101), ids(101)]
    assert VendorMapping.objects.get().sent_hash == "101-2"


def test_a_batch_that_avidxchange_denies_does_not_block_the_stage(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102)
    far.script = ["202"]

    def denied(*_: Any) -> BatchAnswer:
        raise Rejected("No such batch.", system=AVID, code="not_found")

    far.on_poll = denied
    ctx = open_run(tenant)
    ctx.patience_s = 1
    far.there.clear()
    batches.push(ctx, BLIND)
    assert states()[0] == ("settled", [("101", "dropped"), ("102", "dropped")])
    batches.push(open_run(tenant), BLIND)
    assert states()[1] == ("settled", [("101", "accepted"), ("102", "accepted")])


def test_an_upsert_without_a_verdict_for_an_hour_is_sent_again(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102)
    far.script = ["202"]
    far.on_poll = lambda name, names: answer(name.removeprefix("avid-"), [accepted(names[0])])
    batches.push(open_run(tenant), BLIND)
    assert states() == [("submitted", [("101", "accepted"), ("102", "pending")])]
    age(61)
    batches.push(open_run(tenant), BLIND)
    assert states() == [
        ("settled", [("101", "accepted"), ("102", "dropped")]),
        ("settled", [("102", "accepted")]),
    ]
    assert [names for _, names in far.submissions] == [ids(101, 102), ids(102)]


def test_a_patient_kind_without_a_verdict_for_an_hour_is_looked_up_and_told_but_never_given_up(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101, 102)
    far.script = ["202"]
    far.on_poll = lambda name, _: answer(name.removeprefix("avid-"), [])
    batches.push(open_run(tenant), PATIENT)
    age(61)
    del far.there["EPIC06|102|MAIN"]
    for _ in range(3):
        batches.push(open_run(tenant), PATIENT)
    assert states() == [("submitted", [("101", "accepted"), ("102", "pending")])]
    assert len(far.submissions) == 1
    problem = Problem.objects.get()
    assert (problem.code, problem.state, problem.subject_kind) == ("outcome_unknown", "open", "batch")
    far.on_poll = None
    batches.push(open_run(tenant), PATIENT)
    problem.refresh_from_db()
    assert (states()[0][0], problem.state) == ("settled", "resolved")


# --- outcomes that are not known --------------------------------------------------------------------------------------


def test_a_lost_reply_is_looked_up_and_found(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102)
    far.script = ["lost after"]
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "accepted"), ("102", "accepted")])]
    assert len(far.submissions) == 1
    assert outcomes() == {101: "created", 102: "created"}


def test_what_never_arrived_goes_out_again_under_the_same_external_id(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    far.script = ["lost before"]
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "dropped")]), ("settled", [("101", "accepted")])]
    assert [names for _, names in far.submissions] == [ids(101), ids(101)]
    assert len({batch for batch, _ in far.submissions}) == 2  # a batch id is never used twice
    assert outcomes() == {101: "created"}


def test_found_and_absent_are_told_apart_item_by_item(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102)
    far.script = ["lost before"]
    far.there["EPIC06|101|MAIN"] = (b"", "77")
    batches.push(open_run(tenant), BOX)
    assert states() == [
        ("settled", [("101", "accepted"), ("102", "dropped")]),
        ("settled", [("102", "accepted")]),
    ]


def test_an_upsert_without_a_look_up_is_sent_again(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    far.script = ["lost after"]
    batches.push(open_run(tenant), BLIND)
    assert [names for _, names in far.submissions] == [ids(101), ids(101)]
    assert states()[-1] == ("settled", [("101", "accepted")])


def test_a_far_side_that_loses_every_reply_is_left_to_the_next_run(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    far.script = ["lost before"] * 2
    batches.push(open_run(tenant), BOX)
    assert len(far.submissions) == 2
    assert outcomes() == {101: "uncertain"}
    batches.push(open_run(tenant), BOX)
    assert states()[-1] == ("settled", [("101", "accepted")])


def test_a_patient_kind_waits_for_two_look_ups_and_a_quarter_of_an_hour(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    far.script = ["lost before"]
    batches.push(open_run(tenant), PATIENT)
    assert states() == [("uncertain", [("101", "pending")])]
    problem = Problem.objects.get()
    assert (problem.code, problem.state, problem.turn) == ("outcome_unknown", "open", "operator")
    batches.push(open_run(tenant), PATIENT)  # the second look-up, but too early
    assert states() == [("uncertain", [("101", "pending")])]
    age(16)
    batches.push(open_run(tenant), PATIENT)
    assert states() == [("settled", [("101", "dropped")]), ("settled", [("101", "accepted")])]
    assert [names for _, names in far.submissions] == [ids(101), ids(101)]
    problem.refresh_from_db()
    assert problem.state == "resolved"


def test_time_alone_is_not_enough_for_a_patient_kind(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    ctx = open_run(tenant)
    batch = intents.plan(ctx, PATIENT, list(PATIENT.due(ctx)))
    assert batch is not None
    Batch.objects.update(state="uncertain", sent_at=timezone.now() - timedelta(hours=9))
    batches.push(ctx, PATIENT)
    assert states() == [("uncertain", [("101", "pending")])]
    assert far.submissions == []


def test_a_patient_kind_that_turns_up_late_is_not_sent_again(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    far.script = ["lost before"]
    batches.push(open_run(tenant), PATIENT)
    far.there["EPIC06|101|MAIN"] = (b"", "77")
    age(60)
    batches.push(open_run(tenant), PATIENT)
    assert states() == [("settled", [("101", "accepted")])]
    assert len(far.submissions) == 1
    assert list(Problem.objects.values_list("state", flat=True)) == ["resolved"]


def test_an_answer_that_names_neither_batch_nor_verdicts_is_looked_up(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    far.script = [silent]
    original = far.submit

    def nameless(*args: Any) -> BatchAnswer:
        given = original(*args)
        far.there["EPIC06|101|MAIN"] = (b"", "77")
        return answer(given.external_id, given.verdicts, named=False)

    far.submit = nameless  # type: ignore[method-assign]
    batches.push(open_run(tenant), BOX)
    assert states() == [("uncertain", [("101", "pending")])]
    far.submit = original  # type: ignore[method-assign]
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "accepted")])]
    assert len(far.submissions) == 1


def test_a_doubted_refusal_is_looked_up_before_it_is_believed(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102)
    doubting = box(doubted=frozenset({"duplicate"}))
    far.script = [lambda name: rejected(name, "duplicate")]
    far.there["EPIC06|101|MAIN"] = (b"", "77")
    batches.push(open_run(tenant), doubting)
    assert states() == [("settled", [("101", "accepted"), ("102", "refused")])]


# --- refusals of a whole batch, and far sides that want to be left alone ----------------------------------------------


def test_a_batch_refused_as_a_whole_refuses_each_item_and_says_why(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101, 102)
    far.script = [refused()]
    batches.push(open_run(tenant), BOX)
    assert states() == [("failed", [("101", "refused"), ("102", "refused")])]
    assert Batch.objects.get().message == "The batch makes no sense."
    assert outcomes() == {101: "rejected", 102: "rejected"}
    assert list(Problem.objects.order_by("subject_key").values_list("subject_key", "code")) == [
        ("EPIC06|101", "refused"),
        ("EPIC06|102", "refused"),
    ]
    batches.push(open_run(tenant), BOX)
    assert len(far.submissions) == 1


def test_a_short_wish_to_wait_is_granted_in_the_run(
    tenant: Tenant, far: FarSide, open_run: Open, sleeper: Sleeper
) -> None:
    due(tenant, 101)
    far.script = [busy(20), busy(None)]
    ctx = open_run(tenant)
    StageRun.objects.update(lease_until=datetime(2020, 1, 1, tzinfo=UTC))
    batches.push(ctx, BOX)
    assert sleeper.slept == [20, 5.0]
    assert states() == [("settled", [("101", "accepted")])]
    assert StageRun.objects.get().lease_until > timezone.now()  # waiting does not cost the claim


@pytest.mark.parametrize(
    "fault",
    [
        busy(31), Misconfigured("The token was refused.", system=AVID, code="login_refused"),
        Waits("AvidXchange is left alone.", system=AVID, delay_s=5),
    ],
    ids=["a long wait", "a refused login", "a connection that is left alone"],
)  # fmt: skip
def test_a_far_side_that_did_nothing_leaves_the_batch_ready(
    fault: Retry | Misconfigured, tenant: Tenant, far: FarSide, open_run: Open, sleeper: Sleeper
) -> None:
    due(tenant, 101)
    far.script = [fault]
    with pytest.raises(type(fault)):
        batches.push(open_run(tenant), BOX)
    assert sleeper.slept == []
    assert states() == [("ready", [("101", "pending")])]
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "accepted")])]
    assert len({batch for batch, _ in far.submissions}) == 1  # the same batch, because nothing was carried out


# --- workers that die, freeze, or meet --------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def killed(*_: Any) -> None:
    raise Killed


def test_a_ready_batch_of_a_dead_worker_is_sent_as_it_was_planned(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102)
    ctx = open_run(tenant)
    planned = intents.plan(ctx, BOX, list(BOX.due(ctx)))
    assert planned is not None
    batches.push(open_run(tenant), BOX)
    assert far.submissions == [(planned.external_id, ids(101, 102))]
    assert states() == [("settled", [("101", "accepted"), ("102", "accepted")])]
    assert outcomes() == {101: "created", 102: "created"}


def test_what_was_decided_otherwise_meanwhile_is_not_sent(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102, 103)
    ctx = open_run(tenant)
    intents.plan(ctx, BOX, list(BOX.due(ctx)))
    VendorMapping.objects.filter(vendor_num=101).update(state=MappingState.REJECTED)
    change(102, "2")
    batches.push(open_run(tenant), BOX)
    assert states() == [
        ("settled", [("101", "dropped"), ("102", "dropped"), ("103", "accepted")]),
        ("settled", [("102", "accepted")]),
    ]
    assert sorted(far.there) == ids(102, 103)
    assert json.loads(far.there["EPIC06|102|MAIN"][0])["content"] == "2"


def test_a_batch_of_which_nothing_is_left_is_never_sent(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    ctx = open_run(tenant)
    intents.plan(ctx, BOX, list(BOX.due(ctx)))
    VendorMapping.objects.update(state=MappingState.IGNORED)
    batches.push(open_run(tenant), BOX)
    assert states() == [("failed", [("101", "dropped")])]
    assert Batch.objects.get().message == intents.REPLACED
    assert far.submissions == []


@pytest.mark.parametrize("landed", [True, False])
def test_a_worker_killed_while_sending_leaves_an_unknown_outcome_that_is_looked_up(
    landed: bool, tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    due(tenant, 101)
    far.during_submit = killed
    with pytest.raises(Killed):
        batches.push(open_run(tenant), BOX)
    assert states() == [("sending", [("101", "pending")])]
    far.during_submit = lambda: None
    if landed:
        far.there["EPIC06|101|MAIN"] = (b"", "77")

    batches.push(open_run(tenant), BOX)  # within the lease nobody touches it: the worker may be alive
    assert states() == [("sending", [("101", "pending")])]
    assert len(far.submissions) == 1

    Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    batches.push(open_run(tenant), BOX)
    assert states()[-1] == ("settled", [("101", "accepted")])
    assert len(far.submissions) == (1 if landed else 2)


def test_a_worker_killed_right_after_its_claim_leaves_a_batch_that_gets_old(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    """Claim and time of sending are one statement: without the time a patient batch could never be given up."""
    due(tenant, 101)
    ctx = open_run(tenant)
    batch = intents.plan(ctx, PATIENT, list(PATIENT.due(ctx)))
    assert batch is not None
    far.during_submit = killed
    with pytest.raises(Killed):
        batches.send(ctx, PATIENT, batch)
    row = Batch.objects.get()
    assert (row.state, row.sends) == ("sending", 1)
    assert row.sent_at is not None
    assert row.lease_until is not None
    assert row.lease_until - row.sent_at == locks.CALL_LEASE


def test_a_killed_worker_between_answer_and_commit_repeats_nothing(
    tenant: Tenant, far: FarSide, open_run: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(tenant, 101)
    with monkeypatch.context() as patch:
        patch.setattr(batches, "record", killed)
        with pytest.raises(Killed):
            batches.push(open_run(tenant), BOX)
    Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    batches.push(open_run(tenant), BOX)
    assert states() == [("settled", [("101", "accepted")])]
    assert len(far.submissions) == 1


def test_a_crash_in_the_commit_of_verdicts_stores_none_of_them(
    tenant: Tenant, far: FarSide, open_run: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    due(tenant, 101)
    with monkeypatch.context() as patch:
        patch.setattr(batches.verdicts, "trail", killed)
        with pytest.raises(Killed):
            batches.push(open_run(tenant), BOX)
    assert states() == [("sending", [("101", "pending")])]
    assert VendorMapping.objects.get().sent_hash == ""
    assert not AuditEvent.objects.filter(action="vendors_out.accepted").exists()


def test_two_workers_never_plan_the_same_record_twice(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101, 102)
    first = open_run(tenant)
    rows = list(BOX.due(first))
    assert intents.plan(first, BOX, rows[:1]) is not None
    second = open_run(tenant)
    batch = intents.plan(second, BOX, rows)  # it had chosen both before the first had planned
    assert batch is not None
    assert states() == [("ready", [("101", "pending")]), ("ready", [("102", "pending")])]
    assert batch.item_count == 1
    assert intents.plan(second, BOX, rows) is None
    assert Batch.objects.count() == 2


def test_only_one_of_two_workers_sends_a_batch(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    ctx = open_run(tenant)
    batch = intents.plan(ctx, BOX, list(BOX.due(ctx)))
    assert batch is not None
    twin = Batch.objects.get(pk=batch.pk)
    batches.send(ctx, BOX, batch)
    batches.send(ctx, BOX, twin)
    assert len(far.submissions) == 1


def test_a_frozen_worker_cannot_write_once_its_run_is_taken_for_dead(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    """SIGSTOP while it waits for the answer; another worker takes over; SIGCONT."""
    due(tenant, 101)
    frozen = open_run(tenant)

    def others_meanwhile() -> None:
        far.during_submit = lambda: None
        die(StageRun.objects.all())
        Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        batches.push(open_run(tenant, far_side=second), BOX)

    second = FarSide()
    far.during_submit = others_meanwhile
    with pytest.raises(LeaseLost):
        batches.push(frozen, BOX)
    assert states() == [("settled", [("101", "dropped")]), ("settled", [("101", "accepted")])]
    assert len(second.submissions) == 1
    assert list(StageRun.objects.order_by("pk").values_list("status", flat=True)) == ["lost", "running"]


def test_a_worker_whose_batch_was_taken_over_stores_nothing_about_it(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    """The run is alive, but the batch's own lease was over and another stage has resolved it."""
    due(tenant, 101)
    ctx = open_run(tenant)

    def resolved_meanwhile() -> None:
        Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert locks.reap() == 1
        far.there["EPIC06|101|MAIN"] = (b"", "77")
        batches.resolve(ctx, BOX, Batch.objects.get())

    far.during_submit = resolved_meanwhile
    batches.push(ctx, BOX)
    assert states() == [("settled", [("101", "accepted")])]
    assert AuditEvent.objects.filter(action="vendors_out.accepted").count() == 1


def test_two_stages_may_ask_about_one_batch_at_once(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    due(tenant, 101)
    far.script = ["202"]
    ctx = open_run(tenant)
    ctx.patience_s = 0
    batches.push(ctx, BOX)
    batch = Batch.objects.get()

    def answered_twice(name: str, names: Any) -> BatchAnswer:
        far.on_poll = None
        batches.poll(open_run(tenant, "approvals_in"), BOX, Batch.objects.get())
        return answer(name.removeprefix("avid-"), [accepted(one) for one in names])

    far.on_poll = answered_twice
    batches.poll(ctx, BOX, batch)
    assert states() == [("settled", [("101", "accepted")])]
    assert AuditEvent.objects.filter(action__endswith=".accepted").count() == 1


def test_a_second_item_of_a_row_leaves_the_rows_own_id_and_outcome_alone(
    tenant: Tenant, far: FarSide, open_run: Open
) -> None:
    """A PO's receipts travel as an item of their own, with an id of their own over there."""
    item = '{"PONumber": "4500123"}'
    row = PurchaseOrderLink.objects.create(
        tenant=tenant, company="EPIC06", po_num=4500123, vendor_num=101, desired=item, desired_hash="po",
        receipts_desired=item, receipts_desired_hash="came",
    )  # fmt: skip
    facts: dict[str, Any] = {
        "model": PurchaseOrderLink,
        "external_id": lambda link: str(link.po_num),
        "key": lambda link: str(link.po_num),
        "look_up": None,
        "may_send": Q(),
    }
    receipt = Verdict(external_id="4500123", successful=True, avid_id="id-of-the-receipt")
    far.script = ["ok", lambda _: receipt]
    ctx = open_run(tenant, "purchase_orders_out")
    batches.push(ctx, box(kind=BatchKind.PURCHASE_ORDERS, subject_kind="purchase_order", **facts))
    batches.push(ctx, box(kind=BatchKind.RECEIPTS, subject_kind="receipts", prefix="receipts_", **facts))
    row.refresh_from_db()
    assert (row.avid_id, row.sent_hash, row.receipts_sent_hash) == (avid_id("4500123"), "po", "came")
    assert row.outcome == "created"


def test_every_state_a_batch_can_be_left_in_is_taken_up_or_final() -> None:
    """Nothing stays for ever: each live state is one that ``resume`` looks for."""
    assert {BatchStatus.SENDING, BatchStatus.UNCERTAIN, BatchStatus.READY, BatchStatus.SUBMITTED} == BATCH_LIVE


def test_an_items_payload_is_what_was_hashed(tenant: Tenant, far: FarSide, open_run: Open) -> None:
    row = due(tenant, 101)[0]
    batches.push(open_run(tenant), BOX)
    item = BatchItem.objects.get()
    assert (item.payload, item.payload_hash, item.creates) == (row.desired, row.desired_hash, True)
    assert far.there["EPIC06|101|MAIN"][0].decode() == row.desired
