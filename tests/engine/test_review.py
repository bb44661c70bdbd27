"""What a person decides about a mapping: once, with an audit row, and never against somebody else's decision."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from syncjobs.engine import review
from syncjobs.models import AvidVendor, GLAccountMapping, StageSchedule, VendorMapping
from tenants.audit import Actor
from tenants.models import AuditEvent, Tenant

ANN, BOB = Actor.system("ann"), Actor.system("bob")


def vendor(tenant: Tenant, number: int = 104, **values: Any) -> VendorMapping:
    facts = {"company": "EPIC06", "external_id": f"EPIC06|{number}|MAIN", "desired_hash": "h", "proposal": "create"}
    return VendorMapping.objects.create(tenant=tenant, vendor_num=number, **{**facts, **values})


def matched(tenant: Tenant, number: int, avid_id: str) -> VendorMapping:
    return vendor(tenant, number, proposal="match", score=83, evidence=[{"avid_id": avid_id, "name": "N", "score": 83}])


@pytest.fixture
def there(tenant: Tenant) -> None:
    for avid_id in ("501", "502"):
        AvidVendor.objects.create(tenant=tenant, avid_id=avid_id, name=f"Vendor {avid_id}")


@pytest.mark.django_db
def test_approving_takes_the_best_candidate_and_releases_what_waits(tenant: Tenant, other: Tenant, there: None) -> None:
    StageSchedule.objects.update(next_due=timezone.now())
    row = matched(tenant, 104, "501")
    assert review.approve(row, actor=ANN, reason="same address").done
    row.refresh_from_db()
    assert (row.state, row.avid_id, row.decided_by, row.decided_at is not None) == ("approved", "501", "ann", True)
    event = AuditEvent.objects.get(action="mapping.approved")
    assert (event.subject_kind, event.subject_key, event.reason) == ("vendor", "EPIC06|104", "same address")
    assert (event.before, event.after) == (
        {"state": "proposed", "avid_id": ""},
        {"state": "approved", "avid_id": "501"},
    )
    released = StageSchedule.objects.filter(next_due=None).values_list("tenant__slug", "stage")
    assert set(released) == {
        ("north", stage) for stage in ("vendors_out", "purchase_orders_out", "invoices_out", "invoices_in")
    }


@pytest.mark.django_db
def test_a_person_may_choose_another_or_a_new_one(tenant: Tenant, there: None) -> None:
    assert review.approve(matched(tenant, 104, "501"), actor=ANN, avid_id="502").mapping.avid_id == "502"
    assert review.approve(matched(tenant, 105, "501"), actor=ANN, avid_id="").mapping.avid_id == ""


@pytest.mark.django_db
def test_what_cannot_be_is_told_in_a_sentence_and_changes_nothing(tenant: Tenant, other: Tenant, there: None) -> None:
    review.approve(matched(tenant, 104, "501"), actor=ANN)
    taken = review.approve(matched(tenant, 105, "501"), actor=ANN)
    gone = review.approve(matched(tenant, 106, "999"), actor=ANN)
    theirs = review.approve(matched(other, 104, "501"), actor=ANN)  # another tenant's vendor of the same id
    again = review.approve(VendorMapping.objects.get(tenant=tenant, vendor_num=104), actor=ANN)
    assert [one.done for one in (taken, gone, theirs, again)] == [False] * 4
    assert "already belongs to" in taken.why_not
    assert gone.why_not == theirs.why_not == "AvidXchange no longer has that vendor."
    assert again.why_not.startswith(("It is approved already", "That AvidXchange vendor already"))
    assert VendorMapping.objects.filter(state="approved").count() == 1
    assert AuditEvent.objects.filter(action="mapping.approved").count() == 1


@pytest.mark.django_db
def test_a_decision_made_meanwhile_stands(tenant: Tenant, there: None) -> None:
    mine = matched(tenant, 104, "501")
    theirs = VendorMapping.objects.get()
    assert review.reject(theirs, actor=BOB, reason="a double").done
    late = review.approve(mine, actor=ANN)
    assert (late.done, late.why_not) == (False, "Somebody else has just decided it.")
    row = VendorMapping.objects.get()
    assert (row.state, row.decided_by, row.avid_id) == ("rejected", "bob", "")


@pytest.mark.django_db
def test_every_decision_can_be_taken_back_and_made_anew(tenant: Tenant) -> None:
    row = vendor(tenant)
    moves = [review.approve, review.take_back, review.reject, review.take_back, review.ignore, review.take_back]
    for decide in moves:
        assert decide(row, actor=ANN, reason="changed my mind").done
        row.refresh_from_db()
    assert (row.state, AuditEvent.objects.filter(subject_key="EPIC06|104").count()) == ("proposed", 6)


@pytest.mark.django_db
def test_an_account_is_decided_likewise(tenant: Tenant) -> None:
    StageSchedule.objects.update(next_due=timezone.now())
    facts = {"company": "EPIC06", "coa_code": "MAIN", "avid_account": "01-20-5010", "desired_hash": "h"}
    row = GLAccountMapping.objects.create(tenant=tenant, gl_account="5010|20|01", proposal="create", **facts)
    assert [one.pk for one in review.waiting(tenant)] == [row.pk]
    assert review.approve(row, actor=ANN).done
    assert list(review.waiting(tenant)) == []
    assert AuditEvent.objects.get(action="mapping.approved").subject_key == "EPIC06|MAIN|5010|20|01"
    assert set(StageSchedule.objects.filter(next_due=None).values_list("stage", flat=True)) == {
        "gl_codes_out",
        "invoices_out",
        "invoices_in",
    }


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_give_one_vendor_away_one_succeeds(tenant: Tenant, there: None) -> None:
    rows = [matched(tenant, number, "501") for number in (104, 105)]
    barrier, done = threading.Barrier(2), []

    def person(row: VendorMapping) -> None:
        barrier.wait()
        done.append(review.approve(row, actor=ANN))
        connection.close()

    threads = [threading.Thread(target=person, args=(row,)) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.done for one in done) == [False, True]
    assert list(VendorMapping.objects.exclude(avid_id="").values_list("avid_id", "state")) == [("501", "approved")]
    assert AuditEvent.objects.filter(action="mapping.approved").count() == 1
