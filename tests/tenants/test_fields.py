"""Secrets at rest: never in plain text in the database or on an instance, and not lost by any way of saving."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core import serializers
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.db import connection

from tenants.fields import Sealed
from tenants.models import EpicorConnection, Tenant


def raw(name: str, pk: int) -> bytes | None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM tenants_epicorconnection WHERE id = %s", [pk])  # noqa: S608
        value = cursor.fetchone()[0]
    return None if value is None else bytes(value)


def test_a_secret_is_ciphertext_in_the_database_and_sealed_on_the_instance(north: Tenant, canary: str) -> None:
    stored = EpicorConnection.objects.get(tenant=north)
    assert canary.encode() not in (raw("password", stored.pk) or b"")
    assert isinstance(stored.password, Sealed)
    assert (repr(stored.password), str(stored.password), f"{stored.password}") == ("<set>", "<set>", "<set>")
    assert stored.password.reveal() == f"{canary}-password-north"
    assert canary not in str(vars(stored))
    assert stored.client_secret is None


def test_assigned_text_is_sealed_at_once() -> None:
    unsaved = EpicorConnection(password="plain")
    assert isinstance(unsaved.password, Sealed)
    unsaved.api_key = "key"
    assert unsaved.api_key.reveal() == "key"
    unsaved.api_key = ""
    assert unsaved.api_key is None


def test_bulk_update_stores_the_secret_and_not_the_expression(north: Tenant, south: Tenant) -> None:
    """The wrapped library stores an encrypted CASE expression here (dependencies.md)."""
    one, two = EpicorConnection.objects.order_by("pk")
    one.password, two.password = "first", None
    two.api_key = "second"
    EpicorConnection.objects.bulk_update([one, two], ["password", "api_key"])
    again = list(EpicorConnection.objects.order_by("pk"))
    assert [c.password.reveal() if c.password else None for c in again] == ["first", None]
    assert again[1].api_key.reveal() == "second"
    assert again[0].api_key.reveal() == "canary-7f3a-api-key-north"


def test_update_and_bulk_create_store_the_secret(north: Tenant, south: Tenant) -> None:
    EpicorConnection.objects.filter(tenant=north).update(password="by update")
    assert EpicorConnection.objects.get(tenant=north).password.reveal() == "by update"
    EpicorConnection.objects.filter(tenant=south).delete()
    EpicorConnection.objects.bulk_create([EpicorConnection(tenant=south, company="C", instance="I", password="bulk")])
    assert EpicorConnection.objects.get(tenant=south).password.reveal() == "bulk"


def test_saving_again_does_not_rewrite_the_ciphertext(north: Tenant) -> None:
    stored = EpicorConnection.objects.get(tenant=north)
    before = raw("password", stored.pk)
    stored.plant = "MfgSys"
    stored.save()
    assert raw("password", stored.pk) == before


def test_a_row_is_read_without_its_key_and_says_what_to_do_when_it_is_needed(north: Tenant, settings: Any) -> None:
    settings.FERNET_KEYS = [Fernet.generate_key().decode()]
    stored = EpicorConnection.objects.get(tenant=north)
    with pytest.raises(ImproperlyConfigured, match="opens with none of the keys in FERNET_KEYS"):
        stored.password.reveal()
    assert stored.password.holds("anything") is False


def test_a_changed_list_of_keys_is_seen_at_once(north: Tenant, settings: Any, canary: str) -> None:
    old, new = settings.FERNET_KEYS[0], Fernet.generate_key().decode()
    settings.FERNET_KEYS = [new, old]
    sealed = EpicorConnection.objects.get(tenant=north).password
    assert sealed.is_current() is False
    anew = sealed.sealed_anew()
    assert anew.is_current() is True
    settings.FERNET_KEYS = [new]
    assert anew.reveal() == f"{canary}-password-north"
    assert anew.is_current() is False, "the old key opens it still"


def test_a_secret_opens_with_each_key_that_was_in_force_and_with_no_other(settings: Any, canary: str) -> None:
    """A process that was started before a new key was added opens what one with the new list has sealed."""
    old, new, strange = (Fernet.generate_key().decode() for _ in range(3))
    settings.FERNET_KEYS = [new, old]
    sealed = Sealed.seal(canary)
    assert sealed is not None
    assert sealed.is_current()
    for keys, opens in (([old], True), ([new], True), ([strange, old], True), ([strange], False)):
        settings.FERNET_KEYS = keys
        assert (sealed.opens(), sealed.holds(canary), sealed.is_current()) == (opens, opens, False)


def test_secrets_are_neither_searched_nor_dumped(north: Tenant) -> None:
    with pytest.raises(FieldError):
        EpicorConnection.objects.filter(password="x").exists()
    assert EpicorConnection.objects.filter(client_secret__isnull=True).exists()
    with pytest.raises(TypeError, match="never serialised"):
        serializers.serialize("json", EpicorConnection.objects.all())


def test_a_pickled_secret_stays_sealed(canary: str) -> None:
    sealed = Sealed.seal(canary)
    assert sealed is not None
    assert canary.encode() not in pickle.dumps(sealed)


def test_only_clients_reveal(checkout: Path) -> None:
    """Style rule 19: a tenant's secrets exist decrypted in one module, and the key of a person's app in another."""
    users = [
        str(path.relative_to(checkout))
        for package in ("tenants", "syncjobs", "connector")
        for path in (checkout / package).rglob("*.py")
        if ".reveal(" in path.read_text() or "cryptography.fernet" in path.read_text()
    ]
    assert sorted(users) == ["tenants/clients.py", "tenants/fields.py", "tenants/models/devices.py"]
