"""Reading lists: which address is asked, by pages, by windows of days, by chunks of ids (contract 2.4, 3, 6.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any, TypeVar

from connector.avidxchange import decode, envelopes, faults, urls
from connector.avidxchange.decode import Records
from connector.avidxchange.paging import Walk, windows
from connector.avidxchange.profile import Profile
from connector.avidxchange.wire import Unreadable
from connector.transport.client import Answer, HttpClient

Record = TypeVar("Record")
Found = TypeVar("Found")

#: Longest list of ids in one address, in characters; servers and proxies commonly refuse beyond 8,000.
_IDS_CHARS = 4000


class Lists:
    """The addresses and lists of one connection. Pages are lists of undecoded rows."""

    def __init__(self, http: HttpClient, root: str, profile: Profile) -> None:
        self._http = http
        self._root = root
        self._profile = profile

    def url(self, name: str, query: Sequence[tuple[str, str]] = (), **ids: str) -> str:
        """Return the address of a resource. Raises ``ValueError`` for an id that cannot be part of one."""
        return urls.build(self._root, self._profile.paths[name], ids, query)

    def here(self, link: str) -> str | None:
        """Return a link from an answer as an address, or None if it leads to another host."""
        return urls.resolve(f"{self._root}/", link) if link else None

    def day(self, value: date) -> str:
        """Return a day as queries write it."""
        return urls.day(value, self._profile.date_format_query)

    def all(self, name: str, query: Sequence[tuple[str, str]] = ()) -> Iterator[list[Any]]:
        """Walk a whole list."""
        return self.at(name, self.url(name, [*query, *self._first_page()]))

    def by_days(
        self, name: str, start: date, end: date, *, first: str = "modified_from", last: str = "modified_to", **ids: str
    ) -> Iterator[list[Any]]:
        """Walk the rows of the days from ``start`` to ``end``, both in it, in windows that the server accepts.

        ``first`` and ``last`` are names of the profile's ``params``. A row that two windows serve comes once.
        """
        had: set[bytes] = set()
        params = self._profile.params
        for since, until in windows(start, end, days_max=self._profile.window_days_max):
            query = [(params[first], self.day(since)), (params[last], self.day(until)), *self._first_page()]
            yield from self.at(name, self.url(name, query, **ids), had)

    def by_ids(self, name: str, param: str, values: Sequence[str]) -> Iterator[list[Any]]:
        """Walk the rows with these ids, in chunks; ``param`` is a name of the profile's ``params``."""
        for chunk in urls.chunks(values, count=self._profile.ids_max, chars=_IDS_CHARS):
            url = self.url(name, self._first_page())
            yield from self.at(name, urls.with_list(url, self._profile.params[param], chunk))

    def at(self, name: str, url: str, had: set[bytes] | None = None) -> Iterator[list[Any]]:
        """Walk a list from an address; ``name`` is the operation it is recorded as, ``had`` see ``paging.Walk``."""

        def fetch(place: str) -> envelopes.ListReply:
            answer = self._http.read(place, operation=name)
            return understood(lambda: envelopes.decode_list(answer.body), answer, name)

        return Walk(fetch, url, page_param=self._profile.page_param, had=had).rows()

    def _first_page(self) -> list[tuple[str, str]]:
        return [(self._profile.page_param, "1"), (self._profile.page_size_param, str(self._profile.page_size))]

    def pairs(self, name: str, *, kind: str, second: str) -> list[tuple[str, str]]:
        """Read a short list of ids with a name or status (R2, R23), without asking for pages at first."""

        def read(row: Any, profile: Profile) -> tuple[str, str]:
            return decode.pair(row, profile, kind=kind, second=second)

        found = together(self.records(self.at(name, self.url(name)), read, kind=kind))
        if found.bad:
            raise faults.unreadable(f"a row of it cannot be read ({found.bad[0].reason})", name, None)
        return list(found)

    def records(
        self, pages: Iterator[list[Any]], how: decode.Decode[Record], *, kind: str
    ) -> Iterator[Records[Record]]:
        """Decode pages; ``kind`` is the first part of the records' names in ``fields.FIELDS``."""
        for rows in pages:
            yield decode.records(rows, how, self._profile, kind=kind)


def together(pages: Iterator[Records[Record]]) -> Records[Record]:
    """Return all pages as one."""
    listed = list(pages)
    return Records((item for page in listed for item in page), (row for page in listed for row in page.bad))


def understood(read: Callable[[], Found], answer: Answer, operation: str) -> Found:
    """Return what ``read`` makes of an answer, with "cannot be read" turned into what to do about it."""
    try:
        return read()
    except Unreadable as error:
        raise faults.unreadable(str(error), operation, answer) from None
