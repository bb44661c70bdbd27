"""Lists, links, missing capabilities and faults on the wire of the AvidXchange stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.sandbox.avidxchange import AvidState, make_app
from tests.sandbox.avid_world import AvidWorld, listed, seed, vendor

XML = (
    '<amt:fault xmlns:amt="http://wso2.org/apimanager/throttling"><amt:code>900804</amt:code>'
    "<amt:message>Message throttled out</amt:message></amt:fault>"
)


@pytest.fixture
def avid() -> Iterator[AvidWorld]:
    with AvidWorld() as world:
        yield world


def walk(avid: AvidWorld, size: int) -> tuple[list[int], str]:
    """Every vendor id by following what the pages say, and which paging they had."""
    body = avid.get("/vendors", pageSize=size).json()
    shape = ""
    seen: list[int] = []
    for number in range(2, 200):
        items = listed(body["Items"])
        seen += [row["Id"] for row in items]
        paging = body.get("Paging")
        if paging is None:
            return seen, "None"
        following = [link["Href"] for link in paging.get("Links", []) if link["Rel"] == "next"]
        if "Links" in paging:
            shape = "Links"
            if not following:
                break
            body = avid.get(following[0]).json()
            continue
        shape = "Pages" if "Pages" in paging else "PageCount"
        if number > paging[shape]:
            break
        body = avid.get("/vendors", pageSize=size, pageNumber=number).json()
    return seen, shape


def test_every_kind_of_paging_leads_to_every_row(avid: AvidWorld) -> None:
    everything = [row["Id"] for row in avid.ledger()["vendors"]]
    shapes = set()
    for salt in range(12):
        avid.state.salt = salt
        for size in (7, len(everything), 500):
            seen, shape = walk(avid, size)
            assert seen == everything
            shapes.add(shape)
    assert shapes == {"PageCount", "Pages", "Links", "None"}


def test_paging_counts_are_true() -> None:
    with AvidWorld(awkward=False) as avid:
        total = len(avid.ledger()["vendors"])
        body = avid.get("/vendors", pageSize=10, pageNumber=2).json()
        assert body["Paging"] == {
            "PageSize": 10,
            "PageNumber": 2,
            "PageItems": 10,
            "TotalItems": total,
            "PageCount": -(-total // 10),
        }


def test_a_page_after_the_last_is_empty_and_sizes_are_cut(avid: AvidWorld) -> None:
    assert avid.get("/vendors", pageNumber=99).json()["Items"] == []
    avid.edit("options", set={"page_max": 5})
    assert len(avid.get("/vendors", pageSize=10000).json()["Items"]) == 5


@pytest.mark.parametrize("query", [{"pageNumber": "0"}, {"pageNumber": "-1"}, {"pageSize": "0"}, {"pageSize": "ten"}])
def test_nonsense_pages_are_refused(avid: AvidWorld, query: dict[str, str]) -> None:
    assert avid.get("/vendors", **query).status_code == 400


def test_one_item_may_come_without_its_list(avid: AvidWorld) -> None:
    shapes = set()
    for salt in range(12):
        avid.state.salt = salt
        shapes.add(type(avid.get("/vendors", pageSize=1).json()["Items"]))
    assert shapes == {dict, list}


def test_next_link_to_another_host(avid: AvidWorld) -> None:
    avid.edit("options", set={"foreign_next_link": True})
    for path, query in (("/vendors", {}), ("/payments", {"lastModifiedFrom": "2026-11-23"})):
        links = avid.get(path, **query).json()["Paging"]["Links"]
        assert [link["Href"].startswith("https://elsewhere.invalid/v1/") for link in links] == [True]


@pytest.mark.parametrize(("status", "body"), [(404, "<html>"), (405, "<html>"), (501, "")])
def test_missing_capabilities(status: int, body: str) -> None:
    with AvidWorld(capability_missing=["/receipts/batches", "/v1/invoices/{id}/images", "/vendors"]) as avid:
        avid.edit("options", set={"capability_status": status})
        replies = [
            avid.submit("receipts", {"PONumber": "1"}),
            avid.post("/invoices/880001/images", {}),
            avid.get("/vendors"),
            avid.get("/receipts/batches"),
        ]
        assert [(reply.status_code, reply.text[:6]) for reply in replies] == [(status, body)] * 4
        assert avid.get("/vendors/batches").json()["code"] == "405"
        assert avid.submit("vendors", vendor("X|1|MAIN")).status_code in (200, 202)


def test_unknown_paths_and_methods_are_gateway_errors(avid: AvidWorld) -> None:
    assert avid.get("/nothing").json()["code"] == "404"
    assert avid.post("/vendors", {}).json()["code"] == "405"
    assert avid.get("/authorizations").json()["code"] == "405"
    for path in ("/payments/submit", "/payments/500001/void"):
        assert avid.post(path, {}).status_code == 404


def test_a_connection_survives_early_refusals(avid: AvidWorld) -> None:
    """The body of a refused call is read, or the next call on the same connection would start with it."""
    big = {"BatchId": {"Value": "x"}, "Items": [{"AccountNumber": "y" * 200_000}]}
    for _ in range(3):
        refused = avid.session.post(f"{avid.url}/v1/glAccounts/batches", json=big, timeout=10)
        assert refused.status_code == 401
        assert avid.get("/ping").json() == {"Status": "OK"}


def test_throttled_in_xml_and_with_retry_after(avid: AvidWorld) -> None:
    rule: dict[str, Any] = {"kind": "status", "status": 429, "path": "/v1/vendors"}
    avid.faults.add([{**rule, "body": XML}, {**rule, "headers": {"Retry-After": "7"}, "body": {"code": "900802"}}])
    first, second, third = (avid.get("/vendors") for _ in range(3))
    assert (first.status_code, first.text, "Retry-After" in first.headers) == (429, XML, False)
    assert (second.status_code, second.headers["Retry-After"]) == (429, "7")
    assert third.status_code == 200


def test_the_write_lands_and_the_reply_is_lost(avid: AvidWorld) -> None:
    avid.faults.add([{"kind": "reset_after", "method": "POST"}])
    with pytest.raises(requests.ConnectionError):
        avid.submit("vendors", vendor("X|1|MAIN"), batch_id="LOST")
    assert avid.submit("vendors", vendor("X|1|MAIN"), batch_id="LOST").status_code == 409
    (result,) = listed(avid.get("/invoices/batches/LOST").json()["Results"])
    assert str(result["Successful"]).lower() == "true"
    assert len([row for row in avid.ledger()["vendors"] if row["VendorExternalSystemID"] == "X|1|MAIN"]) == 1


def test_a_page_may_be_answered_twice(avid: AvidWorld) -> None:
    avid.faults.add([{"kind": "repeat_page", "path": "pageNumber=2"}])
    first = avid.get("/vendors", pageSize=5, pageNumber=1).json()
    assert avid.get("/vendors", pageSize=5, pageNumber=2).json() == first
    assert avid.get("/vendors", pageSize=5, pageNumber=2).json() != first


def test_calls_are_counted(avid: AvidWorld) -> None:
    avid.get("/ping")
    avid.post("/vendors", {})
    got = avid.session.get(f"{avid.url}/__sandbox__/ledger", timeout=10).json()
    assert got["calls"] == {"avidxchange": {"GET": 1, "POST": 1}}


def test_two_states_of_one_seed_are_alike_and_apart() -> None:
    one, other = AvidState(seed()), AvidState(seed())
    make_app(one)
    for state in (one, other):
        for customer in state.customers.values():
            for row in customer.vendors.values():
                row["LastModified"] = None
    assert one.ledger()["EPIC06"]["vendors"] == other.ledger()["EPIC06"]["vendors"]
    next(iter(one.customers["EPIC06"].vendors.values()))["VendorName"] = "Changed"
    assert one.ledger()["EPIC06"]["vendors"] != other.ledger()["EPIC06"]["vendors"]
