"""Documents of several calls: killed between any two statements, they end whole, once, and as what was intended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from connector.stages import Stage
from connector.transport.errors import ConnectorError, Held, Misconfigured, Rejected, Retry, System, Uncertain, Waits
from syncjobs.engine import locks, postings
from syncjobs.engine.context import LeaseLost, StageContext
from syncjobs.engine.postings import Step
from syncjobs.models import Posting, StageRun
from syncjobs.states import PostingState
from tenants.models import AuditEvent, Tenant
from tests.engine.conftest import Open, die

pytestmark = pytest.mark.django_db
STAGE = Stage.INVOICES_IN
NAMES = ("group", "header", "line 1", "release")


class Draft(msgspec.Struct, frozen=True):
    number: str
    amount: str = "10.00"


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Epicor:
    """A far side that counts what it is told; ``breaks`` maps a step's name to what its calls meet, once."""

    made: list[str] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)
    breaks: dict[str, Any] = field(default_factory=dict)
    look_breaks: dict[str, Any] = field(default_factory=dict)

    def steps(self, *, look_first: str = "") -> list[Step]:
        return [Step(name, self._look(name), self._do(name), look_first=name == look_first) for name in NAMES]

    def _look(self, name: str) -> Callable[[StageContext, Posting], dict[str, Any] | None]:
        def look(ctx: StageContext, posting: Posting) -> dict[str, Any] | None:
            self.looked.append(name)
            fault = self.look_breaks.pop(name, None)
            if fault is not None:
                raise fault
            return facts(name) if name in self.made else None

        return look

    def _do(self, name: str) -> Callable[[StageContext, Posting], dict[str, Any]]:
        def do(ctx: StageContext, posting: Posting) -> dict[str, Any]:
            fault = self.breaks.pop(name, None)
            when, error = fault if fault is not None else ("", None)
            if when == "before":
                raise error
            if callable(error):
                error()
                error = None
            self.made.append(name)
            if when == "after":
                raise error
            return facts(name)

        return do


def facts(name: str) -> dict[str, Any]:
    """What a step makes known, whether by making it or by finding it made."""
    return {"key": f"key of {name}", **({"head_num": 4711} if name == "header" else {})}


@pytest.fixture
def epicor() -> Epicor:
    return Epicor()


def intend(ctx: StageContext, number: str = "EPIC06|104|INV-77", **draft: str) -> Posting:
    with ctx.commit():
        return postings.ensure(ctx, "ap_invoice", number, Draft(number, **draft))


def lost() -> Uncertain:
    return Uncertain("The connection was reset.", system=System.EPICOR, code="reset")


def expire() -> None:
    """Let every claim of a document be over, and every pause."""
    past = timezone.now() - timedelta(seconds=1)
    Posting.objects.filter(lease_until__isnull=False).update(lease_until=past)
    Posting.objects.filter(next_try_at__isnull=False).update(next_try_at=past)


def work_all(ctx: StageContext, epicor: Epicor) -> list[str]:
    return [str(postings.work(ctx, posting, epicor.steps())) for posting in postings.live(ctx, STAGE)]


def test_a_document_is_written_step_by_step_and_its_keys_are_kept(
    tenant: Tenant, open_run: Open, epicor: Epicor
) -> None:
    ctx = open_run(tenant, STAGE)
    posting = intend(ctx)
    assert postings.work(ctx, posting, epicor.steps()) == PostingState.DONE
    assert (epicor.made, epicor.looked) == (list(NAMES), [])
    row = Posting.objects.get()
    assert [(step["step"], step["state"]) for step in row.steps] == [
        (name, state) for name in NAMES for state in ("started", "done")
    ]
    assert (row.head_num, postings.fact(row, "key"), row.lease_until, row.owner) == (4711, "key of release", None, "")
    assert AuditEvent.objects.get(action="invoices_in.posted").after["head_num"] == 4711
    assert work_all(ctx, epicor) == []  # done is done


def test_the_intent_is_one_row_whoever_says_it_and_takes_a_newer_draft_until_it_is_begun(
    tenant: Tenant, other: Tenant, open_run: Open, epicor: Epicor
) -> None:
    ctx = open_run(tenant, STAGE)
    first = intend(ctx)
    again = intend(ctx, amount="11.00")
    assert (again.pk, postings.draft_of(again, Draft).amount) == (first.pk, "11.00")
    epicor.breaks = {"header": ("before", lost())}
    postings.work(ctx, again, epicor.steps())
    assert postings.draft_of(intend(ctx, amount="12.00"), Draft).amount == "11.00"  # begun: what was begun is finished
    theirs = open_run(other, STAGE)
    assert intend(theirs).pk != first.pk


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_looked_up_before_anything_is_repeated(
    name: str, when: str, tenant: Tenant, open_run: Open, epicor: Epicor
) -> None:
    ctx = open_run(tenant, STAGE)
    posting = intend(ctx)
    epicor.breaks = {name: (when, lost())}
    assert postings.work(ctx, posting, epicor.steps()) == PostingState.UNCERTAIN
    row = Posting.objects.get()
    assert (row.code, row.message, row.tries) == ("reset", "The connection was reset.", 1)
    assert work_all(ctx, epicor) == []  # not at once
    expire()
    assert work_all(ctx, epicor) == ["done"]
    assert epicor.made == list(NAMES)
    assert epicor.looked == [name]
    found = [step for step in Posting.objects.get().steps if step.get("found")]
    assert [step["step"] for step in found] == ([name] if when == "after" else [])


@pytest.mark.parametrize("place", range(9))
def test_a_worker_killed_at_any_commit_is_taken_over_and_nothing_is_made_twice(
    place: int, tenant: Tenant, open_run: Open, epicor: Epicor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eight notes of steps, and the end."""
    ctx = open_run(tenant, STAGE)
    posting = intend(ctx)
    original, seen = StageContext.renew, []

    def renew(self: StageContext, **values: object) -> None:
        original(self, **values)
        seen.append(values)
        if len(seen) == place + 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(StageContext, "renew", renew)
        with pytest.raises(Killed):
            postings.work(ctx, posting, epicor.steps())
    ctx = open_run(tenant, STAGE)
    assert work_all(ctx, epicor) == []  # its lease is not over: it may be alive
    expire()
    assert work_all(ctx, epicor) == ["done"]
    assert epicor.made == list(NAMES)
    assert Posting.objects.get().head_num == 4711


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_killed_around_any_call_is_taken_over(
    name: str, when: str, tenant: Tenant, open_run: Open, epicor: Epicor
) -> None:
    ctx = open_run(tenant, STAGE)
    epicor.breaks = {name: (when, Killed())}
    with pytest.raises(Killed):
        postings.work(ctx, intend(ctx), epicor.steps())
    assert Posting.objects.get().state == "running"
    ctx = open_run(tenant, STAGE)
    expire()
    assert work_all(ctx, epicor) == ["done"]
    assert epicor.made == list(NAMES)


def test_a_frozen_worker_cannot_write_once_another_has_the_document(
    tenant: Tenant, open_run: Open, epicor: Epicor
) -> None:
    """SIGSTOP in the middle of a call; another worker looks, finds nothing yet and goes on; SIGCONT."""
    ctx = open_run(tenant, STAGE)
    posting = intend(ctx)
    second = Epicor()

    def meanwhile() -> None:
        expire()
        assert [str(postings.work(ctx, one, second.steps())) for one in postings.live(ctx, STAGE)] == ["done"]

    epicor.breaks = {"header": ("during", meanwhile)}
    assert postings.work(ctx, posting, epicor.steps()) == PostingState.UNCERTAIN
    row = Posting.objects.get()
    assert (row.state, row.code, row.message) == ("done", "", "")  # what the second worker wrote stands
    assert epicor.made == ["group", "header"]  # the first stopped at its next word
    assert AuditEvent.objects.filter(action="invoices_in.posted").count() == 1


def test_a_worker_whose_run_was_taken_for_dead_stops_at_its_next_word(
    tenant: Tenant, open_run: Open, epicor: Epicor
) -> None:
    ctx = open_run(tenant, STAGE)
    posting = intend(ctx)
    epicor.breaks = {"header": ("during", lambda: die(StageRun.objects.all()))}
    with pytest.raises(LeaseLost):
        postings.work(ctx, posting, epicor.steps())
    assert [step["step"] for step in Posting.objects.get().steps][-1] == "header"
    expire()
    assert work_all(open_run(tenant, STAGE), epicor) == ["done"]
    assert epicor.made == list(NAMES)


def test_two_workers_never_work_on_one_document(tenant: Tenant, open_run: Open, epicor: Epicor) -> None:
    ctx = open_run(tenant, STAGE)
    posting = intend(ctx)
    twin = Posting.objects.get()
    assert locks.claim(posting, {PostingState.READY}, PostingState.RUNNING)
    assert postings.work(ctx, twin, epicor.steps()) == PostingState.RUNNING
    assert epicor.made == []


def test_what_a_person_has_made_is_recognised_by_a_look_first(tenant: Tenant, open_run: Open, epicor: Epicor) -> None:
    ctx = open_run(tenant, STAGE)
    epicor.made = ["header"]
    assert postings.work(ctx, intend(ctx), epicor.steps(look_first="header")) == PostingState.DONE
    assert epicor.made == ["header", "group", "line 1", "release"]
    assert epicor.looked == ["header"]


def test_a_wish_to_wait_is_granted_and_grows(tenant: Tenant, open_run: Open, epicor: Epicor) -> None:
    ctx = open_run(tenant, STAGE)
    posting = intend(ctx)
    waits = []
    for delay in (None, None, 700.0):
        epicor.breaks = {"group": ("before", Retry("The group is in use.", system=System.EPICOR, delay_s=delay))}
        expire()
        before = timezone.now()
        assert postings.work(ctx, Posting.objects.get(pk=posting.pk), epicor.steps()) == PostingState.READY
        at = Posting.objects.get().next_try_at
        assert at is not None
        waits.append(round((at - before).total_seconds() / 5) * 5)
    assert waits == [5, 30, 700]
    expire()
    assert work_all(ctx, epicor) == ["done"]


@pytest.mark.parametrize("fault", [Held, Rejected])
def test_what_only_a_person_can_decide_is_held_in_plain_words(
    fault: type[Held | Rejected], tenant: Tenant, open_run: Open, epicor: Epicor
) -> None:
    ctx = open_run(tenant, STAGE)
    error = fault("The period is closed.", system=System.EPICOR, code="period_closed", hint="Open it.")
    epicor.breaks = {"line 1": ("before", error)}
    assert postings.work(ctx, intend(ctx), epicor.steps()) == PostingState.HELD
    row = Posting.objects.get()
    assert (row.state, row.code, row.message) == ("held", "period_closed", "The period is closed. Open it.")
    assert (row.owner, row.lease_until) == ("", None)
    assert work_all(ctx, epicor) == []
    Posting.objects.update(state=PostingState.READY)  # somebody has opened the period
    assert work_all(ctx, epicor) == ["done"]
    assert epicor.made == list(NAMES)


@pytest.mark.parametrize(
    "fault",
    [
        Misconfigured("The login was refused.", system=System.EPICOR),
        Waits("Epicor is left alone.", system=System.EPICOR, delay_s=900),
    ],
    ids=["misconfigured", "waits"],
)
def test_what_every_document_would_meet_ends_the_run_and_leaves_it_ready(
    fault: ConnectorError, tenant: Tenant, open_run: Open, epicor: Epicor
) -> None:
    ctx = open_run(tenant, STAGE)
    epicor.breaks = {"header": ("before", fault)}
    posting = intend(ctx)
    with pytest.raises(type(fault)):
        postings.work(ctx, posting, epicor.steps())
    row = Posting.objects.get()
    assert (row.state, row.tries, row.next_try_at) == ("ready", 0, None), "it is not the document's fault"
    assert work_all(ctx, epicor) == ["done"]
    assert epicor.made == list(NAMES)


def test_a_look_that_fails_repeats_nothing(tenant: Tenant, open_run: Open, epicor: Epicor) -> None:
    ctx = open_run(tenant, STAGE)
    epicor.breaks = {"header": ("after", lost())}
    postings.work(ctx, intend(ctx), epicor.steps())
    expire()
    epicor.look_breaks = {"header": Retry("It is down.", system=System.EPICOR)}
    assert work_all(ctx, epicor) == ["ready"]
    assert epicor.made == ["group", "header"]
    expire()
    assert work_all(ctx, epicor) == ["done"]
    assert epicor.made == list(NAMES)


def test_documents_of_another_tenant_are_never_taken(
    tenant: Tenant, other: Tenant, open_run: Open, epicor: Epicor
) -> None:
    theirs = open_run(other, STAGE)
    intend(theirs)
    assert work_all(open_run(tenant, STAGE), epicor) == []
    assert work_all(theirs, epicor) == ["done"]
