"""Walking a list page by page (contract 2.3, 2.4), as pure steps around one function that fetches.

The next page is the ``next`` link if there is one, on our own host only; else the next page number while the list
says that there is more. A page that is empty or came before ends the walk; if the list's own count says that rows are
still missing, it ends it with an error instead, because a cursor must not move over rows that were never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from connector.avidxchange import urls
from connector.avidxchange.envelopes import ListReply, Paging
from connector.transport.errors import Misconfigured, Retry, System

MAX_PAGES = 10_000
Fetch = Callable[[str], ListReply]

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Walk:
    """One walk over one list. ``rows`` yields each page's rows, every row once however often it was served.

    ``had`` holds the marks of rows served before; walks over neighbouring windows share one.
    """

    def __init__(self, fetch: Fetch, first_url: str, *, page_param: str, had: set[bytes] | None = None) -> None:
        self._fetch = fetch
        self._url = first_url
        self._page_param = page_param
        self._had: set[bytes] = set() if had is None else had
        self._asked: set[urls.Place] = set()
        self._pages: set[bytes] = set()
        self._rows: set[bytes] = set()
        self._last: list[bytes] = []

    def rows(self) -> Iterator[list[Any]]:
        """Yield pages of rows; the last one may be empty. Raises what ``fetch`` raises, ``Retry`` (codes
        ``repeated_page``, ``rows_missing``) and ``Misconfigured`` (codes ``foreign_next_link``, ``endless_list``)."""
        promised = False
        for number in range(1, MAX_PAGES + 1):
            self._asked.add(urls.place(self._url))
            reply, marks = self._page()
            if promised and self._seen(marks):
                # A proxy may have served the page before once more; asked again, it may have woken up.
                reply, marks = self._page()
            if not reply.rows or (self._seen(marks) and self._stuck(marks, promised=promised)):
                self._check_end(reply, promised=promised and bool(reply.rows))
                return
            yield self._fresh(reply.rows, marks)
            onward = self._next(reply.paging, number)
            if onward is None:
                return
            self._url, promised = onward
            if urls.place(self._url) in self._asked:
                self._check_end(reply, promised=False)
                return
        raise Misconfigured(
            f"A list did not end within {MAX_PAGES} pages.",
            system=System.AVIDXCHANGE,
            code="endless_list",
            hint="Ask AvidXchange how this list is paged, and correct the profile.",
        )

    def _page(self) -> tuple[ListReply, list[bytes]]:
        reply = self._fetch(self._url)
        return reply, [blake2b(_ENCODER.encode(row), digest_size=16).digest() for row in reply.rows]

    def _seen(self, marks: list[bytes]) -> bool:
        return bool(marks) and _page_mark(marks) in self._pages

    def _stuck(self, marks: list[bytes], *, promised: bool) -> bool:
        """Return whether a page that came before means the end.

        Where nothing says how long the list is, rows added in front may have pushed a page to where we look now; only
        a page that comes three times in a row is a server that ignores the page number.
        """
        return promised or self._last == [_page_mark(marks)] * 2

    def _fresh(self, rows: list[Any], marks: list[bytes]) -> list[Any]:
        """Return the rows that no page has had, and remember all of them."""
        self._pages.add(_page_mark(marks))
        self._last = [*self._last[-1:], _page_mark(marks)]
        fresh = []
        for row, mark in zip(rows, marks, strict=True):
            self._rows.add(mark)
            if mark not in self._had:
                self._had.add(mark)
                fresh.append(row)
        return fresh

    def _next(self, paging: Paging | None, number: int) -> tuple[str, bool] | None:
        """Return the next address and whether the list promised it, or None at the end."""
        if paging is None:
            return None
        if paging.next_href:
            return self._link(paging.next_href), True
        by_number = urls.with_page(self._url, self._page_param, number + 1)
        if paging.pages is not None:
            return (by_number, True) if number < paging.pages else None
        if paging.total is not None:
            return (by_number, True) if len(self._rows) < paging.total else None
        return None if paging.links else (by_number, False)

    def _link(self, href: str) -> str:
        found = urls.resolve(self._url, href)
        if found is None:
            raise Misconfigured(
                "A list's next page is on another host; it was not followed.",
                system=System.AVIDXCHANGE,
                code="foreign_next_link",
                hint="Check the address of the connection, and ask AvidXchange about the link.",
            )
        return found

    def _check_end(self, reply: ListReply, *, promised: bool) -> None:
        """Raise if the walk ends here although there is more."""
        total = reply.paging.total if reply.paging else None
        missing = total is not None and len(self._rows) < total
        if missing or (promised and total is None):
            raise Retry(
                "A list ended before all of its rows had come"
                + (f" ({len(self._rows)} of {total})." if missing else "."),
                system=System.AVIDXCHANGE,
                code="rows_missing" if missing else "repeated_page",
            )


def _page_mark(marks: list[bytes]) -> bytes:
    return blake2b(b"".join(marks), digest_size=16).digest()


def windows(start: date, end: date, *, days_max: int) -> Iterator[tuple[date, date]]:
    """Split a range of days (both ends in it) into windows of at most ``days_max`` days.

    Neighbours share a day, so that nothing is lost whether the far side counts the last day in or out (contract 6.4:
    the filter is granular to the day). An end before the start is an empty range.
    """
    while start <= end:
        last = min(end, start + timedelta(days=days_max - 1))
        yield start, last
        if last == end:
            return
        start = max(last, start + timedelta(days=1))
