"""Paging against a table that changes under the reader: keyset loses and repeats nothing, skip repeats nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.epicor import records
from connector.epicor.paging import Keyset, Question, Skip, walk
from connector.epicor.records import EntitySet
from connector.epicor.rows import Decoded, Page, decode
from connector.transport.errors import Misconfigured, Retry, System

Key = tuple[Any, ...]


class Table:
    """An OData source in memory: rows by key, a page cap of its own, and edits between the pages.

    Conditions are not parsed: the pager's own last key is looked at, which ``odata``'s tests prove to be what the
    filter says, and which the client's tests prove over HTTP.
    """

    def __init__(self, entity: EntitySet, keys: set[Key], *, cap: int, edits: list[tuple[set[Key], set[Key]]]) -> None:
        self.entity = entity
        self.keys = set(keys)
        self.cap = cap
        self.edits = list(edits)
        self.asked = 0

    def rows(self, keys: list[Key]) -> bytes:
        named = [dict(zip(self.entity.key, key, strict=True)) for key in keys]
        return json.dumps({"value": [{"VendorID": "v", "Company": "C1", **row} for row in named]}).encode()

    def answer(self, after: Key | None, skip: int, top: int) -> Decoded:
        self.asked += 1
        if self.asked > 1 and self.edits:
            added, removed = self.edits.pop(0)
            self.keys = (self.keys | added) - removed
        beyond = [key for key in sorted(self.keys) if after is None or key > after]
        return decode(self.entity, self.rows(beyond[skip : skip + min(top, self.cap)]), company="C1")


def read(table: Table, pager: Keyset | Skip, *, top: int) -> list[Page]:
    def load(question: Question) -> Decoded:
        after = pager._last if isinstance(pager, Keyset) else None
        assert bool(question.where) == (after is not None)
        return table.answer(after, question.skip, top)

    return list(walk(pager, load, name="rows"))


ATTRIBUTES = {
    "VendorNum": "vendor_num",
    "RemitToSeq": "remit_to_seq",
    "COACode": "coa_code",
    "GLAccount1": "gl_account",
}


def keys_of(pages: list[Page], entity: EntitySet) -> list[Key]:
    names = [ATTRIBUTES[column] for column in entity.key]
    return [tuple(getattr(row, name) for name in names) for page in pages for row in page.rows]


number = st.tuples(st.integers(1, 60))
pair = st.tuples(st.integers(1, 12), st.integers(0, 6))
texts = st.tuples(st.sampled_from(["A", "B"]), st.text(alphabet="01|", min_size=1, max_size=3))
KINDS = [(records.VENDORS, number), (records.REMIT_TOS, pair), (records.GL_ACCOUNTS, texts)]


def tables(entity: EntitySet, key: st.SearchStrategy[Key]) -> st.SearchStrategy[Table]:
    some = st.sets(key, max_size=8)
    return st.builds(
        Table, st.just(entity), st.sets(key, max_size=45), cap=st.integers(1, 20),
        edits=st.lists(st.tuples(some, some), max_size=8),
    )  # fmt: skip


@pytest.mark.parametrize(("entity", "key"), KINDS, ids=lambda kind: getattr(kind, "name", ""))
@settings(max_examples=60, deadline=None)
@given(data=st.data(), top=st.integers(1, 30))
def test_keyset_loses_no_row_that_was_there_throughout_and_repeats_none(
    entity: EntitySet, key: st.SearchStrategy[Key], data: st.DataObject, top: int
) -> None:
    table = data.draw(tables(entity, key))
    throughout = table.keys - {gone for _, removed in table.edits for gone in removed}
    ever = table.keys.union(*(added for added, _ in table.edits))
    got = keys_of(read(table, Keyset(entity), top=top), entity)
    assert throughout <= set(got) <= ever
    assert len(got) == len(set(got))
    assert got == sorted(got)


@pytest.mark.parametrize(("entity", "key"), KINDS, ids=lambda kind: getattr(kind, "name", ""))
@settings(max_examples=60, deadline=None)
@given(data=st.data(), top=st.integers(1, 30))
def test_skip_repeats_no_row_and_loses_none_while_rows_are_only_added(
    entity: EntitySet, key: st.SearchStrategy[Key], data: st.DataObject, top: int
) -> None:
    table = data.draw(tables(entity, key))
    removes = any(removed for _, removed in table.edits)
    throughout = table.keys
    try:
        got = keys_of(read(table, Skip(entity), top=top), entity)
    except Retry:
        # As many rows were added before the page as it holds: it looks like the last page again and is not trusted.
        return
    assert len(got) == len(set(got))
    if not removes:
        assert throughout <= set(got)


@settings(max_examples=60, deadline=None)
@given(st.sets(number, max_size=45), st.integers(1, 20), st.integers(1, 30))
def test_both_ways_read_a_quiet_table_whole(keys: set[Key], cap: int, top: int) -> None:
    for pager in (Keyset(records.VENDORS), Skip(records.VENDORS)):
        table = Table(records.VENDORS, keys, cap=cap, edits=[])
        pages = read(table, pager, top=top)
        assert keys_of(pages, records.VENDORS) == sorted(keys)
        assert all(page.rows for page in pages)
        assert table.asked == -(-len(keys) // min(cap, top)) + 1  # ends on an empty page, and asks for no more


def decoded(*numbers: int | None, link: str = "") -> Decoded:
    value = [{"Company": "C1", "VendorNum": n if n is not None else "?", "VendorID": "v"} for n in numbers]
    raw = json.dumps({"value": value, "@odata.nextLink": link or None}).encode()
    return decode(records.VENDORS, raw, company="C1")


def scripted(pager: Keyset | Skip, *answers: Decoded) -> tuple[Callable[[Question], Decoded], list[Question]]:
    asked: list[Question] = []
    left = list(answers)

    def load(question: Question) -> Decoded:
        asked.append(question)
        return left.pop(0) if len(left) > 1 else left[0]

    return load, asked


def numbers_of(pages: list[Page]) -> list[int]:
    return [row.vendor_num for page in pages for row in page.rows if isinstance(row, records.Vendor)]


def test_a_page_that_comes_again_is_asked_for_again() -> None:
    for pager in (Keyset(records.VENDORS), Skip(records.VENDORS)):
        load, asked = scripted(pager, decoded(1, 2), decoded(1, 2), decoded(3), decoded())
        assert numbers_of(list(walk(pager, load, name="Vendors"))) == [1, 2, 3]
        assert len(asked) == 4
        assert asked[1] == asked[2]


def test_a_page_that_keeps_coming_is_given_up() -> None:
    for pager in (Keyset(records.VENDORS), Skip(records.VENDORS)):
        load, asked = scripted(pager, decoded(1, 2))
        with pytest.raises(Retry) as caught:
            list(walk(pager, load, name="Vendors"))
        assert caught.value.code == "page_repeated"
        assert len(asked) == 4


@pytest.mark.parametrize("page", [(2, 1), (1, 1), (1, 3, 2)])
def test_keyset_refuses_a_server_that_does_not_order(page: tuple[int, ...]) -> None:
    load, _ = scripted(Keyset(records.VENDORS), decoded(*page))
    with pytest.raises(Misconfigured) as caught:
        list(walk(Keyset(records.VENDORS), load, name="Vendors"))
    assert caught.value.code == "order_ignored"


def test_keyset_goes_on_behind_a_bad_row_and_counts_it() -> None:
    pager = Keyset(records.VENDORS)
    raw = json.dumps({"value": [{"Company": "C1", "VendorNum": 5}]}).encode()  # no VendorID
    load, asked = scripted(pager, decode(records.VENDORS, raw, company="C1"), decoded(6), decoded())
    pages = list(walk(pager, load, name="Vendors"))
    assert [(page.last_key, len(page.bad)) for page in pages] == [((5,), 1), ((6,), 0)]
    assert asked[1].where == "VendorNum gt 5"


def test_keyset_stops_where_no_key_can_be_read_instead_of_running_in_circles() -> None:
    pager = Keyset(records.VENDORS)
    load, asked = scripted(pager, decoded(1, None), decoded(None))
    with pytest.raises(Misconfigured) as caught:
        list(walk(pager, load, name="Vendors"))
    assert caught.value.code == "key_unreadable"
    assert len(asked) == 2


def test_keyset_begins_after_a_remembered_key_within_a_filter() -> None:
    pager = Keyset(records.REMIT_TOS, where="A eq 1 or B eq 2", after=[104, 2])
    assert pager.question() == Question(
        "(A eq 1 or B eq 2) and (VendorNum gt 104 or (VendorNum eq 104 and RemitToSeq gt 2))"
    )
    assert Skip(records.VENDORS, after=[7]).question() == Question("VendorNum gt 7")


def test_keyset_does_not_follow_links_because_keys_are_safer() -> None:
    pager = Keyset(records.VENDORS)
    load, asked = scripted(pager, decoded(1, link="Vendors?$skip=1"), decoded())
    list(walk(pager, load, name="Vendors"))
    assert asked[1] == Question("VendorNum gt 1")


def test_skip_follows_a_link_only_while_one_comes() -> None:
    pager = Skip(records.VENDORS)
    load, asked = scripted(pager, decoded(1, 2, link="Vendors?$skiptoken=x"), decoded(3), decoded(4), decoded())
    assert numbers_of(list(walk(pager, load, name="Vendors"))) == [1, 2, 3, 4]
    assert asked == [
        Question(""), Question("", 2, "Vendors?$skiptoken=x"), Question("", 3), Question("", 4),
    ]  # fmt: skip


def test_skip_remembers_a_bounded_number_of_keys() -> None:
    pager = Skip(records.VENDORS)
    for start in range(0, 20_000, 1000):
        pager.accept(decoded(*range(start + 1, start + 1001)))
    assert len(pager._seen) == len(pager._order) == 5000


def test_a_page_carries_its_last_key_and_its_highest_revision() -> None:
    value = [{"Company": "C1", "VendorNum": n, "VendorID": "v", "SysRevID": rev} for n, rev in ((1, 50), (2, 40))]
    answer = decode(records.VENDORS, json.dumps({"value": value}).encode(), company="C1")
    page = Keyset(records.VENDORS).accept(answer)
    assert page is not None
    assert (page.last_key, page.max_rev) == ((2,), 50)


def test_the_next_page_is_fetched_while_the_last_is_stored() -> None:
    pager = Keyset(records.VENDORS)
    asked = threading.Semaphore(0)
    answers = [decoded(1), decoded(2), decoded()]

    def load(_: Question) -> Decoded:
        asked.release()
        return answers.pop(0)

    pages = walk(pager, load, name="Vendors")
    next(pages)
    assert asked.acquire(timeout=5)
    assert asked.acquire(timeout=5)  # page two is asked for though the caller still has page one in hand
    assert not asked.acquire(timeout=0.05)  # but not page three
    assert len(list(pages)) == 1


def test_leaving_early_ends_the_thread() -> None:
    pager = Keyset(records.VENDORS)
    load, _ = scripted(pager, decoded(1), decoded(2), decoded(3), decoded())
    pages = walk(pager, load, name="Vendors")
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("epicor-page")]


def test_what_goes_wrong_while_fetching_ahead_reaches_the_caller() -> None:
    pager = Keyset(records.VENDORS)
    answers = [decoded(1)]

    def load(_: Question) -> Decoded:
        if answers:
            return answers.pop()
        raise Retry("down", system=System.EPICOR, code="unreachable")

    pages = walk(pager, load, name="Vendors")
    assert next(pages).last_key == (1,)
    with pytest.raises(Retry):
        next(pages)
