"""Clients made from connections: with the right secrets, with none of them in sight, and with one shared token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from django.db import connection

from connector.transport.auth import Token
from connector.transport.errors import Misconfigured, System
from tenants import clients
from tenants.models import AvidXchangeConnection, EpicorConnection, Tenant

pytestmark = pytest.mark.django_db


def test_a_client_is_made_from_the_connection(north: Tenant, canary: str) -> None:
    config = clients.epicor_config(north)
    assert (config.root, config.company, config.password) == (
        "https://north.erp.example.com/KineticLive",
        "EPIC06",
        f"{canary}-password-north",
    )
    avid = clients.avidxchange_config(north)
    assert (avid.company_token, avid.user_token) == (f"{canary}-company-north", f"{canary}-user-north")
    epicor, avidxchange = clients.epicor_client(north), clients.avidxchange_client(north)
    for thing in (config, avid, epicor, avidxchange):
        assert canary not in repr(thing)
    epicor.close()
    avidxchange.close()


def test_a_missing_or_unusable_connection_is_misconfigured(north: Tenant) -> None:
    AvidXchangeConnection.objects.update(profile={"page_size": 0})
    with pytest.raises(Misconfigured, match=r"The AvidXchange profile of North Works cannot be used: page_size"):
        clients.avidxchange_client(north)
    EpicorConnection.objects.all().delete()
    with pytest.raises(Misconfigured) as caught:
        clients.epicor_client(north)
    assert (caught.value.code, caught.value.system, caught.value.hint) == (
        "connection_missing",
        System.EPICOR,
        "Set up the Epicor connection of this tenant.",
    )


def test_an_address_that_became_private_is_refused_by_the_client_too(north: Tenant) -> None:
    EpicorConnection.objects.update(base_url="http://127.0.0.1:9")
    with pytest.raises(Misconfigured):
        clients.epicor_client(north)


def test_a_token_is_shared_and_sealed(north: Tenant, south: Tenant, canary: str) -> None:

    token = Token(f"{canary}-token", datetime(2030, 1, 1, tzinfo=UTC))
    first = clients.DatabaseTokenCache(north, System.EPICOR)
    assert first.get("k") is None
    first.put("k", token)
    first.put("k", token)
    assert clients.DatabaseTokenCache(north, System.EPICOR).get("k") == token
    assert clients.DatabaseTokenCache(north, System.AVIDXCHANGE).get("k") is None
    assert clients.DatabaseTokenCache(south, System.EPICOR).get("k") is None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), bool_or(encode(token, 'escape') LIKE %s) FROM tenants_sharedtoken", ["%canary%"]
        )
        assert cursor.fetchone() == (1, False)
    assert canary not in repr(first)


def test_a_token_is_looked_up_again_after_a_moment(north: Tenant) -> None:

    now = [0.0]
    mine = clients.DatabaseTokenCache(north, System.EPICOR, monotonic=lambda: now[0])
    theirs = clients.DatabaseTokenCache(north, System.EPICOR)
    old, new = (Token(text, datetime(2030, 1, 1, tzinfo=UTC)) for text in ("old", "new"))
    mine.put("k", old)
    theirs.put("k", new)
    assert mine.get("k") == old
    now[0] = 6.0
    assert mine.get("k") == new


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_asks_for_a_token_leaves_no_connection_open(north: Tenant) -> None:

    cache = clients.DatabaseTokenCache(north, System.EPICOR)

    def use() -> tuple[Token | None, bool]:
        cache.put("k", Token("t", datetime(2030, 1, 1, tzinfo=UTC)))
        found = clients.DatabaseTokenCache(north, System.EPICOR).get("k")
        return found, connection.connection is None

    with ThreadPoolExecutor(1) as pool:
        found, closed = pool.submit(use).result()
    assert found is not None
    assert (found.value, closed) == ("t", True)
