"""The connection test: each fault is named by the check it belongs to, and nothing is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connector.epicor import probe
from connector.epicor.client import EpicorClient
from connector.transport.checks import Check
from tests.epicor.connected import Connected, configured, connected

FIRST = ["address", "certificate", "API key", "login", "company", "first read"]


def run(here: Connected, **changed: Any) -> list[Check]:
    config = configured(here.world, **changed)
    client = EpicorClient(config, allow_private_hosts=True, now=lambda: here.world.now, sleep=here.waits.append)
    try:
        return list(probe.checks(config, client, now=lambda: client.server_time() or here.world.now))
    finally:
        client.close()


def test_a_good_connection_passes_every_check_and_writes_nothing() -> None:
    with connected() as here:
        before = here.world.ledger(), here.world.state.calls["rows_written"]
        found = run(here)
        assert [check.name for check in found if not check.ok] == []
        assert [check.name for check in found][:6] == FIRST
        assert [check.name for check in found][-2:] == ["licence", "clock"]
        assert found[4].detail == "EPIC06 (Sandbox Industrial Distribution) answers as itself"
        assert (here.world.ledger(), here.world.state.calls["rows_written"]) == before


@pytest.mark.parametrize(
    ("changed", "name", "hint"),
    [
        ({"instance": "Elsewhere"}, "address", "Check base URL and instance, and that this server may reach them."),
        ({"api_key": "wrong-key-canary"}, "API key", "Check the API key"),
        ({"password": "wrong-password"}, "login", "Check the user, password"),
        ({"auth_mode": "oauth2", "client_secret": "wrong"}, "login", "Check the user or client id"),
        ({"company": "NOPE"}, "company", "Check the company ID"),
    ],
)
def test_the_first_failure_is_named_and_nothing_after_it_is_tried(
    changed: dict[str, Any], name: str, hint: str
) -> None:
    with connected() as here:
        found = run(here, **changed)
        assert [check.name for check in found] == FIRST[: FIRST.index(name) + 1]
        assert [check.ok for check in found] == [True] * (len(found) - 1) + [False]
        assert found[-1].hint.startswith(hint)
        assert not any("canary" in check.detail for check in found)


def test_nobody_listening_is_the_address() -> None:
    with connected() as here:
        found = run(here, base_url="http://127.0.0.1:9")
        assert [(check.name, check.ok) for check in found] == [("address", False)]
        assert found[0].detail.endswith("the server refused the connection.")


def test_a_server_that_is_down_is_the_address_too() -> None:
    with connected() as here:
        here.fault(kind="status", status=503, path="PurTerms", times=-1)
        assert [(check.name, check.ok) for check in run(here)] == [("address", False)]


def test_each_missing_right_is_one_line_that_says_which_stage_needs_it() -> None:
    scope = {"Ice.BO.AttachmentSvc/DownloadFile", "Erp.BO.APInvoiceSvc/UpdateMaster"}
    with connected(out_of_scope=scope, denied_methods={"Erp.BO.POSvc/POes"}) as here:
        failed = {check.name: check for check in run(here) if not check.ok}
        assert set(failed) == {*scope, "Erp.BO.POSvc/POes"}
        assert failed["Ice.BO.AttachmentSvc/DownloadFile"].detail.endswith("(needed for invoices_out)")
        assert failed["Ice.BO.AttachmentSvc/DownloadFile"].hint.startswith("Add the service and method")
        assert failed["Erp.BO.POSvc/POes"].detail.endswith("(needed for purchase_orders_out)")


def test_methods_that_might_be_carried_out_are_only_named() -> None:
    with connected() as here:
        found = {check.name: check.detail for check in run(here)}
        assert found["Erp.PROC.APPaymentPostSvc/RunDirect"] == "not tried, because it writes; needed for payments_in"


def test_a_licence_is_mentioned_either_way() -> None:
    with connected() as here:
        assert run(here)[-2].detail.startswith("none set")
        assert run(here, license_guid="00000003-9439")[-2].detail == "calls claim the licence type that is set"


def test_a_clock_that_is_off_is_found() -> None:
    with connected() as here:
        config = configured(here.world)
        theirs = here.client.server_time()
        assert theirs is not None
        last = list(probe.checks(config, here.client, now=lambda: theirs + timedelta(hours=2)))[-1]
        assert (last.name, last.ok) == ("clock", False)
        assert last.hint == "Set this server's clock by a time service."
