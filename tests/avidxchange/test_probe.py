"""The connection test says by name what works and what does not."""

from __future__ import annotations

from connector.avidxchange.probe import checks
from connector.transport.checks import Check
from connector.transport.errors import System
from tests.avidxchange.connected import Connected, connected

NAMES = [
    "login",
    "accounting system",
    "read vendors",
    "read approvals",
    "find closed batches",
    "read payments",
    "send vendors",
    "send GL accounts",
    "send purchase orders",
    "send receipts",
    "submit invoices",
    "bank accounts",
]

BANKS = [
    {"Id": number, "ClientId": name, "Status": status}
    for number, (name, status) in enumerate([("OPER", "Synced"), ("CADOP", "Pending"), ("LAST", "Failed")])
]


def run(here: Connected) -> dict[str, Check]:
    found = {check.name: check for check in checks(here.config, here.client, today=here.today)}
    assert all(check.system is System.AVIDXCHANGE for check in found.values())
    return found


def test_all_is_well_and_nothing_was_written() -> None:
    with connected() as here:
        here.world.customer.bank_accounts[:] = BANKS
        before = here.world.ledger()
        found = run(here)
        assert list(found) == NAMES
        assert [name for name, check in found.items() if not check.ok] == []
        assert found["login"].detail == "Logged in with tokens; accounting systems: 17 (Epicor EPIC06)."
        assert found["bank accounts"].detail == "CADOP is Pending; LAST is Failed"
        assert here.world.ledger() == before
        assert {attempt.method for attempt in here.attempts} == {"GET"}


def test_a_refused_login_ends_the_test_and_says_what_to_do() -> None:
    with connected(config={"user_token": "somebody-else"}) as here:
        found = run(here)
        assert list(found) == ["login"]
        assert not found["login"].ok
        assert found["login"].hint == "Check the tokens, or the client id and secret, of the AvidXchange connection."


def test_missing_paths_are_named() -> None:
    missing = {"/vendors", "/invoices", "/receipts/batches", "/bankAccounts"}
    with connected(capability_missing=missing) as here:
        found = run(here)
        assert [name for name, check in found.items() if not check.ok] == [
            "read vendors",
            "read approvals",
            "send receipts",
        ]
        assert found["bank accounts"].detail == "Not offered by this AvidXchange."
