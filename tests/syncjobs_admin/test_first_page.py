"""The first page: whose work waits, how fresh what is, what failed; and what it says when there is nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from syncjobs.models import ConnectionHealth, StageSchedule
from tenants.models import Role, Tenant

from .conftest import invoice, problem, run, vendor
from .test_pages import text

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
HOME = "/admin/"


def test_a_new_site_says_how_to_begin(db: None, sign_in: SignIn) -> None:
    assert "Add a tenant" in text(sign_in("root", superuser=True), HOME)
    read = text(sign_in("new"), HOME)
    assert "You have no role with any tenant." in read
    assert "Add a tenant" not in read


def test_an_empty_tenant_says_what_comes_next(north: Tenant, sign_in: SignIn) -> None:
    read = text(sign_in("fay", (north, Role.FINANCE)), HOME)
    for words in (
        "Every vendor and account is decided.", "Nothing is held.", "AvidXchange has refused nothing.",
        "Both systems agree.", "Nothing runs at this moment.", "No stage's last run failed.", "None yet",
    ):  # fmt: skip
        assert words in read.replace("&#x27;", "'"), words


def test_money_and_counts_are_of_the_persons_tenants_only(north: Tenant, south: Tenant, sign_in: SignIn) -> None:
    vendor(north)
    vendor(south)
    problem(north, invoice(north), amount=Decimal("10.5"))
    problem(south, invoice(south), amount=Decimal(99))
    invoice(north, "INV-5", state="submitted", gross_amount=Decimal("77.7"))
    client = sign_in("fay", (north, Role.FINANCE))
    context = client.get(HOME).context_data
    assert [(queue.name, queue.count.number, dict(queue.amounts)) for queue, *_rest in context["queues"]] == [
        ("needs_mapping", 1, {}),
        ("held", 1, {"USD": Decimal("10.500")}),
        ("rejected", 0, {}),
        ("differences", 0, {}),
    ]
    assert context["flight"].in_approval == {"USD": Decimal("77.700")}
    assert [tenant.slug for tenant, _rows, _outages in context["freshness"]] == ["north"]
    assert "South" not in text(client, HOME)


def test_what_runs_what_is_late_and_what_failed(north: Tenant, sign_in: SignIn) -> None:
    long_ago = timezone.now() - timedelta(hours=3)
    run(north, "vendors_out", started_at=long_ago, ended_at=long_ago)
    run(north, "gl_codes_out", status="failed", error="Epicor did not let us in. Check the password.")
    run(north, "payments_in", status="running", started_at=timezone.now(), ended_at=None, progress="Page 2 of payments")
    client = sign_in("oli", (north, Role.OPERATOR))
    read = text(client, HOME)
    assert "Page 2 of payments" in read
    assert "Epicor did not let us in. Check the password." in read
    rows = client.get(HOME).context_data["freshness"][0][1]
    assert {row.schedule.stage for row in rows if row.late} == {"vendors_out"}


def test_the_sidebar_shows_what_the_role_allows(north: Tenant, sign_in: SignIn) -> None:
    def words(client: Client) -> list[str]:
        groups = client.get(HOME).context_data["sidebar_navigation"]
        return [item["title"] for group in groups for item in group["items"]]

    seen = words(sign_in("fay", (north, Role.FINANCE)))
    assert seen[:4] == ["Dashboard", "Vendor mappings", "GL account mappings", "Problems"]
    assert "People" not in seen
    assert words(sign_in("nobody")) == ["Dashboard"]
    assert words(sign_in("root", superuser=True))[-2:] == ["People", "Bells"]


def test_an_outage_is_told_with_what_waits_and_only_to_who_may_see_it(
    north: Tenant, south: Tenant, sign_in: SignIn
) -> None:
    moment = timezone.now()
    for tenant, reason in ((north, "The server refused the connection."), (south, "Not for your eyes.")):
        ConnectionHealth.objects.create(
            tenant=tenant, system="epicor", since=moment, until=moment + timedelta(minutes=30), trips=7, reason=reason
        )
    StageSchedule.objects.filter(tenant=north, stage="payments_in").update(enabled=False)
    read = text(sign_in("fay", (north, Role.FINANCE)), HOME).replace("&#x27;", "'")
    assert "Epicor has been unavailable since" in read
    assert "The server refused the connection." in read
    assert "These wait for it: Vendors to AvidXchange, GL codes to AvidXchange" in read
    assert "Payments to Epicor." not in read, "it is switched off"
    assert "They go on by themselves when it is back." in read
    assert "Not for your eyes." not in read
    assert "Try again now" not in read
