"""What needs a person: opened once, told again, closed by itself; and what a person ignores stays ignored."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from connector.translate.codebook import Hold
from syncjobs.engine import problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.outbox import tally, wanted
from syncjobs.engine.problems import Finding
from syncjobs.engine.storing import store_page
from syncjobs.models import Problem, VendorMapping
from tenants.models import Tenant
from tests.engine.conftest import Open

pytestmark = pytest.mark.django_db
MISSING = Finding(code="missing", message="The city is empty.", hint="Fill it in.", field="City")


def tell(ctx: StageContext, found: dict[str, Finding | None], **options: Any) -> None:
    with ctx.commit():
        problems.report_page(ctx, "vendor", found, **options)


def state_of(key: str) -> list[tuple[str, str, int]]:
    return list(Problem.objects.filter(subject_key=key).order_by("pk").values_list("code", "state", "times"))


def test_a_finding_is_one_open_row_however_often_it_is_seen(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    stake: dict[str, Any] = {"amount": Decimal("12.50"), "currency": "USD", "due_date": date(2026, 12, 1)}
    money = Finding(code="missing", message="The city is empty.", **stake)
    tell(ctx, {"a": money})
    tell(ctx, {"a": money})  # twice in one run counts once
    assert state_of("a") == [("missing", "open", 1)]
    assert Problem.objects.values("amount", "currency", "due_date").get() == stake
    tell(open_run(tenant), {"a": Finding(code="missing", message="The city is still empty.")})
    assert state_of("a") == [("missing", "open", 2)]
    row = Problem.objects.get()
    assert (row.message, row.amount, row.stage) == ("The city is still empty.", None, "vendors_out")


def test_what_is_no_longer_found_is_resolved_and_may_come_again(tenant: Tenant, open_run: Open) -> None:
    tell(open_run(tenant), {"a": MISSING, "b": MISSING})
    tell(open_run(tenant), {"a": None})
    assert (state_of("a"), state_of("b")) == ([("missing", "resolved", 1)], [("missing", "open", 1)])
    row = Problem.objects.get(subject_key="a")
    assert (row.resolved_by, row.resolved_at is not None) == ("ml-connector", True)
    tell(open_run(tenant), {"a": MISSING})
    assert state_of("a") == [("missing", "resolved", 1), ("missing", "open", 1)]


def test_another_finding_about_a_subject_ends_the_first(tenant: Tenant, open_run: Open) -> None:
    tell(open_run(tenant), {"a": MISSING})
    tell(open_run(tenant), {"a": Finding(code="too_long", message="The name is too long.")})
    assert state_of("a") == [("missing", "resolved", 1), ("too_long", "open", 1)]


def test_a_teller_who_knows_some_codes_only_leaves_the_others_alone(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    with ctx.commit():
        problems.report(ctx, "vendor", "a", MISSING)
        problems.report(ctx, "vendor", "a", Finding(code="rejected", message="No."))
    tell(ctx, {"a": None}, codes=("rejected",))
    assert state_of("a") == [("missing", "open", 1), ("rejected", "resolved", 1)]


def test_what_a_person_ignores_stays_ignored_until_its_words_change(tenant: Tenant, open_run: Open) -> None:
    """Field lesson 23."""
    tell(open_run(tenant), {"a": MISSING})
    Problem.objects.update(state="ignored")
    tell(open_run(tenant), {"a": MISSING})
    assert [state for _, state, _ in state_of("a")] == ["ignored"]
    tell(open_run(tenant), {"a": Finding(code="missing", message="The state is empty.")})
    assert [state for _, state, _ in state_of("a")] == ["ignored", "open"]


def test_tenants_kinds_and_keys_keep_apart(tenant: Tenant, other: Tenant, open_run: Open) -> None:
    for one in (tenant, other):
        tell(open_run(one), {"a": MISSING})
    ctx = open_run(tenant)
    with ctx.commit():
        problems.report(ctx, "invoice", "a", MISSING)
    tell(ctx, {"a": None})
    left = Problem.objects.filter(state="open").values_list("tenant__slug", "subject_kind")
    assert sorted(left) == [("north", "invoice"), ("south", "vendor")]


def test_turns(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    tell(
        ctx,
        {
            "a": MISSING,
            "b": Finding(code="bad_row", message="Unreadable."),
            "c": Finding(code="po_not_approved", message="Not approved."),
        },
    )
    with ctx.commit():
        problems.report_run(ctx, code="login_refused", message="The login was refused.", hint="Check it.")
    turns = dict(Problem.objects.values_list("subject_key", "turn"))
    assert turns == {"a": "finance", "b": "operator", "c": "purchasing", "vendors_out": "implementer"}


def test_a_page_of_findings_is_a_handful_of_queries(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    found = []
    for size in (2, 200):
        with CaptureQueriesContext(connection) as made:
            tell(ctx, {f"{size}-{number}": MISSING for number in range(size)})
        found.append(len(made))
    assert found[0] == found[1]


def test_a_rolled_back_page_tells_nothing(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)

    def fail() -> None:
        with ctx.commit():
            problems.report_page(ctx, "vendor", {"a": MISSING})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not Problem.objects.exists()


# --- pages of outgoing records -------------------------------------------------------------------------------------


def row(ctx: StageContext, number: int, content: str = "1", hold: Hold | None = None) -> dict[str, Any]:
    columns = wanted(hold) if hold else {"desired": "{}", "desired_hash": content, "hold_code": "", "hold_message": ""}
    return {
        "tenant_id": ctx.tenant.pk,
        "company": "EPIC06",
        "vendor_num": number,
        "external_id": f"EPIC06|{number}|MAIN",
        **columns,
        "seen_run": ctx.run.pk,
        "outcome": "",
        "_hold": Finding.of(hold) if hold else None,
    }


def store(ctx: StageContext, *rows: dict[str, Any]) -> None:
    with ctx.commit():
        store_page(
            ctx,
            VendorMapping,
            list(rows),
            subject_kind="vendor",
            key=("company", "vendor_num"),
            changed=("desired_hash", "hold_code"),
        )


HOLD = Hold("missing", "The city is empty.", "City", "Fill it in.")


def test_a_page_is_merged_counted_and_told(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    store(ctx, row(ctx, 101), row(ctx, 102, hold=HOLD))
    assert (ctx.counts, state_of("EPIC06|102")) == ({"read": 0, "unchanged": 0}, [("missing", "open", 1)])
    VendorMapping.objects.filter(vendor_num=101).update(sent_hash="1")
    ctx = open_run(tenant)
    store(ctx, row(ctx, 101), row(ctx, 102, hold=HOLD))
    assert ctx.counts == {"read": 1, "unchanged": 1}  # what waits is counted by what becomes of it
    tally(ctx, VendorMapping, {})
    assert ctx.counts == {"read": 2, "unchanged": 2}
    store(ctx, row(ctx, 102))
    assert state_of("EPIC06|102") == [("missing", "resolved", 2)]


def test_a_standing_refusal_is_not_closed_by_reading_the_record_again(tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    store(ctx, row(ctx, 101))
    VendorMapping.objects.update(refused_hash="1")
    with ctx.commit():
        problems.report(ctx, "vendor", "EPIC06|101", Finding(code="refused", message="No."))
    for content in ("1", "2"):  # unchanged, and changed but not accepted yet
        ctx = open_run(tenant)
        store(ctx, row(ctx, 101, content))
        assert state_of("EPIC06|101") == [("refused", "open", 1)]
    VendorMapping.objects.update(sent_hash="2")
    store(ctx, row(ctx, 101, "2"))
    assert state_of("EPIC06|101") == [("refused", "resolved", 1)]


@pytest.mark.parametrize("decision", ["ignored", "rejected"])
def test_what_a_person_left_out_is_no_problem(decision: str, tenant: Tenant, open_run: Open) -> None:
    ctx = open_run(tenant)
    store(ctx, row(ctx, 101, hold=HOLD))
    VendorMapping.objects.update(state=decision)
    store(ctx, row(ctx, 101, hold=HOLD))
    assert state_of("EPIC06|101") == [("missing", "resolved", 1)]
