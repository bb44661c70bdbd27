"""Sign-in: the key that is always needed, three ways to be a user, and four causes behind one status."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from connector.sandbox import credentials
from tests.sandbox.epicor_world import INVOICES, EpicorWorld, error, make_invoice_group

VENDORS = "Erp.BO.VendorSvc/Vendors?$top=1"


def test_each_cause_of_401_has_its_own_words() -> None:
    options: dict[str, Any] = {
        "denied_methods": {f"{INVOICES}/Update"},
        "out_of_scope": {"Ice.BO.AttachmentSvc/DownloadFile"},
    }
    with EpicorWorld(**options) as world:
        wrong = {"auth": (credentials.EPICOR_USER, "wrong")}
        assert error(world.get(VENDORS, **wrong)) == (
            401,
            "UnauthorizedAccessException",
            "Invalid username or password.",
        )
        reply = world.get(VENDORS, headers={"x-api-key": "stolen-key"})
        assert error(reply)[2] == "Invalid API Key 'stolen-key' for company 'EPIC06'."
        assert error(world.post(INVOICES, "Update", {"ds": {}}))[2] == "Access denied (Erp.BO.APInvoice.Update)."
        reply = world.post("Ice.BO.AttachmentSvc", "DownloadFile", {"xFileRefNum": 9001})
        assert error(reply)[2] == (
            "The access scope of the API Key does not allow calling Ice.BO.AttachmentSvc/DownloadFile."
        )
        assert reply.status_code == 401


def test_a_missing_key_is_refused_and_the_key_may_come_in_the_query() -> None:
    with EpicorWorld() as world:
        without = {"headers": {"x-api-key": None}}
        assert error(world.get(VENDORS, **without)) == (
            401,
            "UnauthorizedAccessException",
            "An API Key is required to call this service.",
        )
        assert world.get(f"{VENDORS}&api-key={credentials.EPICOR_API_KEY}", **without).status_code == 200


def test_an_error_body_is_flat() -> None:
    with EpicorWorld() as world:
        body = world.get("Erp.BO.NoSuchSvc/Rows").json()
    assert body.keys() == {
        "HttpStatus",
        "ReasonPhrase",
        "ErrorMessage",
        "ErrorType",
        "ErrorDetails",
        "CorrelationId",
    }
    assert body["ReasonPhrase"] == "REST API Exception"
    assert body["ErrorDetails"] == [{"Message": "Service Erp.BO.NoSuchSvc not found.", "Type": "Error"}]


def _oauth(world: EpicorWorld, **changed: str) -> requests.Response:
    form = {
        "grant_type": "client_credentials",
        "client_id": credentials.EPICOR_CLIENT_ID,
        "client_secret": credentials.EPICOR_CLIENT_SECRET,
        "scope": credentials.EPICOR_SCOPE,
        **changed,
    }
    url = world.root.removesuffix(credentials.EPICOR_INSTANCE) + credentials.EPICOR_TOKEN_PATH.lstrip("/")
    return requests.post(url, data=form, timeout=10)


def _bearer(world: EpicorWorld, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}", "x-api-key": credentials.EPICOR_API_KEY}
    return requests.get(f"{world.root}/api/v2/odata/EPIC06/{VENDORS}", headers=headers, timeout=10)


def test_an_oauth_token_works_until_it_expires() -> None:
    with EpicorWorld(token_seconds=600) as world:
        given = _oauth(world).json()
        assert given["expires_in"] == 600
        assert _bearer(world, given["access_token"]).status_code == 200
        world.forward(seconds=599)
        assert _bearer(world, given["access_token"]).status_code == 200
        world.forward(seconds=1)
        assert error(_bearer(world, given["access_token"])) == (
            401,
            "UnauthorizedAccessException",
            "The access token is not valid or has expired.",
        )


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "openid email epicor_erp"}, "invalid_scope"),
    ],
)
def test_an_oauth_token_is_refused(changed: dict[str, str], problem: str) -> None:
    with EpicorWorld() as world:
        reply = _oauth(world, **changed)
    assert (reply.status_code, reply.json()) == (400, {"error": problem})


def test_epicors_own_token_comes_as_json_only_if_asked_for() -> None:
    user = {"username": credentials.EPICOR_USER, "password": credentials.EPICOR_PASSWORD}
    with EpicorWorld() as world:
        url = f"{world.root}/TokenResource.svc/"
        as_json = requests.post(url, headers={**user, "Accept": "application/json"}, timeout=10).json()
        assert _bearer(world, as_json["AccessToken"]).status_code == 200
        assert requests.post(url, headers=user, timeout=10).text.startswith("<Token><AccessToken>")
        wrong = requests.post(url, headers={**user, "password": "wrong"}, timeout=10)
        assert error(wrong) == (401, "UnauthorizedAccessException", "Invalid username or password.")


def test_tokens_can_expire_in_the_middle_of_paging() -> None:
    rule = {"kind": "expire_tokens", "path": r"Vendors", "skip": 1}
    with EpicorWorld(faults=[rule]) as world:
        token = _oauth(world).json()["access_token"]
        assert [_bearer(world, token).status_code for _ in range(3)] == [200, 401, 401]
        assert _bearer(world, _oauth(world).json()["access_token"]).status_code == 200


def test_a_refused_call_writes_nothing() -> None:
    with EpicorWorld(denied_methods={"Erp.BO.APInvGrpSvc/Update"}) as world:
        before = world.ledger()
        with pytest.raises(AssertionError, match="Access denied"):
            make_invoice_group(world)
        assert world.ledger() == before
