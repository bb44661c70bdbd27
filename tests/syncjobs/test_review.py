"""``review``: what waits for a person, and the flag that decides in a person's place."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from syncjobs.models import AvidVendor, GLAccountMapping, Problem, StageSchedule, VendorMapping
from tenants.models import AuditEvent, Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def review(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = 0
        try:
            call_command("review", *arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def vendor(tenant: Tenant, number: int, **values: Any) -> VendorMapping:
    facts = {
        "company": "EPIC06",
        "vendor_code": f"V{number}",
        "name": f"Vendor {number}",
        "external_id": f"EPIC06|{number}|MAIN",
        "desired": "{}",
        "desired_hash": "h",
        "proposal": "create",
        **values,
    }
    return VendorMapping.objects.create(tenant=tenant, vendor_num=number, **facts)


def matched(tenant: Tenant, number: int, avid_id: str, *, score: int) -> VendorMapping:
    evidence = [{"avid_id": avid_id, "name": f"Over there {avid_id}", "score": score, "reasons": ["same tax id"]}]
    return vendor(tenant, number, proposal="match", score=score, evidence=evidence)


def problem(tenant: Tenant, key: str, code: str, amount: str | None, currency: str = "USD", **values: Any) -> Problem:
    return Problem.objects.create(
        tenant=tenant,
        stage="invoices_out",
        code=code,
        subject_kind="invoice",
        subject_key=key,
        message=f"{key} is held.",
        hint="Map the vendor.",
        amount=None if amount is None else Decimal(amount),
        currency=currency,
        last_seen_at=timezone.now(),
        **values,
    )


@pytest.fixture
def queue(north: Tenant, south: Tenant) -> None:
    """Two matches to the same vendor over there, one new vendor, one GL account, and what is not in the queue."""
    AvidVendor.objects.create(tenant=north, avid_id="501", name="Over there 501")
    matched(north, 104, "501", score=83)
    matched(north, 105, "501", score=70)
    vendor(north, 106)
    vendor(north, 107, active=False)
    vendor(north, 108, state="rejected")
    vendor(north, 109, desired_hash="")
    GLAccountMapping.objects.create(
        tenant=north,
        company="EPIC06",
        coa_code="MAIN",
        gl_account="5010|20|01",
        avid_account="5010-20-01",
        desired_hash="h",
        proposal="create",
    )
    vendor(south, 104)
    problem(north, "EPIC06|104|A", "vendor_not_mapped", "10.10")
    problem(north, "EPIC06|104|B", "vendor_not_mapped", "20.20")
    problem(north, "EPIC06|104|C", "vendor_not_mapped", "5", "EUR")
    problem(north, "EPIC06|104|D", "no_lines", None)
    problem(north, "EPIC06|104|E", "no_lines", "1.00", state="resolved")
    problem(south, "EPIC06|104|A", "vendor_not_mapped", "99.00")


def test_what_waits_is_listed_with_score_reasons_and_money(queue: None, review: Any) -> None:
    code, out, err = review("north", "--json")
    report = json.loads(out)
    assert (code, err) == (0, "")
    assert [(one["key"], one["proposal"], one["score"]) for one in report["mappings"]] == [
        ("EPIC06|104", "match", 83),
        ("EPIC06|105", "match", 70),
        ("EPIC06|106", "create", 0),
        ("EPIC06|MAIN|5010|20|01", "create", 0),
    ]
    assert report["mappings"][0] == {
        "kind": "vendor",
        "key": "EPIC06|104",
        "name": "V104 Vendor 104",
        "proposal": "match",
        "avidxchange": "Over there 501",
        "score": 83,
        "reasons": ["same tax id"],
    }
    assert report["problems"] == [
        {
            "code": "vendor_not_mapped",
            "turn": "finance",
            "count": 3,
            "amounts": {"EUR": "5.00", "USD": "30.30"},
            "example": "EPIC06|104|A is held.",
            "hint": "Map the vendor.",
        },
        {
            "code": "no_lines",
            "turn": "finance",
            "count": 1,
            "amounts": {},
            "example": "EPIC06|104|D is held.",
            "hint": "Map the vendor.",
        },
    ]
    assert VendorMapping.objects.filter(state="approved").count() == 0


def test_the_flag_approves_every_proposal_and_tells_of_conflicts(queue: None, review: Any, north: Tenant) -> None:
    StageSchedule.objects.update(next_due=timezone.now())
    code, out, _ = review("north", "--approve-all", "--json")
    report = json.loads(out)
    assert (code, report["approved"]) == (0, 3)
    assert [(one["key"], one["why"]) for one in report["refused"]] == [
        ("EPIC06|105", "That AvidXchange vendor already belongs to V104 Vendor 104.")
    ]
    assert [one["key"] for one in report["mappings"]] == ["EPIC06|105"]
    states = dict(VendorMapping.objects.filter(tenant=north).values_list("vendor_num", "state"))
    assert states == {
        104: "approved",
        105: "proposed",
        106: "approved",
        107: "proposed",
        108: "rejected",
        109: "proposed",
    }
    assert list(VendorMapping.objects.exclude(tenant=north).values_list("state", flat=True)) == ["proposed"]
    told = AuditEvent.objects.filter(tenant=north, action="mapping.approved")
    assert {(event.actor_name, event.subject_key) for event in told} == {
        ("review --approve-all", key) for key in ("EPIC06|104", "EPIC06|106", "EPIC06|MAIN|5010|20|01")
    }
    released = StageSchedule.objects.filter(next_due=None).values_list("tenant__slug", "stage")
    assert set(released) == {
        ("north", stage)
        for stage in ("vendors_out", "gl_codes_out", "purchase_orders_out", "invoices_out", "invoices_in")
    }


def test_a_person_reads_sentences(queue: None, review: Any) -> None:
    code, out, _ = review("north", "--approve-all")
    assert code == 0
    assert out.splitlines() == [
        "Approved: 3",
        "  not approved: EPIC06|105 V105 Vendor 105: That AvidXchange vendor already belongs to V104 Vendor 104.",
        "Mappings that wait for a decision: 1",
        "  EPIC06|105 V105 Vendor 105: = Over there 501, score 70 (same tax id)",
        "Open problems: 4",
        "  vendor_not_mapped: 3, 5.00 EUR, 30.30 USD at stake, turn: finance. For example: EPIC06|104|A is held.",
        "    Map the vendor.",
        "  no_lines: 1, turn: finance. For example: EPIC06|104|D is held.",
        "    Map the vendor.",
    ]


def test_a_tenant_that_is_not_there_exits_2(review: Any) -> None:
    assert review("nobody") == (2, "", "There is no tenant 'nobody'.\n")
