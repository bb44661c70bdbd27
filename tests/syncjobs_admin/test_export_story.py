"""One invoice's story as a file, from its page and by command: whose rows it holds, and who gets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from syncjobs import story_file, views
from tenants import audit
from tenants.models import AuditHead, Role, Tenant

from .conftest import TESTER, world

pytestmark = pytest.mark.django_db

CANARY = "canary-7f3a"
OWN = [
    ("invoice", "EPIC06|104|INV-77"),
    ("payment", "500001"),
    ("ap_payment", "500001"),
]
OTHERS = [("invoice", "EPIC06|104|INV-78"), ("invoice", "EPIC06|104|C-12"), ("payment", "500002"), ("run", "1")]


def told(tenant: Tenant) -> Any:
    """One of everything, with an audit row about each of it."""
    rows = world(tenant)
    for kind, key in [*OWN, *OTHERS]:
        audit.record(tenant, "a.b", actor=TESTER, subject=(kind, key), after={"of": tenant.slug, "password": CANARY})
    return rows


def kinds(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["subject_kind"], event["subject_key"]) for event in document["events"]]


def test_the_page_offers_the_file_and_it_holds_this_invoices_rows_only(
    north: Tenant, south: Tenant, sign_in: Callable[..., Client]
) -> None:
    invoice = told(north).outgoing
    told(south)
    client = sign_in("ann", (north, Role.AUDITOR))
    page = client.get(reverse("admin:syncjobs_invoicelink_change", args=[invoice.pk])).content.decode()
    address = reverse("syncjobs:story", args=[invoice.pk])
    assert f'href="{address}">Export its story</a>' in page
    answer = client.get(address)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="story-north-104-INV-77.json"'
    document = json.loads(answer.content)
    assert kinds(document) == OWN
    assert {event["after"]["of"] for event in document["events"]} == {"north"}
    assert (document["about"]["invoice"], document["about"]["amount"]) == ("INV-77", "1234.50")
    assert CANARY not in answer.content.decode()


def test_a_captured_invoice_is_told_of_from_before_its_vendor_was_known(north: Tenant) -> None:
    invoice = told(north).incoming
    audit.record(north, "a.b", actor=TESTER, subject=("invoice", "EPIC06|AvidXchange 880012"))
    audit.record(north, "a.b", actor=TESTER, subject=("ap_invoice", "EPIC06|104|C-12"))
    assert kinds(story_file.document(invoice)) == [
        ("invoice", "EPIC06|104|C-12"),
        ("invoice", "EPIC06|AvidXchange 880012"),
        ("ap_invoice", "EPIC06|104|C-12"),
    ]


def test_nobody_gets_the_story_of_another_tenants_invoice(
    north: Tenant, south: Tenant, sign_in: Callable[..., Client]
) -> None:
    theirs = told(south).outgoing
    client = sign_in("ann", (north, Role.ADMINISTRATOR))
    assert client.get(reverse("syncjobs:story", args=[theirs.pk])).status_code == 404
    assert Client().get(reverse("syncjobs:story", args=[theirs.pk])).status_code == 302


def test_a_trail_that_cannot_be_proven_is_said_so_on_the_page(north: Tenant, sign_in: Callable[..., Client]) -> None:
    invoice = told(north).outgoing
    AuditHead.objects.filter(tenant=north).update(sequence=10_000)
    client = sign_in("ann", (north, Role.AUDITOR))
    answer = client.get(reverse("syncjobs:story", args=[invoice.pk]), follow=True)
    assert "The story was not exported, because it cannot be proven." in answer.content.decode()


def test_a_very_long_trail_is_left_to_the_command(
    north: Tenant, sign_in: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = told(north).outgoing
    monkeypatch.setattr(views, "MOST_EVENTS", 5)
    client = sign_in("ann", (north, Role.AUDITOR))
    answer = client.get(reverse("syncjobs:story", args=[invoice.pk]), follow=True)
    assert "Ask IT to run: manage.py export_story north 104 INV-77 FILE" in answer.content.decode()


# --- the command --------------------------------------------------------------------------------------------------


def export(*words: object) -> str:
    out = StringIO()
    call_command("export_story", *map(str, words), stdout=out)
    return out.getvalue()


def test_the_command_writes_a_new_file_and_says_how_to_check_it(north: Tenant, tmp_path: Path) -> None:
    told(north)
    head, file = tmp_path / "head.json", tmp_path / "story.json"
    call_command("verify_audit", "north", head=head, stdout=StringIO())
    said = export("north", 104, "INV-77", file, "--against", head)
    assert said.startswith(f"{file}: 3 events of invoice INV-77, signed with the key whose public part is ")
    assert said.endswith(f"Check it with: bin/verify_story {file}\n")
    assert kinds(json.loads(file.read_bytes())) == OWN
    with pytest.raises(CommandError, match="is not written over"):
        export("north", 104, "INV-77", file)


def test_the_command_says_what_is_wrong(north: Tenant, south: Tenant, tmp_path: Path) -> None:
    told(north)
    with pytest.raises(CommandError, match="north has no invoice INV-1 of vendor number 104"):
        export("north", 104, "INV-1", tmp_path / "a.json")
    with pytest.raises(CommandError, match="south has no invoice INV-77 of vendor number 104"):
        export("south", 104, "INV-77", tmp_path / "b.json")
    AuditHead.objects.filter(tenant=north).update(hash="0" * 64)
    with pytest.raises(CommandError, match="The audit trail is not as it was written"):
        export("north", 104, "INV-77", tmp_path / "c.json")
    assert list(tmp_path.iterdir()) == []
