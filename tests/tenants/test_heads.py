"""A trail's end kept elsewhere: what stands in the file, and what it shows when the database was put back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError
from django.db import connection

from tenants import audit
from tenants.audit import Actor
from tenants.models import AuditEvent, AuditHead, Tenant
from tests.tenants.test_commands import run

pytestmark = pytest.mark.django_db


@pytest.fixture
def trail() -> Tenant:
    return Tenant.objects.create(slug="trail", name="Trail")


def write(tenant: Tenant, number: int, word: str = "a.b") -> None:
    for _ in range(number):
        audit.record(tenant, word, actor=Actor.system("tests"), subject=("x", "1"))


def put_back(tenant: Tenant, sequence: int) -> None:
    """Do what restoring an older backup does: rows and head as they were then."""
    kept = AuditEvent.objects.get(tenant=tenant, sequence=sequence)
    from tenants.chain import sign

    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM tenants_auditevent WHERE tenant_id = %s AND sequence > %s", [tenant.pk, sequence])
        cursor.execute("ALTER TABLE tenants_auditevent ENABLE TRIGGER USER")
    AuditHead.objects.filter(tenant=tenant).update(
        sequence=sequence, hash=kept.hash, signature=sign(tenant.pk, sequence, kept.hash)
    )


def test_a_head_says_what_it_is_and_is_still_held_after_more_events(trail: Tenant, tmp_path: Path) -> None:
    write(trail, 3)
    head = tmp_path / "head.json"
    code, text = run("verify_audit", "trail", "--head", str(head))
    document = json.loads(head.read_bytes())
    assert (code, document["sequence"], document["hash"]) == (0, 3, AuditEvent.objects.get(sequence=3).hash)
    assert document["public_key"] in text
    assert f"The signed head is in {head}." in text
    write(trail, 2)
    code, text = run("verify_audit", "trail", "--against", str(head))
    assert code == 0
    assert "trail: 5 audit events, none changed.\n" in text
    assert "the trail still holds the head of" in text
    assert ", event 3." in text


def test_a_database_put_back_is_seen_though_the_trail_is_whole_in_itself(trail: Tenant, tmp_path: Path) -> None:
    write(trail, 3)
    early = tmp_path / "early.json"
    run("verify_audit", "trail", "--head", str(early))
    write(trail, 4)
    late = tmp_path / "late.json"
    run("verify_audit", "trail", "--head", str(late))
    put_back(trail, 5)
    assert audit.verify(trail).ok, "nothing in the database itself shows it"
    code, text = run("verify_audit", "trail", "--against", str(late))
    assert code == 1
    assert "This trail is older than the head that was kept. It ends with event 5, and on " in text
    assert "it ended with event 7." in text
    assert "events 6 to 7 were removed" in text
    assert "After a restore this is as it should be" in text
    assert run("verify_audit", "trail", "--against", str(early))[0] == 0
    # It goes on, and is longer than ever: the kept head still shows it.
    write(trail, 6, "c.d")
    code, text = run("verify_audit", "trail", "--against", str(late))
    assert code == 1
    assert "Event 7 is not the one with which the trail ended on" in text
    assert run("verify_audit", "trail", "--against", str(early))[0] == 0


def test_a_trail_written_anew_by_somebody_with_the_keys_is_seen(trail: Tenant, tmp_path: Path) -> None:
    write(trail, 4)
    head = tmp_path / "head.json"
    run("verify_audit", "trail", "--head", str(head))
    put_back(trail, 2)
    write(trail, 2, "forged.thing")
    assert audit.verify(trail).ok
    assert run("verify_audit", "trail", "--against", str(head))[0] == 1


def test_no_head_is_written_of_a_trail_that_was_tampered_with_or_over_another(trail: Tenant, tmp_path: Path) -> None:
    write(trail, 3)
    head, other = tmp_path / "head.json", tmp_path / "other.json"
    run("verify_audit", "trail", "--head", str(head))
    with pytest.raises(CommandError, match="is there already and is not written over"):
        run("verify_audit", "trail", "--head", str(head))
    put_back(trail, 2)
    assert run("verify_audit", "trail", "--against", str(head), "--head", str(other))[0] == 1
    AuditHead.objects.update(sequence=1)
    assert run("verify_audit", "trail", "--head", str(other))[0] == 1
    assert not other.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace(b'"sequence": 2', b'"sequence": 1'), "it was altered after it was signed"),
        (lambda text: b"{}", "it is no head of an audit trail"),
        (lambda text: b"\xff", "it is no head of an audit trail"),
        (lambda text: text.replace(b'"format": 1', b'"format": 2'), "it has format 2"),
        (lambda text: text.replace(b'"signature": "', b'"signature": "zz'), "it was altered after it was signed"),
    ],
)
def test_a_file_that_is_no_head_is_refused(trail: Tenant, tmp_path: Path, change: Any, words: str) -> None:
    write(trail, 2)
    head = tmp_path / "head.json"
    run("verify_audit", "trail", "--head", str(head))
    head.write_bytes(change(head.read_bytes()))
    with pytest.raises(CommandError, match=words):
        run("verify_audit", "trail", "--against", str(head))


def test_the_head_of_another_tenant_and_a_missing_file_are_refused(trail: Tenant, tmp_path: Path) -> None:
    write(trail, 1)
    other = Tenant.objects.create(slug="other", name="Other")
    write(other, 1)
    head = tmp_path / "head.json"
    run("verify_audit", "other", "--head", str(head))
    with pytest.raises(CommandError, match=r"it is the head of other \(number \d+\), not of trail"):
        run("verify_audit", "trail", "--against", str(head))
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run("verify_audit", "trail", "--against", str(tmp_path / "none.json"))


def test_a_head_from_before_a_rotation_still_shows_what_it_shows(trail: Tenant, tmp_path: Path, settings: Any) -> None:
    write(trail, 3)
    head = tmp_path / "head.json"
    run("verify_audit", "trail", "--head", str(head))
    settings.FERNET_KEYS = [Fernet.generate_key().decode(), *settings.FERNET_KEYS]
    assert "does not have now" not in run("verify_audit", "trail", "--against", str(head))[1]
    run("rotate_keys")
    settings.FERNET_KEYS = settings.FERNET_KEYS[:1]
    code, text = run("verify_audit", "trail", "--against", str(head))
    assert (code, "is signed with a key that this site does not have now" in text) == (0, True)
    assert "the trail still holds the head of" in text


def test_an_empty_trail_has_a_head_too(trail: Tenant, tmp_path: Path) -> None:
    head = tmp_path / "head.json"
    assert run("verify_audit", "trail", "--head", str(head))[0] == 0
    write(trail, 1)
    assert run("verify_audit", "trail", "--against", str(head))[0] == 0
