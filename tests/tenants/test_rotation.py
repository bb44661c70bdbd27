"""Keys rotated while processes run with the list that they were started with: each step of the order in
docs/operating.md, with every mixture of old and new processes that it allows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from cryptography.fernet import Fernet

from connector.transport.auth import Token
from connector.transport.errors import System
from tenants import audit, clients
from tenants.audit import Actor
from tenants.models import AuditHead, EpicorConnection, SharedToken, Tenant
from tenants.rotation import rotate

pytestmark = pytest.mark.django_db

NEW, OLD = (Fernet.generate_key().decode() for _ in range(2))
BEFORE, BOTH, AFTER = [OLD], [NEW, OLD], [NEW]

Process = Callable[[list[str]], Any]


@pytest.fixture
def process(settings: Any) -> Process:
    """Act as a process that was started with a list of keys."""

    @contextmanager
    def acting(keys: list[str]) -> Iterator[None]:
        own, settings.FERNET_KEYS = settings.FERNET_KEYS, keys
        try:
            yield
        finally:
            settings.FERNET_KEYS = own

    return acting


@pytest.fixture
def site(process: Process, request: pytest.FixtureRequest) -> Tenant:
    """A tenant that was made under the old key."""
    with process(BEFORE):
        made: Tenant = request.getfixturevalue("north")
    return made


def works(tenant: Tenant, canary: str) -> None:
    """Do what a run does with keys: read the secrets, fetch or share a token, write to the trail."""
    assert clients.epicor_config(tenant).password == f"{canary}-password-north"
    assert clients.avidxchange_config(tenant).user_token == f"{canary}-user-north"
    cache = clients.DatabaseTokenCache(tenant, System.EPICOR)
    if cache.get("k") is None:
        cache.put("k", Token("a token", datetime(2040, 1, 1, tzinfo=UTC)))
    audit.record(tenant, "a.b", actor=Actor.system("tests"), subject=("x", "1"))
    assert audit.verify(tenant).ok


def changes_a_secret(tenant: Tenant, canary: str) -> None:
    connection = EpicorConnection.objects.get(tenant=tenant)
    connection.password = f"{canary}-password-north"
    connection.save()


@pytest.mark.parametrize("first_to_write", [BEFORE, BOTH], ids=["old process", "new process"])
def test_every_step_works_for_the_processes_that_it_allows(
    process: Process, site: Tenant, canary: str, first_to_write: list[str]
) -> None:
    """Add the new key, restart, rotate, drop the old key, restart, rotate: at each step two lists are in use."""
    with process(first_to_write):
        changes_a_secret(site, canary)
    # Some processes are restarted, some are not; then rotate_keys runs, and a worker of yesterday is still at work.
    for keys in (BEFORE, BOTH, BEFORE):
        with process(keys):
            works(site, canary)
    with process(BOTH):
        assert rotate(actor=Actor.system("tests")).faults == []
    for keys in (BEFORE, BOTH, BEFORE, BOTH):
        with process(keys):
            works(site, canary)
    # The last of the old ones is gone.
    with process(BOTH):
        assert rotate(actor=Actor.system("tests")).faults == []
    for keys in (BOTH, AFTER, BOTH, AFTER):
        with process(keys):
            works(site, canary)
    with process(AFTER):
        assert rotate(actor=Actor.system("tests")).faults == []
        works(site, canary)
    with process(BEFORE):
        assert not any(row.password.opens() for row in EpicorConnection.objects.all() if row.password)
        assert not any(row.token.opens() for row in SharedToken.objects.all() if row.token)


def test_two_processes_with_neighbouring_lists_never_take_each_other_for_a_forger(
    process: Process, site: Tenant
) -> None:
    """Whoever signed the head last, nobody who may be running then marks it as tampered with, which would stay."""
    for pair in ((BEFORE, BOTH), (BOTH, AFTER)):
        for writers in product(pair, repeat=3):
            for keys in writers:
                with process(keys):
                    audit.record(site, "a.b", actor=Actor.system("tests"), subject=("x", "1"))
                    assert audit.verify(site).ok
        with process(BOTH):
            rotate(actor=Actor.system("tests"))
    assert AuditHead.objects.get(tenant=site).signature.count(" ") == 1


def test_a_token_of_a_process_with_other_keys_is_fetched_anew(process: Process, site: Tenant, canary: str) -> None:
    with process(BEFORE):
        clients.DatabaseTokenCache(site, System.EPICOR).put("k", Token("old", datetime(2040, 1, 1, tzinfo=UTC)))
    with process(AFTER):
        cache = clients.DatabaseTokenCache(site, System.EPICOR)
        assert cache.get("k") is None
        cache.put("k", Token("new", datetime(2040, 1, 1, tzinfo=UTC)))
        assert clients.DatabaseTokenCache(site, System.EPICOR).get("k") is not None


def test_a_token_that_nothing_opens_is_thrown_away_and_is_no_fault(process: Process, site: Tenant) -> None:
    with process([Fernet.generate_key().decode()]):
        SharedToken.objects.create(tenant=site, system="epicor", key="k", token="lost")
    with process(BOTH):
        assert rotate(actor=Actor.system("tests")).faults == []
    assert SharedToken.objects.get().token is None


def test_a_key_that_has_left_the_list_signs_no_head(process: Process, site: Tenant) -> None:
    """A head that only the old key signed is not ours any more once the old key has gone without a rotation."""
    with process(BEFORE):
        audit.record(site, "a.b", actor=Actor.system("tests"), subject=("x", "1"))
    with process(AFTER):
        assert [fault.kind for fault in audit.verify(site).faults] == ["head"]
