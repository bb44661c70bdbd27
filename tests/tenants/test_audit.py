"""The audit trail: what is written, that nothing changes it, and that whoever does anyway is found out."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, connection, transaction

from tenants import audit
from tenants.audit import Actor, Entry
from tenants.models import AuditEvent, AuditHead, Tenant
from tenants.models.audit import AppendOnly

pytestmark = pytest.mark.django_db


@pytest.fixture
def tenant() -> Tenant:
    return Tenant.objects.create(slug="trail", name="Trail")


@pytest.fixture
def trail(tenant: Tenant, actor: Actor) -> Tenant:
    """Ten rows, written both ways."""
    audit.record(tenant, "first.thing", actor=actor, subject=("thing", "0"), after={"total": Decimal("1.10")})
    with transaction.atomic():
        entries = (
            Entry(action="many.things", subject=("thing", str(n)), before={"n": n}, after={"n": n + 1, "a": "é"})
            for n in range(1, 10)
        )
        assert audit.record_many(tenant, entries, actor=actor, run=7) == 9
    return tenant


def sql(statement: str, *params: Any) -> None:
    """Change the trail as somebody would who owns the table: triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # foreign keys wait for the commit and would be in the way
        cursor.execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER USER")
        cursor.execute(statement, params)
        cursor.execute("ALTER TABLE tenants_auditevent ENABLE TRIGGER USER")


def faults(tenant: Tenant) -> list[tuple[int, str]]:
    return [(fault.sequence, fault.kind) for fault in audit.verify(tenant).faults]


# --- what is written ----------------------------------------------------------------------------------------------


def test_a_row_tells_who_did_what_to_what_when_and_why(tenant: Tenant) -> None:
    ann = User.objects.create_user("ann")
    run = UUID("12345678-1234-5678-1234-567812345678")
    event = audit.record(
        tenant,
        "vendor_mapping.approved",
        actor=Actor.for_user(ann),
        subject=("vendor_mapping", "EPIC06|104"),
        before={"state": "proposed", "score": 94.5},
        after={"state": "approved", "day": date(2026, 3, 3), "amount": Decimal("10.00"), "big": 2**60},
        run=run,
        reason="same company",
    )
    stored = AuditEvent.objects.get(pk=event.pk)
    assert (stored.sequence, stored.actor_id, stored.actor_name) == (1, ann.pk, "ann")
    assert (stored.action, stored.subject_kind, stored.subject_key) == (
        "vendor_mapping.approved",
        "vendor_mapping",
        "EPIC06|104",
    )
    assert stored.before == {"state": "proposed", "score": "94.5"}
    assert stored.after == {"state": "approved", "day": "2026-03-03", "amount": "10.00", "big": str(2**60)}
    assert (stored.run, stored.reason, stored.prev_hash) == (str(run), "same company", "")
    assert audit.verify(tenant).ok


def test_a_person_deleted_later_leaves_the_row_alone(tenant: Tenant) -> None:
    ann = User.objects.create_user("ann")
    audit.record(tenant, "a.b", actor=Actor.for_user(ann), subject=("x", "1"))
    ann.delete()
    assert AuditEvent.objects.get().actor_name == "ann"
    assert audit.verify(tenant).ok


def test_nobody_is_no_actor() -> None:
    with pytest.raises(ValueError, match="logged in"):
        Actor.for_user(AnonymousUser())


def test_secrets_are_masked_before_they_are_written(tenant: Tenant, actor: Actor, canary: str) -> None:
    audit.record(
        tenant,
        "a.b",
        actor=actor,
        subject=("x", "1"),
        before={"password": canary, "nested": [{"apiKey": canary}]},
        after={"text": f"Authorization: Bearer {canary}", "card": "4111 1111 1111 1111"},
        reason=f"password={canary}",
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(e)::text FROM tenants_auditevent e")
        (row,) = cursor.fetchone()
    assert canary not in row
    assert "1111 1111" not in row


def test_text_that_postgresql_cannot_hold_is_written_all_the_same(tenant: Tenant, actor: Actor) -> None:
    audit.record(tenant, "a.b", actor=actor, subject=("x", "a\x00b"), after={"k\x00": "\ud800"}, reason="\x00")
    with transaction.atomic():
        entry = Entry(action="a.b", subject=("x", "tab\tline\n\\"), after={"a": "\\N"}, reason="\\.")
        audit.record_many(tenant, [entry], actor=actor, run=None)
    assert AuditEvent.objects.get(sequence=2).subject_key == "tab\tline\n\\"
    assert audit.verify(tenant).ok


def test_tenants_have_trails_of_their_own(tenant: Tenant, actor: Actor) -> None:
    other = Tenant.objects.create(slug="other", name="Other")
    for one in (tenant, other, tenant):
        audit.record(one, "a.b", actor=actor, subject=("x", "1"))
    assert list(AuditEvent.objects.order_by("pk").values_list("tenant__slug", "sequence")) == [
        ("trail", 1),
        ("other", 1),
        ("trail", 2),
    ]
    assert audit.verify(tenant).events == 2
    assert audit.verify(other).ok


def test_many_rows_are_part_of_the_callers_transaction(trail: Tenant, actor: Actor) -> None:
    with transaction.atomic():
        audit.record_many(trail, [Entry(action="a.b", subject=("x", "1"))], actor=actor, run=1)
        transaction.set_rollback(True)
    verdict = audit.verify(trail)
    assert (verdict.events, verdict.ok) == (10, True)


@pytest.mark.django_db(transaction=True)
def test_many_rows_outside_a_transaction_are_refused(tenant: Tenant, actor: Actor) -> None:
    with pytest.raises(transaction.TransactionManagementError, match="belongs into the transaction"):
        audit.record_many(tenant, [Entry(action="a.b", subject=("x", "1"))], actor=actor, run=1)
    assert audit.record_many.__doc__ is not None
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_two_writers_at_once_make_one_chain(tenant: Tenant, actor: Actor) -> None:
    """Both begin while the trail has no head yet."""
    together = Barrier(2)

    def write(name: str) -> None:
        together.wait(timeout=10)
        for _ in range(20):
            with transaction.atomic():
                entries = [Entry(action="a.b", subject=("x", f"{name}{n}")) for n in range(5)]
                audit.record_many(tenant, entries, actor=actor, run=1)
        connection.close()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write, name) for name in "ab"]:
            done.result(timeout=60)
    verdict = audit.verify(tenant)
    assert (verdict.events, verdict.faults) == (200, [])


def test_no_rows_take_no_lock(tenant: Tenant, actor: Actor) -> None:
    with transaction.atomic():
        assert audit.record_many(tenant, [], actor=actor, run=1) == 0
    assert not AuditHead.objects.exists()


def test_a_page_of_rows_costs_a_handful_of_statements(
    tenant: Tenant, actor: Actor, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    entries = (Entry(action="a.b", subject=("x", str(n)), after={"n": n}) for n in range(6000))
    with transaction.atomic(), django_assert_max_num_queries(8):
        assert audit.record_many(tenant, entries, actor=actor, run=1) == 6000
    assert audit.verify(tenant).ok


# --- append-only --------------------------------------------------------------------------------------------------


def test_python_cannot_change_or_delete_a_row(trail: Tenant) -> None:
    event = AuditEvent.objects.first()
    assert event is not None
    event.reason = "other"
    for change in (
        event.save,
        event.delete,
        AuditEvent.objects.all().delete,
        lambda: AuditEvent.objects.update(reason="other"),
        lambda: AuditEvent.objects.bulk_update([event], ["reason"]),
        lambda: AuditEvent.objects.update_or_create(pk=event.pk, defaults={"reason": "other"}),
        lambda: AuditEvent._base_manager.filter(pk=event.pk).update(reason="other"),
        lambda: AuditEvent._base_manager.all().delete(),
    ):
        with pytest.raises((AppendOnly, IntegrityError)), transaction.atomic():
            change()
    assert audit.verify(trail).ok


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE tenants_auditevent SET reason = 'other'",
        "DELETE FROM tenants_auditevent",
        "TRUNCATE tenants_auditevent",
        "TRUNCATE tenants_tenant CASCADE",
    ],
)
def test_the_database_refuses_too(trail: Tenant, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # as in sql()
        with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
            cursor.execute(statement)
    assert audit.verify(trail).events == 10


def test_a_tenant_with_a_trail_is_never_deleted(trail: Tenant) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        trail.delete()
    assert Tenant.objects.filter(pk=trail.pk).exists()


# --- tampering ----------------------------------------------------------------------------------------------------


def test_an_untouched_trail_is_fine(trail: Tenant) -> None:
    verdict = audit.verify(trail)
    assert (verdict.ok, verdict.events, verdict.faults) == (True, 10, [])
    assert verdict.last_hash == AuditEvent.objects.get(sequence=10).hash


def test_an_empty_trail_is_fine(tenant: Tenant) -> None:
    assert audit.verify(tenant).ok


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "2020-01-01T00:00:00Z"),
        ("actor_id", 99),
        ("actor_name", "mallory"),
        ("action", "other.thing"),
        ("subject_kind", "other"),
        ("subject_key", "99"),
        ("run", "8"),
        ("before", '{"n": 99}'),
        ("after", None),
        ("reason", "because"),
        ("hash", "0" * 64),
    ],
)
def test_an_edit_is_found_in_every_column(trail: Tenant, column: str, value: object) -> None:
    sql(f"UPDATE tenants_auditevent SET {column} = %s WHERE sequence = 5", value)  # noqa: S608
    assert (5, "changed") in faults(trail)


def test_a_row_moved_to_another_tenant_is_found(trail: Tenant, actor: Actor) -> None:
    other = Tenant.objects.create(slug="other", name="Other")
    sql("UPDATE tenants_auditevent SET tenant_id = %s WHERE sequence = 1", other.pk)
    assert (2, "missing") in faults(trail)
    assert (1, "changed") in faults(other)


def test_a_deletion_is_found(trail: Tenant) -> None:
    sql("DELETE FROM tenants_auditevent WHERE sequence IN (4, 5)")
    verdict = audit.verify(trail)
    assert [(f.sequence, f.kind, f.detail) for f in verdict.faults] == [(6, "missing", "rows 4 to 5 are gone")]


def test_a_deletion_from_the_beginning_is_found(trail: Tenant) -> None:
    sql("DELETE FROM tenants_auditevent WHERE sequence = 1")
    assert faults(trail) == [(2, "missing")]


def test_a_deletion_closed_by_renumbering_is_found(trail: Tenant) -> None:
    sql("DELETE FROM tenants_auditevent WHERE sequence = 5")
    for sequence in range(6, 11):
        sql("UPDATE tenants_auditevent SET sequence = sequence - 1 WHERE sequence = %s", sequence)
    assert {(5, "changed"), (5, "inserted"), (10, "cut")} <= set(faults(trail))


def test_an_insertion_is_found(trail: Tenant) -> None:
    columns = "tenant_id, at, actor_name, action, subject_kind, subject_key, run, reason, prev_hash, hash"
    copied = f"INSERT INTO tenants_auditevent (sequence, {columns}) SELECT %s, {columns} FROM tenants_auditevent"  # noqa: S608
    sql(f"{copied} WHERE sequence = 3", 11)
    sql(f"{copied} WHERE sequence = 3", 0)
    found = faults(trail)
    assert {(0, "inserted"), (11, "inserted"), (11, "changed")} <= set(found)


def test_another_order_is_found(trail: Tenant) -> None:
    for old, new in ((3, 99), (4, 3), (99, 4)):
        sql("UPDATE tenants_auditevent SET sequence = %s WHERE sequence = %s", new, old)
    assert {(3, "changed"), (4, "changed")} <= set(faults(trail))


def test_a_cut_end_is_found(trail: Tenant) -> None:
    sql("DELETE FROM tenants_auditevent WHERE sequence > 7")
    assert faults(trail) == [(10, "cut")]


def test_a_cut_end_is_found_though_the_head_was_moved_back_too(trail: Tenant) -> None:
    last = AuditEvent.objects.get(sequence=7)
    sql("DELETE FROM tenants_auditevent WHERE sequence > 7")
    AuditHead.objects.update(sequence=7, hash=last.hash)
    assert faults(trail) == [(7, "head")]


def test_a_trail_written_anew_from_an_edit_on_is_found(trail: Tenant) -> None:
    """Somebody who knows the hash, but not the key, can make every row fit; the signature does not."""
    from tenants.chain import event_hash

    events = list(AuditEvent.objects.order_by("sequence"))
    events[4].actor_name = "mallory"
    last = events[3].hash
    for event in events[4:]:
        content = (
            event.sequence, round(event.at.timestamp() * 1_000_000), event.actor_id, event.actor_name, event.action,
            event.subject_kind, event.subject_key, event.run, event.before, event.after, event.reason,
        )  # fmt: skip
        prev, last = last, event_hash(trail.pk, content, last)
        sql(
            "UPDATE tenants_auditevent SET actor_name = %s, prev_hash = %s, hash = %s WHERE id = %s",
            event.actor_name, prev, last, event.pk,
        )  # fmt: skip
    assert faults(trail) == [(10, "changed")]
    AuditHead.objects.update(hash=last)
    assert faults(trail) == [(10, "head")]


def test_a_missing_head_is_found(trail: Tenant) -> None:
    AuditHead.objects.all().delete()
    assert faults(trail) == [(10, "head")]


def test_writing_on_does_not_sign_what_was_tampered_with(trail: Tenant, actor: Actor) -> None:
    last = AuditEvent.objects.get(sequence=7)
    sql("DELETE FROM tenants_auditevent WHERE sequence > 7")
    AuditHead.objects.update(sequence=7, hash=last.hash)
    for _ in range(2):
        audit.record(trail, "a.b", actor=actor, subject=("x", "1"))
    assert faults(trail) == [(9, "head")]


def test_a_trail_whose_head_is_gone_is_written_on_and_stays_marked(trail: Tenant, actor: Actor) -> None:
    AuditHead.objects.all().delete()
    audit.record(trail, "a.b", actor=actor, subject=("x", "1"))
    assert faults(trail) == [(11, "head")]


def test_a_trail_deleted_whole_is_found(trail: Tenant) -> None:
    sql("DELETE FROM tenants_auditevent")
    assert faults(trail) == [(10, "cut")]


def test_faults_are_counted_whole_and_kept_in_part(tenant: Tenant, actor: Actor) -> None:
    with transaction.atomic():
        entries = [Entry(action="a.b", subject=("x", str(n))) for n in range(250)]
        audit.record_many(tenant, entries, actor=actor, run=1)
    sql("UPDATE tenants_auditevent SET reason = 'x'")
    verdict = audit.verify(tenant)
    assert (verdict.fault_count, len(verdict.faults)) == (250, 100)


def test_a_trail_signed_with_an_older_key_is_fine(trail: Tenant, settings: Any) -> None:
    old = settings.FERNET_KEYS[0]
    new = "A" * 43 + "="
    settings.FERNET_KEYS = [new, old]
    assert audit.verify(trail).ok
    settings.FERNET_KEYS = [new]
    assert faults(trail) == [(10, "head")]
