"""Faults on request: each kind breaks a call its own way, and rules fire as often as they say."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from connector.sandbox.faults import FaultBook, Rule
from tests.sandbox.epicor_world import INVOICE_GROUPS, EpicorWorld

GROUPS = "Erp.BO.APInvGrpSvc/APInvGrps"
NEW_GROUP = {"Company": "EPIC06", "GroupID": "FAULTY"}


def group_exists(world: EpicorWorld) -> bool:
    return world.state.companies["EPIC06"]["APInvGrp"].get("FAULTY") is not None


def test_a_status_comes_instead_of_the_call_as_often_as_told() -> None:
    rule = {"system": "epicor", "method": "GET", "path": "APInvGrps", "skip": 1, "times": 2, "kind": "status",
            "status": 429, "headers": {"Retry-After": "7"}, "body": {"busy": True}}  # fmt: skip
    with EpicorWorld(faults=[rule]) as world:
        replies = [world.get(GROUPS) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 429, 429, 200]
        assert (replies[1].headers["Retry-After"], replies[1].json()) == ("7", {"busy": True})
        assert world.get("Erp.BO.VendorSvc/Vendors").status_code == 200
        assert world.faults.report() == [{"kind": "status", "path": "APInvGrps", "met": 4, "fired": 2}]


def test_a_rule_for_the_other_system_or_method_never_fires() -> None:
    rules = [{"system": "avidxchange", "kind": "html", "times": -1}, {"method": "POST", "kind": "html", "times": -1}]
    with EpicorWorld(faults=rules) as world:
        assert world.get(GROUPS).headers["Content-Type"] == "application/json"


def test_html_comes_with_status_200() -> None:
    with EpicorWorld(faults=[{"kind": "html", "path": r"APInvGrps\?.*top=1$"}]) as world:
        reply = world.get(f"{GROUPS}?$top=1")
        assert (reply.status_code, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert reply.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("kind", "landed"), [("reset_before", False), ("reset_after", True)])
def test_a_dropped_connection_tells_nothing_about_the_write(kind: str, landed: bool) -> None:
    with EpicorWorld(faults=[{"kind": kind, "method": "POST"}]) as world:
        with pytest.raises(requests.ConnectionError):
            world.post(INVOICE_GROUPS, "APInvGrps", NEW_GROUP)
        assert group_exists(world) is landed
        assert world.get(GROUPS).status_code == 200


def test_json_can_be_cut_short_of_its_length() -> None:
    with EpicorWorld(faults=[{"kind": "cut_json"}]) as world:
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            world.get(GROUPS)
        assert world.get(GROUPS).status_code == 200


def test_slow_answers_wait_before_or_inside_the_body() -> None:
    waited: list[float] = []
    rules = [{"kind": "slow", "seconds": 2.5}, {"kind": "slow_body", "seconds": 0.5}]
    with EpicorWorld(faults=rules) as world:
        world.faults._sleep = waited.append
        first, second = world.get(GROUPS), world.get(GROUPS)
        assert first.json()["value"] == second.json()["value"]
        assert waited == [2.5, 0.5]


def test_a_page_can_be_answered_twice() -> None:
    with EpicorWorld(faults=[{"kind": "repeat_page", "path": "Vendors", "skip": 1}]) as world:
        pages = [world.rows(f"Erp.BO.VendorSvc/Vendors?$top=2&$skip={skip}&$select=VendorNum") for skip in (0, 2, 4)]
        assert pages == [
            [{"VendorNum": 101}, {"VendorNum": 102}],
            [{"VendorNum": 101}, {"VendorNum": 102}],
            [{"VendorNum": 105}, {"VendorNum": 106}],
        ]


def test_the_first_rule_that_fires_wins() -> None:
    rules = [{"kind": "status", "status": 500}, {"kind": "status", "status": 503, "times": -1}]
    with EpicorWorld(faults=rules) as world:
        assert [world.get(GROUPS).status_code for _ in range(3)] == [500, 503, 503]
        world.faults.clear()
        assert world.get(GROUPS).status_code == 200


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"kind": "explode"}, "unknown fault 'explode'"),
        ({"kind": "slow", "second": 1}, "a fault has no field second"),
        ({}, "unknown fault None"),
    ],
)
def test_a_wrong_rule_is_refused_and_none_is_added(given: dict[str, Any], problem: str) -> None:
    book = FaultBook()
    with pytest.raises(ValueError, match=problem):
        book.add([{"kind": "html"}, given])
    assert book.report() == []


def test_a_rule_reads_from_json_as_it_is_written() -> None:
    rule = Rule.read(json.loads('{"kind": "status", "status": 503, "body": "<p>busy</p>", "times": -1}'))
    assert (rule.status, rule.body, rule.times, rule.skip) == (503, "<p>busy</p>", -1, 0)
