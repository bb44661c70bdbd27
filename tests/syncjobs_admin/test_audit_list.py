"""The audit trail as a list: found by invoice number, person, run and action, in words, where the company is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenants import audit
from tenants.audit import Actor
from tenants.models import AuditEvent, Role, Tenant

from .conftest import invoice

pytestmark = pytest.mark.django_db

LIST = "admin:tenants_auditevent_changelist"


def posted(tenant: Tenant) -> AuditEvent:
    invoice(tenant)
    return audit.record(
        tenant, "mapping.approved", actor=Actor("fay", 7), subject=("invoice", "EPIC06|104|INV-77"), run=4711
    )


@pytest.mark.parametrize("term", ["INV-77", "inv-77", "EPIC06|104|INV-77", "fay", "mapping.approved", "4711", "#4711"])
def test_a_row_is_found_by_what_an_auditor_knows(
    term: str, north: Tenant, south: Tenant, sign_in: Callable[..., Client]
) -> None:
    event, _foreign = posted(north), posted(south)
    client = sign_in("ann", (north, Role.AUDITOR))
    found: list[Any] = list(client.get(reverse(LIST), {"q": term}).context_data["cl"].result_list)
    assert found == [event]


def test_the_list_speaks_in_words_and_filters_by_subject(north: Tenant, sign_in: Callable[..., Client]) -> None:
    posted(north)
    client = sign_in("ann", (north, Role.AUDITOR))
    answer = client.get(reverse(LIST), {"subject": "invoice"})
    assert "Mapping approved" in answer.content.decode()
    assert {row.subject_kind for row in answer.context_data["cl"].result_list} == {"invoice"}
    zone = answer.context_data["cl"].result_list[0].at.astimezone(north.zone).tzname()
    assert f" {zone}</time>" in answer.content.decode()
