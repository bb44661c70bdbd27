"""Paging in every variant of contract 2.3 yields each row once, and stops loudly where rows would be lost (2.4)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange import paging
from connector.avidxchange.envelopes import ListReply, Paging
from connector.avidxchange.paging import Walk, windows
from connector.transport.errors import Misconfigured, Retry

START = "https://api.sandbox.invalid/v1/things?pageNumber=1&pageSize=500"
VARIANTS = ("PageCount", "TotalItems", "PageCount and TotalItems", "Links", "Links and TotalItems", "nothing", "None")


class Server:
    """Pages of rows in one variant of ``Paging``; counts what it is asked."""

    def __init__(self, rows: list[Any], size: int, variant: str) -> None:
        self.rows = rows
        self.size = size
        self.variant = variant
        self.asked: list[str] = []

    def __call__(self, url: str) -> ListReply:
        self.asked.append(url)
        number = int(parse_qs(urlsplit(url).query)["pageNumber"][0])
        start = (number - 1) * self.size
        return ListReply(self.rows[start : start + self.size], self.paging(number))

    def paging(self, number: int) -> Paging | None:
        if self.variant == "None":
            return None
        pages = max(1, -(-len(self.rows) // self.size))
        href = f"/v1/things?pageNumber={number + 1}&cursor=x%7Cy" if number < pages else ""
        return Paging(
            pages=pages if "PageCount" in self.variant else None,
            total=len(self.rows) if "TotalItems" in self.variant else None,
            next_href=href if "Links" in self.variant else "",
            links="Links" in self.variant,
        )


def walk(fetch: Callable[[str], ListReply], had: set[bytes] | None = None) -> list[Any]:
    return [row for rows in Walk(fetch, START, page_param="pageNumber", had=had).rows() for row in rows]


def rows_of(count: int) -> list[Any]:
    return [{"Id": number} for number in range(count)]


@given(st.integers(0, 40), st.integers(1, 9), st.sampled_from(VARIANTS))
def test_every_row_once_in_every_variant(count: int, size: int, variant: str) -> None:
    server = Server(rows_of(count), max(size, count) if variant == "None" else size, variant)
    assert walk(server) == rows_of(count)
    assert len(server.asked) <= -(-count // server.size) + 1
    assert len(server.asked) == len(set(server.asked))


@given(st.integers(1, 30), st.integers(1, 6), st.sampled_from(VARIANTS[:-1]), st.integers(1, 6))
def test_rows_served_twice_come_once(count: int, size: int, variant: str, shift: int) -> None:
    """Rows are added in front while we read, so that later pages repeat what earlier ones had.

    A whole page that comes again where a list promised more cannot be told from a fault, so it is one, aloud.
    """
    server = Server(rows_of(count), size, variant)

    def busy(url: str) -> ListReply:
        reply = server(url)
        if len(server.asked) == 1:
            server.rows = [{"New": number} for number in range(shift)] + server.rows
        return reply

    found, code = [], ""
    try:
        found = walk(busy)
    except Retry as error:
        code = error.code
    if code:
        assert variant != "nothing"
        assert (code == "repeated_page" and shift % size == 0) or (code == "rows_missing" and "TotalItems" in variant)
        return
    assert [row for row in found if "Id" in row] == rows_of(count)
    assert len({str(row) for row in found}) == len(found)


@given(st.integers(2, 30), st.integers(1, 6), st.sampled_from(VARIANTS[:-1]), st.data())
def test_a_page_served_again_by_a_proxy_is_asked_for_once_more(
    count: int, size: int, variant: str, data: st.DataObject
) -> None:
    server = Server(rows_of(count), size, variant)
    again = data.draw(st.integers(2, max(2, -(-count // size))))
    served: list[ListReply] = []

    def sleepy(url: str) -> ListReply:
        stale = len(served) + 1 == again
        served.append(served[-1] if stale else server(url))
        return served[-1]

    if variant == "nothing":
        # Nothing was promised here and nothing can be noticed: the page that was hidden is lost until the next sweep.
        hidden = range((again - 1) * size, again * size)
        assert walk(sleepy) == [row for row in rows_of(count) if row["Id"] not in hidden]
    else:
        assert walk(sleepy) == rows_of(count)


@pytest.mark.parametrize(("variant", "code"), [("PageCount", "repeated_page"), ("TotalItems", "rows_missing")])
def test_a_page_that_only_ever_repeats_is_an_error_where_more_was_promised(variant: str, code: str) -> None:
    server = Server(rows_of(9), 3, variant)
    with pytest.raises(Retry) as caught:
        walk(lambda url: server(START))
    assert caught.value.code == code


def test_a_list_that_ignores_the_page_number_and_promises_nothing_ends() -> None:
    server = Server(rows_of(3), 3, "nothing")
    assert walk(lambda url: server(START)) == rows_of(3)
    assert len(server.asked) == 3


def test_an_empty_page_ends_the_walk() -> None:
    replies = iter([ListReply(rows_of(2), Paging(pages=9)), ListReply([], Paging(pages=9))])
    assert walk(lambda url: next(replies)) == rows_of(2)


def test_an_empty_page_is_an_error_if_the_count_says_rows_are_missing() -> None:
    replies = iter([ListReply(rows_of(2), Paging(total=9)), ListReply([], Paging(total=9))])
    with pytest.raises(Retry) as caught:
        walk(lambda url: next(replies))
    assert (caught.value.code, caught.value.message) == (
        "rows_missing",
        "A list ended before all of its rows had come (2 of 9).",
    )


def test_rows_taken_away_meanwhile_are_no_error() -> None:
    replies = iter([ListReply(rows_of(2), Paging(total=3)), ListReply([], Paging(total=2))])
    assert walk(lambda url: next(replies)) == rows_of(2)


@pytest.mark.parametrize(
    "href",
    [
        "https://elsewhere.invalid/v1/things?pageNumber=2",
        "//elsewhere.invalid/v1/things",
        "http://api.sandbox.invalid/v1/things?pageNumber=2",
        "https://api.sandbox.invalid:444/v1/things",
        "https://api.sandbox.invalid@elsewhere.invalid/",
    ],
)
def test_a_link_to_another_host_is_never_followed(href: str) -> None:
    asked: list[str] = []

    def fetch(url: str) -> ListReply:
        asked.append(url)
        return ListReply(rows_of(1), Paging(next_href=href, links=True))

    with pytest.raises(Misconfigured) as caught:
        walk(fetch)
    assert (caught.value.code, asked) == ("foreign_next_link", [START])


def test_links_in_a_circle_end() -> None:
    circle = {"1": "/v1/things?pageNumber=2", "2": "/v1/things?pageSize=500&pageNumber=1"}

    def fetch(url: str) -> ListReply:
        number = parse_qs(urlsplit(url).query)["pageNumber"][0]
        return ListReply([{"Id": number}], Paging(next_href=circle[number], links=True))

    assert walk(fetch) == [{"Id": "1"}, {"Id": "2"}]


def test_an_endless_list_is_given_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PAGES", 5)
    with pytest.raises(Misconfigured) as caught:
        walk(lambda url: ListReply([{"Url": url}], Paging()))
    assert caught.value.code == "endless_list"


def test_a_row_that_changed_comes_again_and_an_equal_one_does_not() -> None:
    had: set[bytes] = set()
    assert walk(Server([{"Id": 1, "Status": "Sent"}], 5, "None"), had) == [{"Id": 1, "Status": "Sent"}]
    later = [{"Status": "Sent", "Id": 1}, {"Id": 1, "Status": "Cleared"}]
    assert walk(Server(later, 5, "TotalItems"), had) == [{"Id": 1, "Status": "Cleared"}]


@given(st.dates(min_value=date(2020, 1, 1), max_value=date(2030, 1, 1)), st.integers(-3, 400), st.integers(1, 40))
def test_windows_cover_every_day_and_are_never_too_long(start: date, days: int, days_max: int) -> None:
    end = start + timedelta(days=days)
    found = list(windows(start, end, days_max=days_max))
    covered = {first + timedelta(days=n) for first, last in found for n in range((last - first).days + 1)}
    assert covered == {start + timedelta(days=n) for n in range(days + 1)}
    assert all(first <= last and (last - first).days < days_max for first, last in found)
    # Neighbours share a day, so nothing is lost if the last day is not counted in.
    if days_max > 1:
        assert all(after[0] == before[1] for before, after in pairwise(found))
    assert len(found) <= max(1, days) + 1
