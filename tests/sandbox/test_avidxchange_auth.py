"""Who may ask the AvidXchange stand-in for what: both ways of signing in, and that customers never mix."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from connector.sandbox.credentials import AVID_A, AVID_B
from tests.sandbox.avid_world import HEADERS, AvidWorld, vendor


@pytest.fixture
def avid() -> Iterator[AvidWorld]:
    with AvidWorld() as world:
        yield world


def token_call(avid: AvidWorld, **form: str) -> requests.Response:
    return avid.session.post(f"{avid.url}/v1/authorizations", data=form, timeout=10)


def new_token(avid: AvidWorld) -> str:
    reply = token_call(
        avid, grant_type="client_credentials", client_id=AVID_A.client_id, client_secret=AVID_A.client_secret
    )
    assert reply.status_code == 200
    assert reply.json()["token_type"] == "Bearer"
    assert reply.json()["expires_in"] == 600
    return str(reply.json()["access_token"])


def ping(avid: AvidWorld, **headers: str) -> requests.Response:
    return avid.session.get(f"{avid.url}/v1/ping", headers=headers, timeout=10)


def test_token_headers_open_the_door(avid: AvidWorld) -> None:
    assert ping(avid, **HEADERS["EPIC06"]).json() == {"Status": "OK"}


def test_no_credentials_is_a_gateway_fault(avid: AvidWorld) -> None:
    reply = ping(avid)
    assert reply.status_code == 401
    assert reply.json()["fault"]["code"] == "900902"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {AVID_A.company_token}"},
        {"Authorization": f"Bearer {AVID_A.company_token}", "AvidAuthorization": f"Bearer {AVID_B.user_token}"},
        {"Authorization": f"Bearer {AVID_A.user_token}", "AvidAuthorization": f"Bearer {AVID_A.company_token}"},
        {"Authorization": "Bearer nonsense", "AvidAuthorization": f"Bearer {AVID_A.user_token}"},
    ],
)
def test_half_or_foreign_tokens_are_refused(avid: AvidWorld, headers: dict[str, str]) -> None:
    reply = ping(avid, **headers)
    assert reply.status_code == 401
    assert reply.json() == {"exception": {"reason": "Unauthorized", "detail": "The token is not valid"}}


def test_customers_never_mix(avid: AvidWorld) -> None:
    before = avid.ledger("EPIC07")
    assert avid.send("vendors", vendor("SHARED|1|MAIN")) == [(True, [])]
    assert avid.ledger("EPIC07") == before
    assert avid.send("vendors", vendor("SHARED|1|MAIN", VendorName="Other"), who="EPIC07") == [(True, [])]
    names = {
        who: [
            row["VendorName"] for row in avid.ledger(who)["vendors"] if row["VendorExternalSystemID"] == "SHARED|1|MAIN"
        ]
        for who in ("EPIC06", "EPIC07")
    }
    assert names == {"EPIC06": ["Vendor SHARED|1|MAIN"], "EPIC07": ["Other"]}
    own = [
        f"{row['VendorExternalSystemID']}"
        for row in avid.items("/vendors", pageSize=500)
        if row["VendorExternalSystemID"]
    ]
    assert all(name.startswith(("EPIC06|", "SHARED|")) for name in own)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": AVID_A.client_id, "client_secret": "no"}, "invalid_client"),
        (
            {"grant_type": "client_credentials", "client_id": AVID_A.client_id, "client_secret": AVID_B.client_secret},
            "invalid_client",
        ),
        ({"grant_type": "password", "client_id": AVID_A.client_id}, "unsupported_grant_type"),
    ],
)
def test_refused_token_call_has_its_own_error_shape(avid: AvidWorld, form: dict[str, str], error: str) -> None:
    reply = token_call(avid, **form)
    assert reply.status_code == 400
    assert reply.json()["error"] == error
    assert set(reply.json()) == {"error", "error_description"}


def test_token_call_takes_a_form_only(avid: AvidWorld) -> None:
    body = {"grant_type": "client_credentials", "client_id": AVID_A.client_id, "client_secret": AVID_A.client_secret}
    reply = avid.session.post(f"{avid.url}/v1/authorizations", json=body, timeout=10)
    assert (reply.status_code, reply.json()["error"]) == (400, "invalid_request")


def test_client_credentials_may_come_as_basic_auth(avid: AvidWorld) -> None:
    reply = avid.session.post(
        f"{avid.url}/v1/authorizations",
        data={"grant_type": "client_credentials"},
        auth=(AVID_B.client_id, AVID_B.client_secret),
        timeout=10,
    )
    token = reply.json()["access_token"]
    assert ping(avid, Authorization=f"Bearer {token}", **{"X-Company-Id": "AVID-B"}).status_code == 200


def test_company_id_is_wanted_with_a_client_token(avid: AvidWorld) -> None:
    bearer = {"Authorization": f"Bearer {new_token(avid)}"}
    assert ping(avid, **bearer).status_code == 400
    assert ping(avid, **bearer, **{"X-Company-Id": "AVID-B"}).status_code == 403
    assert ping(avid, **bearer, **{"X-Company-Id": "AVID-A"}).status_code == 200


def test_a_foreign_company_id_is_refused_with_fixed_tokens_too(avid: AvidWorld) -> None:
    assert ping(avid, **HEADERS["EPIC06"], **{"X-Company-Id": "AVID-B"}).status_code == 403
    assert ping(avid, **HEADERS["EPIC06"], **{"X-Company-Id": "AVID-A"}).status_code == 200


def test_client_token_expires(avid: AvidWorld) -> None:
    headers = {"Authorization": f"Bearer {new_token(avid)}", "X-Company-Id": "AVID-A"}
    avid.clock.forward(seconds=599)
    assert ping(avid, **headers).status_code == 200
    avid.clock.forward(seconds=1)
    reply = ping(avid, **headers)
    assert reply.status_code == 401
    assert reply.json()["exception"]["detail"] == "The token has expired"
    headers["Authorization"] = f"Bearer {new_token(avid)}"
    assert ping(avid, **headers).status_code == 200


def test_tokens_expire_on_request_but_not_the_fixed_ones(avid: AvidWorld) -> None:
    headers = {"Authorization": f"Bearer {new_token(avid)}", "X-Company-Id": "AVID-A"}
    avid.faults.add([{"kind": "expire_tokens", "path": "/v1/ping"}])
    assert ping(avid, **headers).status_code == 401
    assert ping(avid, **HEADERS["EPIC06"]).status_code == 200


def test_a_503_may_echo_the_secret(avid: AvidWorld) -> None:
    assert avid.edit("options", set={"auth_echoes_secret": True}).status_code == 200
    reply = token_call(avid, grant_type="client_credentials", client_id=AVID_A.client_id, client_secret="canary")
    assert reply.status_code == 503
    assert "canary" in reply.text


def test_ledger_and_edit_need_no_credentials_and_show_no_secret(avid: AvidWorld) -> None:
    new_token(avid)
    text = avid.session.get(f"{avid.url}/__sandbox__/ledger", timeout=10).text
    for secret in (AVID_A.company_token, AVID_A.user_token, AVID_A.client_secret, "sandbox-avid-"):
        assert secret not in text
    assert avid.edit("options", set={"no_such": 1}).status_code == 400
    with pytest.raises(ValueError, match="no such option: no_such"):
        AvidWorld(no_such=1)
    assert avid.session.get(f"{avid.url}/__sandbox__/nothing", timeout=10).status_code == 404
