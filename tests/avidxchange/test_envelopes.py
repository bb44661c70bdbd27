"""Envelopes in every shape of contract 2.2 to 2.7. The property at the end is the one that matters: whatever the
shape, the order and the missing echoes, an item gets its own verdict or none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange import envelopes
from connector.avidxchange.envelopes import ListReply, Paging
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import BatchAnswer, BatchState, Verdict
from connector.avidxchange.wire import Unreadable

PROFILE = Profile()


def clean(text: str) -> str:
    return text.replace("canary", "[redacted]")


def read(body: Any, sent: list[str], *, status: int = 200, key_name: str = "VendorExternalSystemID") -> BatchAnswer:
    encoded = json.dumps(body).encode()
    return envelopes.decode_results(encoded, sent, PROFILE, key_name=key_name, status=status, clean=clean)


def result(external_id: str | None, good: Any = True, *, avid_id: Any = None, errors: Any = None) -> dict[str, Any]:
    item: dict[str, Any] = {} if external_id is None else {"ExternalId": {"Value": external_id}}
    if avid_id is not None:
        item["Id"] = avid_id
    return {"Successful": good, "Item": item, "Errors": errors or []}


REFUSED = {"Code": "VENDOR_NOT_FOUND", "Message": "no canary vendor", "Field": "VendorExternalSystemID"}

# --- lists -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "reply"),
    [
        ('{"Items": [1, 2]}', ListReply([1, 2], None)),
        ('{"Items": {"Id": 1}}', ListReply([{"Id": 1}], None)),
        ('{"items": null, "paging": null}', ListReply([], None)),
        ("[1]", ListReply([1], None)),
        ('{"Items": [], "Paging": {"PageCount": "3"}}', ListReply([], Paging(pages=3))),
        ('{"Items": [], "Paging": {"Pages": 4, "TotalItems": 7}}', ListReply([], Paging(pages=4, total=7))),
        ('{"Items": [], "Paging": {"PageCount": "many", "TotalItems": -1}}', ListReply([], Paging())),
        (
            '{"Items": [], "Paging": {"Links": {"Rel": "NEXT", "Href": "/n"}}}',
            ListReply([], Paging(next_href="/n", links=True)),
        ),
        (
            '{"Items": [], "Paging": {"Links": [{"Rel": "first", "Href": "/f"}]}}',
            ListReply([], Paging(links=True)),
        ),
    ],
)
def test_list(body: str, reply: ListReply) -> None:
    assert envelopes.decode_list(body.encode()) == reply


@pytest.mark.parametrize("body", [b"", b"{}", b'{"message": "x"}', b"7", b'"x"', b'{"Items": [1', b"<html/>"])
def test_no_list(body: bytes) -> None:
    with pytest.raises(Unreadable):
        envelopes.decode_list(body)


@pytest.mark.parametrize("body", [b'{"A": 1}', b'{"Items": {"A": 1}}', b'{"Items": [{"A": 1}]}', b'[{"A": 1}]'])
def test_a_single_record_may_be_wrapped(body: bytes) -> None:
    assert envelopes.decode_single(body) == {"A": 1}


@pytest.mark.parametrize("body", [b"[]", b'{"Items": []}', b'{"Items": [{"A": 1}, {"A": 2}]}', b"3"])
def test_no_single_record(body: bytes) -> None:
    with pytest.raises(Unreadable):
        envelopes.decode_single(body)


# --- verdicts ----------------------------------------------------------------------------------------------------


def test_the_contract_s_example() -> None:
    body = {
        "BatchId": {"Value": "ACME-B000123"},
        "Id": {"Value": "9f3", "SchemeOwner": "AvidXchange"},
        "Status": {"Id": 2, "Description": "Processing with Exceptions"},
        "Results": [
            {
                "Successful": True,
                "Item": {"Id": 880123, "ExternalId": {"Value": "a"}, "Status": {"Description": "Received"}},
                "Errors": [],
            },
            {"Successful": False, "Item": {"ExternalId": {"Value": "b"}}, "Errors": [REFUSED]},
        ],
    }
    assert read(body, ["a", "b"]) == BatchAnswer(
        avid_batch_id="9f3",
        external_id="ACME-B000123",
        status_text="Processing with Exceptions",
        state=BatchState.PARTIAL,
        verdicts=(
            Verdict(external_id="a", successful=True, avid_id="880123", status="Received"),
            Verdict(
                external_id="b",
                successful=False,
                code="vendor_not_found",
                message="no [redacted] vendor",
                field="VendorExternalSystemID",
            ),
        ),
    )


@pytest.mark.parametrize(
    "body",
    [
        {"Results": result("a", "true", avid_id="5")},
        {"results": [result("a", "TRUE", avid_id=5)]},
        {"Items": [{"Results": result("a", avid_id=5)}]},
        {"Items": {"Results": [result("a", avid_id={"Value": "5"})]}},
        result("a", avid_id=5),
        [result("a", avid_id=5)],
        {"Results": [{"Successful": True, "Item": {"Id": 5, "ExternalId": "a"}}]},
        {"Results": [{"Successful": True, "Item": {"Id": 5, "VendorExternalSystemID": "a"}, "Errors": None}]},
        {"Results": [{"Successful": True, "Item": {"Id": 5}, "Errors": {}}]},
    ],
)
def test_one_success_in_every_shape(body: Any) -> None:
    found = read(body, ["a"])
    assert found.verdicts == (Verdict(external_id="a", successful=True, avid_id="5"),)
    assert (found.state, found.unmatched) == (BatchState.SUCCESS, ())


@pytest.mark.parametrize("errors", [REFUSED, [REFUSED], [REFUSED, REFUSED]])
@pytest.mark.parametrize("good", [False, "false", "False", None])
def test_one_refusal_in_every_shape(errors: Any, good: Any) -> None:
    found = read({"Results": [result("a", good, errors=errors)]}, ["a"])
    assert [(one.successful, one.code, one.message) for one in found.verdicts] == [
        (False, "vendor_not_found", "no [redacted] vendor")
    ]
    assert found.state is BatchState.FAILED


def test_a_message_alone_and_several_errors() -> None:
    errors = [{"Message": "This invoice already exists"}, {"Message": "and more"}]
    (found,) = read({"Results": [result("a", False, errors=errors)]}, ["a"]).verdicts
    assert (found.code, found.message) == ("duplicate_invoice", "This invoice already exists; and more")


def test_success_with_errors_is_no_verdict() -> None:
    found = read({"Results": [result("a", True, errors=[REFUSED])]}, ["a"])
    assert [(one.successful, one.code) for one in found.verdicts] == [(None, "vendor_not_found")]
    assert found.state is BatchState.PROCESSING


@pytest.mark.parametrize(
    ("status", "body", "unmatched"),
    [
        (202, {"Id": "9"}, ("a", "b")),
        (202, {"Id": "9", "Results": []}, ("a", "b")),
        (202, {"Id": "9", "Results": [result("a"), result("b")]}, ()),
        (200, {"Id": "9", "Results": None}, ("a", "b")),
        (200, {"Id": "9", "Results": [result("a")]}, ("b",)),
        (200, {"Id": "9", "Results": [result("a"), {"Item": {"ExternalId": "b"}}]}, ()),
    ],
)
def test_processing(status: int, body: Any, unmatched: tuple[str, ...]) -> None:
    found = read(body, ["a", "b"], status=status)
    assert (found.state, found.unmatched, found.avid_batch_id) == (BatchState.PROCESSING, unmatched, "9")


@pytest.mark.parametrize("body", [b"", b"null", b"7", b"<html/>", b'{"Results": ['])
def test_no_answer_to_a_batch(body: bytes) -> None:
    with pytest.raises(Unreadable):
        envelopes.decode_results(body, ["a"], PROFILE, key_name="X", status=200, clean=clean)


# --- correlation -------------------------------------------------------------------------------------------------


def matched(results: list[Any], sent: list[str]) -> dict[str, str]:
    return {one.external_id: one.avid_id for one in read({"Results": results}, sent).verdicts}


def test_by_echo_in_any_order() -> None:
    assert matched([result("b", avid_id=2), result("a", avid_id=1)], ["a", "b"]) == {"a": "1", "b": "2"}


def test_by_position_if_counts_match_and_nothing_contradicts() -> None:
    assert matched([result(None, avid_id=1), result(None, avid_id=2)], ["a", "b"]) == {"a": "1", "b": "2"}
    assert matched([result("a", avid_id=1), result(None, avid_id=2)], ["a", "b"]) == {"a": "1", "b": "2"}


def test_no_position_if_counts_differ() -> None:
    assert matched([result(None, avid_id=1)], ["a", "b"]) == {}
    assert matched([result(None, avid_id=1), result(None, avid_id=2)], ["a"]) == {}


def test_no_position_if_an_echo_is_out_of_place() -> None:
    shuffled = [result("c", avid_id=3), result(None, avid_id=0), result(None, avid_id=0)]
    assert matched(shuffled, ["a", "b", "c"]) == {"c": "3"}


def test_the_only_one_left_needs_no_echo() -> None:
    shuffled = [result("c", avid_id=3), result("a", avid_id=1), result(None, avid_id=2)]
    assert matched(shuffled, ["a", "b", "c"]) == {"a": "1", "b": "2", "c": "3"}


def test_a_foreign_echo_is_nobody_s_verdict_and_ends_trust_in_position() -> None:
    assert matched([result("z", avid_id=9), result(None, avid_id=2)], ["a", "b"]) == {}


def test_two_verdicts_for_one_item_count_only_if_they_agree() -> None:
    assert matched([result("a", avid_id=1), result("a", avid_id=1)], ["a", "b"]) == {"a": "1"}
    assert matched([result("a", avid_id=1), result("a", False, errors=[REFUSED])], ["a", "b"]) == {}
    assert matched([result("a", avid_id=1), result("a", avid_id=2)], ["a", "b"]) == {}


@st.composite
def replies(draw: st.DrawFn) -> tuple[list[str], dict[str, tuple[bool, str]], Any]:
    """What was sent, the truth about it, and a reply that a server of contract 2.5 to 2.7 may give.

    A server may echo or not, shuffle or not, leave results out, add results of others, repeat some. What it may not do
    is to shuffle results that carry no echo at all: nobody could read that.
    """
    sent = draw(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=8, unique=True))
    truth = {name: (draw(st.booleans()), f"id-{name}") for name in sent}
    silent = set(draw(st.lists(st.sampled_from(sent), unique=True)))
    kept = [name for name in sent if draw(st.integers(0, 9)) > 0]
    order = draw(st.permutations(kept))
    loud = [name for name in kept if name not in silent]
    in_place = [name for name in order if name in silent] == [name for name in kept if name in silent]
    if not in_place or (silent and [name for name in order if name in loud] == loud):
        order = kept
    rows: list[Any] = [_row(draw, name, truth[name], echo=name not in silent) for name in order]
    if draw(st.integers(0, 5)) == 0:
        rows.insert(draw(st.integers(0, len(rows))), _row(draw, "zz", (True, "id-zz"), echo=True))
    if loud and draw(st.integers(0, 5)) == 0:
        name = draw(st.sampled_from(loud))
        rows.append(_row(draw, name, truth[name], echo=True))
    results: Any = rows[0] if len(rows) == 1 and draw(st.booleans()) else rows
    body: Any = {"Results": results}
    wrap = draw(st.sampled_from(["plain", "items", "items list"]))
    if wrap != "plain":
        body = {"Items": body if wrap == "items" else [body]}
    return sent, truth, body


def _row(draw: st.DrawFn, name: str, truth: tuple[bool, str], *, echo: bool) -> dict[str, Any]:
    good, avid_id = truth
    row: dict[str, Any] = {"Successful": draw(st.sampled_from([good, str(good), str(good).lower()]))}
    row["Item"] = {"Id": avid_id}
    if echo:
        written = draw(st.sampled_from(["identifier", "text", "key"]))
        row["Item"]["VendorExternalSystemID" if written == "key" else "ExternalId"] = (
            {"Value": name} if written == "identifier" else name
        )
    if not good:
        row["Errors"] = draw(st.sampled_from([REFUSED, [REFUSED], [{"Message": "no"}, REFUSED]]))
    elif draw(st.booleans()):
        row["Errors"] = []
    return row


@given(replies(), st.sampled_from([200, 201, 202]))
def test_an_item_gets_its_own_verdict_or_none(
    case: tuple[list[str], dict[str, tuple[bool, str]], Any], status: int
) -> None:
    sent, truth, body = case
    found = read(body, sent, status=status)
    for one in found.verdicts:
        assert (one.successful, one.avid_id) == truth[one.external_id]
        assert bool(one.code) == (not one.successful)
    assert [one.external_id for one in found.verdicts] == [name for name in sent if name not in found.unmatched]
    outcomes = {truth[one.external_id][0] for one in found.verdicts}
    if status == 202 or found.unmatched:
        assert found.state is BatchState.PROCESSING
    else:
        by_outcome = {(True,): BatchState.SUCCESS, (False,): BatchState.FAILED}
        assert found.state is by_outcome.get(tuple(outcomes), BatchState.PARTIAL)


# --- writes of one thing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", None),
        (b"{}", None),
        (b'{"Id": 5}', None),
        (b'{"Results": {"Successful": "true", "Item": {}}}', None),
        (
            b'{"Results": {"Successful": "false", "Errors": {"Code": "IMAGE_REJECTED", "Message": "no"}}}',
            "image_rejected",
        ),
        (b'{"Results": [{"Successful": true}, {"Successful": false, "Errors": [{"Message": "odd"}]}]}', "unexpected"),
        (b'{"Successful": false}', ""),
    ],
)
def test_a_refusal_may_hide_in_a_good_status(body: bytes, code: str | None) -> None:
    found = envelopes.refusal(body, PROFILE, clean=clean)
    assert (found.code if found else None) == code


def test_an_answer_that_is_no_json_is_no_success() -> None:
    with pytest.raises(Unreadable):
        envelopes.refusal(b"<html/>", PROFILE, clean=clean)
