"""States: no move that the table does not allow, and no two winners of one move."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import models
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syncjobs import states
from syncjobs.models import Batch, Posting, Problem, StageRun, VendorMapping
from syncjobs.states import MOVES, MappingState, WrongMove, advance, may_move
from tenants.models import Tenant

pytestmark = pytest.mark.django_db
MACHINES = [(kind, start, end) for kind in MOVES for start in kind for end in kind]


def row_in(tenant: Tenant, kind: type[models.TextChoices], state: str) -> tuple[Any, str]:
    """Make a row of the model that has these states; return it with the state's column."""
    moment = timezone.now()
    name = kind.__name__
    if name == "RunStatus":
        times = {"started_at": moment, "lease_until": moment, "deadline": moment + timedelta(hours=1)}
        return StageRun.objects.create(tenant=tenant, stage="vendors_out", trigger="command", status=state, **times), (
            "status"
        )
    if name == "MappingState":
        facts = {"company": "EPIC06", "vendor_num": 104, "external_id": "EPIC06|104|MAIN"}
        return VendorMapping.objects.create(tenant=tenant, state=state, **facts), "state"
    if name == "BatchStatus":
        facts = {"stage": "vendors_out", "kind": "vendors", "external_id": "b"}
        return Batch.objects.create(tenant=tenant, state=state, **facts), "state"
    if name == "PostingState":
        facts = {"stage": "invoices_in", "kind": "ap_invoice", "natural_key": "k", "draft": "{}", "draft_hash": "h"}
        return Posting.objects.create(tenant=tenant, state=state, **facts), "state"
    assert name == "ProblemState"
    facts = {"stage": "vendors_out", "code": "c", "subject_kind": "vendor", "subject_key": "k", "message": "m"}
    return Problem.objects.create(tenant=tenant, state=state, last_seen_at=moment, **facts), "state"


@pytest.mark.parametrize(("kind", "start", "end"), MACHINES, ids=lambda part: str(getattr(part, "__name__", part)))
def test_a_move_happens_exactly_when_the_table_allows_it(
    kind: type[models.TextChoices], start: Any, end: Any, tenant: Tenant
) -> None:
    row, column = row_in(tenant, kind, start)
    if may_move(kind, start, end):
        assert advance(row, end, field=column) is True
        assert getattr(row, column) == end
    else:
        with pytest.raises(WrongMove, match="is not an allowed move"):
            advance(row, end, field=column)
        end = start
    row.refresh_from_db()
    assert getattr(row, column) == end


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_of_two_who_move_a_row_one_wins(data: st.DataObject, tenant: Tenant) -> None:
    kind = data.draw(st.sampled_from([kind for kind in MOVES if any(MOVES[kind].values())]))
    start = data.draw(st.sampled_from([state for state in kind if MOVES[kind][state]]))
    first, second = (data.draw(st.sampled_from(sorted(MOVES[kind][start]))) for _ in range(2))
    for model in (StageRun, VendorMapping, Batch, Posting, Problem):
        model.objects.all().delete()
    row, column = row_in(tenant, kind, start)
    rival = type(row).objects.get(pk=row.pk)
    assert advance(row, first, field=column) is True
    assert advance(rival, second, field=column) is False
    assert getattr(rival, column) == start  # what it holds in memory is not changed by losing
    rival.refresh_from_db()
    assert getattr(rival, column) == first


def test_values_are_set_by_the_move_or_not_at_all(tenant: Tenant) -> None:
    row, _ = row_in(tenant, MappingState, MappingState.PROPOSED)
    rival = VendorMapping.objects.get()
    before = row.updated_at
    assert advance(row, MappingState.APPROVED, decided_by="ann", avid_id="501")
    assert not advance(rival, MappingState.REJECTED, decided_by="bob", avid_id="")
    kept = VendorMapping.objects.get()
    assert (kept.state, kept.decided_by, kept.avid_id) == ("approved", "ann", "501")
    assert kept.updated_at > before


@pytest.mark.parametrize("kind", list(MOVES), ids=lambda kind: kind.__name__)
def test_every_state_has_its_moves_and_no_move_leads_out_of_the_set(kind: type[models.TextChoices]) -> None:
    assert set(MOVES[kind]) == set(kind)
    assert {end for ends in MOVES[kind].values() for end in ends} <= set(kind)
    assert not [state for state in kind if state in MOVES[kind][state]]


def test_the_named_groups_are_what_they_say() -> None:
    assert states.POSTING_LIVE < states.POSTING_OPEN
    assert not states.INVOICE_THERE & states.INVOICE_UNSENT
    assert not any(MOVES[states.RunStatus][end] for end in states.RunStatus if end not in states.RUN_LIVE)


def test_an_unknown_state_is_loud() -> None:
    with pytest.raises(KeyError):
        may_move(MappingState, "aproved", MappingState.IGNORED)
