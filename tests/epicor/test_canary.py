"""A canary in every credential: whatever goes wrong, it is in no exception, no attempt and no log record."""

from __future__ import annotations

import base64
import io
import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest

from connector.epicor import records
from connector.epicor.client import EpicorClient, EpicorConfig
from connector.transport.attempts import Attempt
from connector.transport.errors import ConnectorError
from tests.transport.far_side import NOW, Asked, FarSide, Say

PASSWORD = "canary-pass word/+1"
API_KEY = "canary-api-key-2"
CLIENT_SECRET = "canary-client-secret-3"
TOKEN = "canary-token-4"
PAIR = base64.b64encode(f"integration:{PASSWORD}".encode()).decode()
CANARIES = (
    *(secret for secret in (PASSWORD, API_KEY, CLIENT_SECRET)),
    *(quote(secret, safe="") for secret in (PASSWORD, API_KEY, CLIENT_SECRET)),
    *(base64.b64encode(secret.encode()).decode() for secret in (PASSWORD, API_KEY, CLIENT_SECRET)),
)

EVERYTHING = f"key {API_KEY} password {PASSWORD} secret {CLIENT_SECRET} and {' '.join(CANARIES)}"
#: What a login adds that is a credential in itself; a server that was never told it cannot echo it.
OF_MODE = {"basic": PAIR, "oauth2": TOKEN, "epicor_token": TOKEN}


def flat(message: str, kind: str = "System.UnauthorizedAccessException") -> bytes:
    body = {"ErrorMessage": message, "ErrorType": kind, "ErrorDetails": [{"Message": f"detail {message}"}]}
    return json.dumps({**body, "CorrelationId": f"id-{API_KEY}"}).encode()


ANSWERS = {
    "login refused": Say(401, flat(EVERYTHING)),
    "bad request": Say(400, flat(EVERYTHING, "Ice.Common.BusinessObjectException")),
    "not found": Say(404, flat(EVERYTHING, "Ice.Common.RecordNotFoundException")),
    "duplicate": Say(409, flat(EVERYTHING, "DuplicateRecordException")),
    "odata error": Say(400, json.dumps({"error": {"code": "x", "message": EVERYTHING}}).encode()),
    "server error": Say(500, flat(EVERYTHING)),
    "html": Say(503, f"<html>{EVERYTHING}</html>".encode(), {"Content-Type": "text/html"}),
    "plain text": Say(503, EVERYTHING.encode(), {"Content-Type": "text/plain"}),
    "html with 200": Say(200, f"<html>{EVERYTHING}</html>".encode(), {"Content-Type": "text/html"}),
    "no json": Say(200, EVERYTHING.encode()),
    "cut": Say(200, EVERYTHING.encode(), cut=5),
    "dropped": Say(drop=True),
    "throttled": Say(429, flat(EVERYTHING), {"Retry-After": "1000", "X-Request-Id": API_KEY}),
    "redirect": Say(302, EVERYTHING.encode(), {"Location": f"https://elsewhere/?{PASSWORD}"}),
    "another company": Say(200, json.dumps({"value": [{"Company": API_KEY, "VendorNum": 1}]}).encode()),
    "bad row": Say(200, json.dumps({"value": [{"Company": "C1", "VendorNum": API_KEY, "VendorID": 1}]}).encode()),
    "another document's company": Say(200, json.dumps({"parameters": {"ds": {"T": [{"Company": API_KEY}]}}}).encode()),
}  # fmt: skip


def token_then(say: Say, token: Say) -> Callable[[Asked], Say]:
    """A far side with a token address; every other answer echoes the Authorization header as well."""

    def answer(asked: Asked) -> Say:
        if "token" in asked.path.lower():
            return token
        echoed = asked.headers.get("Authorization", "").encode()
        return replace(say, body=say.body.replace(b"canary-api", echoed.partition(b" ")[2] + b" canary-api"))

    return answer


GOOD_TOKEN = Say(200, json.dumps({"access_token": TOKEN, "AccessToken": TOKEN, "token_type": "Bearer"}).encode())


def client(far: FarSide, mode: str, attempts: list[Attempt]) -> EpicorClient:
    config = EpicorConfig(
        base_url=far.url, instance="inst", company="C1", auth_mode=mode, username="integration", password=PASSWORD,
        token_url=f"{far.url}/token", client_id="client", client_secret=CLIENT_SECRET, api_key=API_KEY,
    )  # fmt: skip
    assert not any(canary in repr(config) for canary in CANARIES)
    return EpicorClient(
        config, on_attempt=attempts.append, allow_private_hosts=True, now=lambda: NOW, sleep=lambda _: None
    )


def acts(mine: EpicorClient) -> list[Callable[[], Any]]:
    return [
        lambda: list(mine.pages(records.VENDORS)),
        lambda: mine.find(records.VENDORS, "VendorNum eq 1"),
        lambda: mine.invoice(1, "INV-1"),
        lambda: mine.download(1, io.BytesIO(), max_bytes=1000),
        lambda: mine.method("Erp.BO.APInvoiceSvc", "Update", {"ds": {"x": EVERYTHING}}, writes=True),
        lambda: mine.method("Erp.BO.APInvoiceSvc", "PreUpdate", {"ds": {"Password": PASSWORD}}, writes=False),
        lambda: mine.refusal("Erp.BO.APInvoiceSvc", "Update"),
        mine.company_name,
        mine.server_time,
    ]


def seen(error: BaseException | None) -> str:
    """Everything a log, an error mail or a page could show of an exception and of those behind it."""
    parts: list[str] = []
    while error is not None:
        facts = vars(error) if hasattr(error, "__dict__") else {}
        parts += [str(error), repr(error), repr(facts), "".join(traceback.format_exception(error))]
        error = error.__context__
    return "\n".join(parts)


def assert_clean(mode: str, *texts: str) -> None:
    for text in texts:
        found = [canary for canary in (*CANARIES, OF_MODE[mode]) if canary in text]
        assert found == []


@pytest.mark.parametrize("mode", ["basic", "oauth2", "epicor_token"])
@pytest.mark.parametrize("name", ANSWERS)
def test_no_credential_is_shown_by_any_failure(name: str, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    attempts: list[Attempt] = []
    with FarSide(answer=token_then(ANSWERS[name], GOOD_TOKEN)) as far, caplog.at_level(logging.DEBUG):
        mine = client(far, mode, attempts)
        for act in acts(mine):
            try:
                act()
            except ConnectorError as error:
                assert_clean(mode, seen(error), error.hint, error.request_id, error.code)
        mine.close()
        assert_clean(mode, repr(mine))
    assert attempts
    assert_clean(mode, *(repr(attempt) for attempt in attempts), *(json.dumps(a.response_shape) for a in attempts))
    assert_clean(mode, *(record.getMessage() + repr(record.__dict__) for record in caplog.records))


@pytest.mark.parametrize("mode", ["oauth2", "epicor_token"])
@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 503])
def test_no_credential_is_shown_by_a_token_call(status: int, mode: str, caplog: pytest.LogCaptureFixture) -> None:
    attempts: list[Attempt] = []
    refusal = json.dumps({"error": "invalid_client", "error_description": EVERYTHING}).encode()
    with FarSide(answer=token_then(Say(), Say(status, refusal))) as far, caplog.at_level(logging.DEBUG):
        mine = client(far, mode, attempts)
        with pytest.raises(ConnectorError) as caught:
            mine.find(records.VENDORS, "")
        mine.close()
    assert_clean(mode, seen(caught.value), *(repr(attempt) for attempt in attempts))
    assert_clean(mode, *(record.getMessage() + repr(record.__dict__) for record in caplog.records))
    assert all(attempt.request_shape is None and attempt.response_shape is None for attempt in attempts)


def test_the_canaries_really_were_sent() -> None:
    """The search above means nothing if the credentials never left."""
    with FarSide(answer=token_then(Say(200, b'{"value": []}'), GOOD_TOKEN)) as far:
        for mode in ("basic", "oauth2", "epicor_token"):
            mine = client(far, mode, [])
            mine.find(records.VENDORS, "")
            mine.close()
    sent = repr(far.asked)
    for canary in (API_KEY, PAIR, CLIENT_SECRET, f"Bearer {TOKEN}", PASSWORD):
        assert canary in sent
