"""What the network, gateways and strange answers do to the client: nothing lost, nothing twice, nothing shown."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.avidxchange.client import AvidXchangeClient, AvidXchangeConfig, BatchKind
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import BatchState
from connector.transport.errors import ConnectorError, Misconfigured, Rejected, Retry, Uncertain
from tests.avidxchange.connected import connected, invoice, vendor

THROTTLE_XML = (
    '<amt:fault xmlns:amt="x"><amt:code>900800</amt:code><amt:message>Message throttled out</amt:message></amt:fault>'
)


def fault(kind: str, path: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "path": path, **more}


# --- reads repeat themselves -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        fault("status", "/v1/vendors", status=503, body="<html>busy</html>"),
        fault("status", "/v1/vendors", status=429, headers={"Retry-After": "3"}, body=""),
        fault("status", "/v1/vendors", status=403, body=THROTTLE_XML),
        fault("status", "/v1/vendors", status=200, body=THROTTLE_XML),
        fault("html", "/v1/vendors"),
        fault("reset_before", "/v1/vendors"),
        fault("reset_after", "/v1/vendors"),
        fault("cut_json", "/v1/vendors"),
        fault("repeat_page", "pageNumber=3", skip=0),
    ],
    ids=lambda rule: f"{rule['kind']}-{rule.get('status', '')}",
)
def test_a_passing_fault_loses_no_vendor_and_doubles_none(rule: dict[str, Any]) -> None:
    with connected(faults=[rule], profile={"page_size": 20}) as here:
        read = [one.id for page in here.client.vendors() for one in page]
        assert sorted(read) == sorted(str(one["Id"]) for one in here.world.ledger()["vendors"])


def test_a_wish_to_wait_is_kept() -> None:
    rule = fault("status", "/v1/vendors", status=429, headers={"Retry-After": "3"}, body="")
    with connected(faults=[rule]) as here:
        list(here.client.vendors())
        assert 3 in here.waits


def test_slow_down_without_a_wish_is_tried_eight_times_from_five_seconds_on() -> None:
    """Contract section 8; a tenant whose AvidXchange says otherwise sets it in the profile."""
    rule = fault("status", "/v1/vendors", status=429, body="", times=-1)
    with connected(faults=[rule]) as here:
        with pytest.raises(Retry):
            list(here.client.vendors())
        assert here.calls("vendors") == 8
        assert 5 <= here.waits[0] <= 10
    with connected(faults=[rule], profile={"throttle_attempts": 2, "throttle_first_s": 1}) as here:
        with pytest.raises(Retry):
            list(here.client.vendors())
        assert here.calls("vendors") == 2
        assert 1 <= here.waits[0] <= 2


def test_a_lasting_fault_is_retry_and_not_an_empty_list() -> None:
    rule = fault("status", "/v1/payments", status=503, body="<html>busy</html>", times=-1)
    with connected(faults=[rule]) as here:
        with pytest.raises(Retry) as caught:
            list(here.client.payments_modified(here.today, here.today))
        assert (caught.value.status, here.calls("payments")) == (503, 5)


def test_a_next_link_to_another_host_is_refused() -> None:
    with connected() as here:
        here.world.state.options.foreign_next_link = True
        with pytest.raises(Misconfigured) as caught:
            list(here.client.vendors())
        assert caught.value.code == "foreign_next_link"
        assert here.calls("vendors") == 1


# --- a write is sent once ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "landed"),
    [
        (fault("reset_before", "/v1/invoices/batches", method="POST"), False),
        (fault("reset_after", "/v1/invoices/batches", method="POST"), True),
        (fault("cut_json", "/v1/invoices/batches", method="POST"), True),
        (fault("html", "/v1/invoices/batches", method="POST"), False),
        (fault("status", "/v1/invoices/batches", method="POST", status=503, body="<html/>"), False),
        (fault("status", "/v1/invoices/batches", method="POST", status=504, body=""), False),
    ],
    ids=lambda value: f"{value['kind']}-{value.get('status', '')}" if isinstance(value, dict) else "",
)
def test_an_answer_that_was_lost_is_uncertain_and_can_be_looked_up(rule: dict[str, Any], landed: bool) -> None:
    with connected(faults=[rule]) as here:
        here.prepare()
        with pytest.raises(Uncertain):
            here.client.submit(BatchKind.INVOICES, "B-1", [invoice("77")])
        assert here.calls("invoices_batches") == 1
        assert len(here.client.invoices_by_external_id(["E|1|77|1"])) == landed
        assert len(here.world.ledger()["invoices"]) == landed
        if landed:
            answer = here.client.batch(BatchKind.INVOICES, "B-1", ["E|1|77|1"])
            assert (answer.state, answer.unmatched) == (BatchState.SUCCESS, ())
            with pytest.raises(Uncertain) as caught:
                here.client.submit(BatchKind.INVOICES, "B-1", [invoice("77")])
            assert caught.value.code == "already_received"
            assert len(here.world.ledger()["invoices"]) == 1


@pytest.mark.parametrize("body", ["", THROTTLE_XML])
def test_a_throttled_write_was_not_processed(body: str) -> None:
    rule = fault("status", "/v1/vendors/batches", status=429, headers={"Retry-After": "20"}, body=body)
    with connected(faults=[rule]) as here:
        with pytest.raises(Retry) as caught:
            here.client.submit(BatchKind.VENDORS, "B-1", [vendor("E|1|MAIN")])
        assert caught.value.delay_s == 20
        assert here.submit(BatchKind.VENDORS, "B-1", [vendor("E|1|MAIN")]).state is BatchState.SUCCESS


def test_a_token_that_expires_before_a_write_is_renewed_and_the_write_arrives_once() -> None:
    rule = fault("expire_tokens", "/v1/vendors/batches", method="POST")
    with connected(mode="client_credentials", faults=[rule]) as here:
        here.client.accounting_systems()
        here.client.submit(BatchKind.VENDORS, "B-1", [vendor("E|1|MAIN")])
        assert here.calls("token") == 2
        assert sum(one["VendorExternalSystemID"] == "E|1|MAIN" for one in here.world.ledger()["vendors"]) == 1


def test_a_401_after_a_new_login_stops_the_stage() -> None:
    rule = fault("status", "/v1/vendors", status=401, times=-1, body={"exception": {"reason": "no", "detail": "never"}})
    with connected(mode="client_credentials", faults=[rule]) as here:
        with pytest.raises(Misconfigured) as caught:
            list(here.client.vendors())
        assert (caught.value.code, here.calls("token"), here.calls("vendors")) == ("login_refused", 2, 2)


# --- a 200 is not yet what was asked for ---------------------------------------------------------------------------


def test_a_server_that_ignores_the_filter_finds_nobody_we_did_not_ask_for() -> None:
    items = [{"Id": number, "ExternalId": f"E|{number}", "GrossAmount": 1} for number in (1, 2)]
    payments = [{"PaymentId": number, "Amount": 1} for number in (1, 2)]
    rules = [
        fault("status", r"/v1/invoices\?", status=200, body={"Items": items}),
        fault("status", r"/v1/payments\?", status=200, body={"Items": payments}),
    ]
    with connected(faults=rules) as here:
        assert [one.external_id for one in here.client.invoices_by_external_id(["E|2", "E|3"])] == ["E|2"]
        assert [one.id for one in here.client.payments_by_id(["2", "3"])] == ["2"]


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ({"Results": {"Successful": "false", "Errors": {"Code": "IMAGE_REJECTED"}}}, Rejected, "image_rejected"),
        ({"Results": [{"Successful": False, "Errors": [{"Message": "no"}]}]}, Rejected, "unexpected"),
        ({"Id": 5}, None, ""),
        ("", Uncertain, "unreadable_answer"),  # empty, but said to be a web page
        ('{"cut', Uncertain, "unreadable_answer"),
    ],
)
def test_an_image_refused_with_status_200(body: Any, kind: type[ConnectorError] | None, code: str) -> None:
    with connected(faults=[fault("status", "/images", status=200, body=body)]) as here:
        pdf = io.BytesIO(b"%PDF-")
        caught: ConnectorError | None = None
        try:
            here.client.upload_image("1", external_id="a", file_name="a", content_hash="b", file=pdf, size=5)
        except ConnectorError as error:
            caught = error
        assert (type(caught) if caught else None, caught.code if caught else "") == (kind, code)


# --- what is not offered -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_missing_capability_is_named(status: int) -> None:
    paths = {
        "/vendors/batches",
        "/vendors",
        "/receipts/batches",
        "/invoices/batches",
        "/invoices",
        "/invoices/{id}/images",
        "/bankAccounts",
    }
    with connected(capability_missing=paths) as here:
        here.world.state.options.capability_status = status
        client = here.client
        pdf = io.BytesIO(b"%PDF-")
        calls = [
            lambda: client.submit(BatchKind.VENDORS, "B", [vendor("E|1|MAIN")]),
            lambda: list(client.vendors()),
            lambda: client.submit(BatchKind.INVOICES, "B", [invoice("77")]),
            lambda: client.invoices_by_external_id(["a"]),
            lambda: client.upload_image("1", external_id="a", file_name="a", content_hash="b", file=pdf, size=5),
            client.bank_accounts,
        ]
        for call in calls:
            with pytest.raises(Misconfigured) as caught:
                call()
            assert (caught.value.code, caught.value.status) == ("capability_unavailable", status)
        assert len(here.attempts) == len(calls) + 1  # and the accounting system of the invoices' batch


# --- settings that cannot work -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"auth_mode": "tokens", "company_token": "x"}, "user_token"),
        ({"auth_mode": "tokens"}, "company_token and no user_token"),
        ({"auth_mode": "client_credentials", "client_id": "x", "client_secret": "y"}, "company_id"),
        ({"auth_mode": "password"}, "unknown: 'password'"),
    ],
)
def test_missing_credentials_are_said_at_once(settings: dict[str, str], missing: str) -> None:
    with pytest.raises(Misconfigured, match=missing) as caught:
        AvidXchangeClient(AvidXchangeConfig(base_url="https://api.sandbox.invalid", **settings))
    assert caught.value.code == "credentials_missing"


@pytest.mark.parametrize("url", ["http://api.sandbox.invalid", "https://127.0.0.1", "ftp://x", ""])
def test_an_address_that_is_not_allowed(url: str) -> None:
    config = AvidXchangeConfig(base_url=url, auth_mode="tokens", company_token="a" * 8, user_token="b" * 8)
    with pytest.raises(Misconfigured) as caught:
        AvidXchangeClient(config)
    assert caught.value.code == "address_refused"


# --- secrets -----------------------------------------------------------------------------------------------------

CANARIES = {
    "company_token": "canary-company-7f3a9c",
    "user_token": "canary-user-1b2d4e",
    "client_secret": "canary-secret-8c8d8e",
}
ECHO = "password={0} token {0} and " + " ".join(CANARIES.values())


@pytest.mark.parametrize("mode", ["tokens", "client_credentials"])
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 409, 413, 429, 500, 503])
@pytest.mark.parametrize("shape", ["text", "json", "html"])
def test_an_echoed_secret_is_seen_nowhere(mode: str, status: int, shape: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    said = ECHO.format(CANARIES["user_token"])
    body: Any = {
        "text": said,
        "html": f"<html>{said}</html>",
        "json": {"message": said, "Results": [{"Successful": False, "Errors": [{"Message": said, "Code": said}]}]},
    }[shape]
    rules = [fault("status", "/v1/", status=status, body=body, times=-1)]
    with connected(mode=mode, config=CANARIES, faults=rules) as here:
        client = here.client
        pdf = io.BytesIO(b"%PDF-")
        now = datetime(2026, 11, 23, tzinfo=UTC)
        calls = [
            lambda: client.submit(BatchKind.VENDORS, "B", [vendor("E|1|MAIN")]),
            lambda: list(client.vendors()),
            lambda: client.upload_image("1", external_id="a", file_name="a", content_hash="b", file=pdf, size=5),
            lambda: client.acknowledge("g", started_at=now, ended_at=now),
            lambda: client.download("/v1/images/1", io.BytesIO(), max_bytes=10_000),
        ]
        shown: list[object] = [client, here.config]
        for call in calls:
            try:
                shown.append(call())
            except ConnectorError as error:
                shown += [error, vars(error), error.args, error.__cause__, error.__context__]
        seen = " ".join(map(repr, [*shown, *here.attempts])) + caplog.text
        assert [name for name, value in CANARIES.items() if value in seen] == []


def test_a_token_call_that_echoes_the_secret_shows_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with connected(mode="client_credentials") as here:
        here.world.state.options.auth_echoes_secret = True
        with pytest.raises(Retry) as caught:
            here.client.accounting_systems()
        seen = f"{caught.value!r} {vars(caught.value)} {here.attempts!r} {caplog.text}"
        assert here.config.client_secret not in seen
        assert caught.value.status == 503
        assert {attempt.operation for attempt in here.attempts} == {"token"}


def test_secrets_have_no_repr() -> None:
    config = AvidXchangeConfig(base_url="https://api.sandbox.invalid", auth_mode="tokens", **CANARIES)
    assert not any(value in f"{config!r} {config} {AvidXchangeClient(config)!r}" for value in CANARIES.values())


# --- headers -----------------------------------------------------------------------------------------------------


def test_a_stable_idempotency_key_is_sent_where_a_profile_names_a_header() -> None:
    sent: list[dict[str, str]] = []
    with connected(profile={"header_idempotency": "X-Once", "header_tenant": "X-Tenant", "tenant": "t1"}) as here:
        app = here.world._listener._server.app

        def watch(environ: dict[str, Any], start_response: Any) -> Any:
            sent.append({name: environ[name] for name in ("HTTP_X_ONCE", "HTTP_X_TENANT") if name in environ})
            return app(environ, start_response)

        here.world._listener._server.app = watch
        for batch in ("B-1", "B-1", "B-2"):
            try:
                here.client.submit(BatchKind.VENDORS, batch, [vendor("E|1|MAIN")])
            except Uncertain:
                continue
    keys = [headers["HTTP_X_ONCE"] for headers in sent]
    assert keys[0] == keys[1] != keys[2]
    assert {headers["HTTP_X_TENANT"] for headers in sent} == {"t1"}


def test_the_default_profile_is_not_shared_between_clients() -> None:
    assert Profile().paths is not Profile().paths
