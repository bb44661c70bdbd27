"""Batches as such: limits, ids, 202, and every legal shape of the reply saying the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sandbox.avid_world import HEADERS, AvidWorld, listed, vendor, verdicts

GOOD = {"AccountNumber": "01-10-5010", "IsActive": True}
BAD = {"AccountNumber": "BAD", "IsActive": "perhaps"}


@pytest.fixture
def avid() -> Iterator[AvidWorld]:
    with AvidWorld() as world:
        yield world


def accounts(count: int) -> list[dict[str, Any]]:
    return [{"AccountNumber": f"01-10-{number:04d}", "IsActive": True} for number in range(count)]


def test_fifty_items_are_taken_and_fifty_one_refused(avid: AvidWorld) -> None:
    assert avid.send("glAccounts", *accounts(50)) == [(True, [])] * 50
    before = avid.ledger()
    reply = avid.submit("glAccounts", *accounts(51))
    assert reply.status_code == 413
    assert avid.ledger() == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"Items": [GOOD]}, 400),
        ({"BatchId": "plain text", "Items": [GOOD]}, 400),
        ({"BatchId": {"Value": "x" * 101}, "Items": [GOOD]}, 400),
        ({"BatchId": {"Value": "x", "SchemeOwner": "Nobody"}, "Items": [GOOD]}, 400),
        ({"BatchId": {"Value": "x"}, "Items": []}, 400),
        ({"BatchId": {"Value": "x"}, "Items": ["text"]}, 400),
        ({"BatchId": {"Value": "x"}, "Items": [GOOD], "AccountingSystemID": 18}, 400),
        ([GOOD], 400),
    ],
)
def test_malformed_batch_is_refused_whole(avid: AvidWorld, body: Any, status: int) -> None:
    reply = avid.post("/glAccounts/batches", body)
    assert reply.status_code == status
    assert set(reply.json()) == {"code", "message", "description"}
    assert avid.ledger()["gl_accounts"] == []


def test_body_must_be_json(avid: AvidWorld) -> None:
    url = f"{avid.url}/v1/glAccounts/batches"
    cut = avid.session.post(
        url, data=b'{"BatchId": ', headers={**HEADERS["EPIC06"], "Content-Type": "application/json"}
    )
    assert cut.status_code == 400
    assert avid.session.post(url, data={"a": "b"}, headers=HEADERS["EPIC06"]).status_code == 415


def test_batch_id_is_used_once(avid: AvidWorld) -> None:
    avid.send("glAccounts", GOOD, batch_id="ONCE")
    before = avid.ledger()
    assert avid.submit("glAccounts", {"AccountNumber": "99", "IsActive": True}, batch_id="ONCE").status_code == 409
    assert avid.ledger() == before
    assert avid.submit("vendors", vendor("X|1|MAIN"), batch_id="ONCE").status_code == 409
    assert avid.submit("glAccounts", GOOD, batch_id="ONCE", who="EPIC07").status_code in (200, 202)


def test_202_says_processing_until_a_pace_has_gone_by() -> None:
    with AvidWorld(pace=2, always_202=True, awkward=False) as avid:
        reply = avid.submit("glAccounts", GOOD, BAD, batch_id="LATER")
        assert reply.status_code == 202
        assert reply.json()["Status"] == {"Id": 1, "Description": "Processing"}
        assert reply.json()["Results"] == []
        avid_id = reply.json()["Id"]["Value"]
        assert avid.get(f"/invoices/batches/{avid_id}").json() == reply.json()
        assert avid.ledger()["gl_accounts"] == []
        avid.clock.forward(seconds=2)
        later = avid.get(f"/invoices/batches/{avid_id}").json()
        assert later["Status"] == {"Id": 2, "Description": "Processing with Exceptions"}
        assert verdicts(later, ["01-10-5010", "BAD"]) == [(True, []), (False, ["VALIDATION"])]
        assert [row["AccountNumber"] for row in avid.ledger()["gl_accounts"]] == ["01-10-5010"]
        for path in ("/invoices/batches/LATER", f"/glAccounts/batches/{avid_id}"):
            assert avid.get(path).json() == later


def test_unknown_batch_is_404(avid: AvidWorld) -> None:
    assert avid.get("/invoices/batches/nothing").status_code == 404
    avid.send("glAccounts", GOOD, batch_id="MINE")
    assert avid.get("/invoices/batches/MINE", who="EPIC07").status_code == 404


def features(body: dict[str, Any], keys: list[str]) -> set[str]:
    """Which of the awkward shapes a reply shows."""
    results = listed(body["Results"])
    echoes = [result["Item"].get("ExternalId", {}).get("Value") for result in results]
    found = {
        "one object": isinstance(body["Results"], dict),
        "no status": "Status" not in body,
        "text flags": isinstance(results[0]["Successful"], str),
        "errors as object": any(isinstance(result.get("Errors"), dict) for result in results),
        "no errors": any("Errors" not in result for result in results),
        "some echoes missing": None in echoes,
        "shuffled": None not in echoes and echoes != keys,
        "more fields": "ProcessedBy" in results[0],
    }
    return {name for name, shown in found.items() if shown}


def test_every_shape_of_reply_comes_and_says_the_same(avid: AvidWorld) -> None:
    seen: set[str] = set()
    codes = 0
    for number in range(60):
        items = [GOOD, BAD, {"AccountNumber": f"X{number}", "IsActive": True}] if number % 3 else [BAD]
        reply = avid.submit("glAccounts", *items, batch_id=f"S{number}")
        if reply.status_code == 202:
            codes += 1
            reply = avid.get(f"/invoices/batches/S{number}")
        keys = [item["AccountNumber"] for item in items]
        said = verdicts(reply.json(), keys)
        assert said == [(True, []) if item is not BAD else (False, ["VALIDATION"]) for item in items]
        assert avid.get(f"/invoices/batches/S{number}").json() == reply.json()
        seen |= features(reply.json(), keys)
    assert seen == {
        "one object",
        "no status",
        "text flags",
        "errors as object",
        "no errors",
        "some echoes missing",
        "shuffled",
        "more fields",
    }
    assert 0 < codes < 60


def test_numbers_may_come_as_text(avid: AvidWorld) -> None:
    kinds = set()
    for number in range(20):
        avid.submit("vendors", vendor(f"N|{number}|MAIN"), batch_id=f"N{number}")
        body = avid.get(f"/invoices/batches/N{number}").json()
        kinds.add(type(listed(body["Results"])[0]["Item"]["Id"]))
    assert kinds == {int, str}


def test_plain_mode_is_plain() -> None:
    with AvidWorld(awkward=False) as avid:
        for number in range(30):
            reply = avid.submit("glAccounts", GOOD, BAD, batch_id=f"S{number}")
            assert reply.status_code == 200
            assert features(reply.json(), ["01-10-5010", "BAD"]) == set()
