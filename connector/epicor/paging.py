"""Walking through an entity set page by page, without losing or repeating a row whatever the server's page size is.

Both ways end on an empty page only: no nextLink is promised, and the server may give fewer rows than asked for
(design section 4). *Keyset* asks for what comes after the last key seen and needs nothing of the server but order,
which is verified. *Skip* counts the rows received, drops rows that inserts have pushed onto the next page, and follows
a nextLink where one comes; rows deleted meanwhile can make it miss others, which is why keyset is the default.

The pagers know nothing of HTTP: they say what to ask for and judge what came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, cast

from connector.epicor import odata
from connector.epicor.records import EntitySet
from connector.epicor.rows import Decoded, Key, Page
from connector.transport.errors import Misconfigured, Retry, System

#: How often a page that contradicts its own question is asked for again.
REREADS = 3
#: How many keys skip paging remembers; inserts push rows to the next page, not to one far away.
_REMEMBERED = 5000


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask next: a filter and rows to skip, or a link to follow as it is."""

    where: str
    skip: int = 0
    link: str = ""


class Contradiction(Exception):
    """The page is not an answer to its question (an old page again, say). Asking again may help."""


class Pager(Protocol):
    """One walk. ``accept`` returns None at the end and moves the walk on otherwise."""

    def question(self) -> Question: ...

    def accept(self, answer: Decoded) -> Page | None: ...


class Keyset:
    """Asks for the rows after the last key."""

    def __init__(self, entity: EntitySet, *, where: str = "", after: Sequence[object] | None = None) -> None:
        self._entity = entity
        self._where = where
        self._last: Key | None = cast("Key", tuple(after)) if after is not None else None
        self._previous: frozenset[Key] = frozenset()
        # Only leading numeric columns have an order we can check; texts are ordered by the database's collation.
        self._checked = 0
        for column in entity.key:
            if column not in entity.numeric_key:
                break
            self._checked += 1

    def question(self) -> Question:
        """Everything at first, then what comes after the last key."""
        beyond = odata.keyset_clause(self._entity.key, self._last) if self._last is not None else ""
        return Question(odata.and_(self._where, beyond))

    def accept(self, answer: Decoded) -> Page | None:
        """Verify the page's order row by row. Raises ``Contradiction`` for rows that were not asked for and
        ``Misconfigured`` (code ``order_ignored``) for rows out of order."""
        if not answer.keys:
            return None
        known = [key for key in answer.keys if key is not None]
        self._verify(known)
        if not known or known[-1] == self._last:
            raise Misconfigured(
                f"{self._entity.name}: a whole page has no readable key, so reading cannot go on behind it.",
                system=System.EPICOR,
                code="key_unreadable",
                hint="Look at the rows after the last one stored; check field security on the key columns.",
            )
        self._last = known[-1]
        self._previous = frozenset(known)
        return answer.page([row for _, row in answer.rows], self._last)

    def _verify(self, keys: list[Key]) -> None:
        if not self._previous.isdisjoint(keys) or (self._last is not None and self._last in keys):
            raise Contradiction
        if self._last is not None and any(key[: self._checked] < self._last[: self._checked] for key in keys):
            raise Contradiction
        numeric = self._checked == len(self._entity.key)
        for first, second in pairwise(keys):
            head, tail = first[: self._checked], second[: self._checked]
            if tail < head or (numeric and tail == head):
                self._out_of_order()
        if len(set(keys)) != len(keys):
            self._out_of_order()

    def _out_of_order(self) -> None:
        raise Misconfigured(
            f"{self._entity.name}: rows came out of the order that was asked for, or twice on a page.",
            system=System.EPICOR,
            code="order_ignored",
            hint="This server does not keep $orderby; choose skip paging for this connection.",
        )


class Skip:
    """Skips the rows received so far; follows a nextLink where one comes."""

    def __init__(self, entity: EntitySet, *, where: str = "", after: Sequence[object] | None = None) -> None:
        beyond = odata.keyset_clause(entity.key, cast("Key", tuple(after))) if after is not None else ""
        self._where = odata.and_(where, beyond)
        self._received = 0
        self._link = ""
        self._previous: list[Key | None] = []
        self._seen: set[Key] = set()
        self._order: deque[Key] = deque()
        self._last: Key = cast("Key", tuple(after)) if after is not None else ()

    def question(self) -> Question:
        """The link the server gave, or the next rows by count."""
        return Question(self._where, self._received, self._link)

    def accept(self, answer: Decoded) -> Page | None:
        """Drop rows seen before. Raises ``Contradiction`` for the previous page once more."""
        if not answer.keys:
            return None
        if answer.keys == self._previous:
            raise Contradiction
        self._previous = answer.keys
        self._received += len(answer.keys)
        self._link = answer.next_link
        rows = []
        for key, row in answer.rows:
            if key not in self._seen:
                self._remember(key)
                rows.append(row)
        self._last = next((key for key in reversed(answer.keys) if key is not None), self._last)
        return answer.page(rows, self._last)

    def _remember(self, key: Key) -> None:
        self._seen.add(key)
        self._order.append(key)
        if len(self._order) > _REMEMBERED:
            self._seen.discard(self._order.popleft())


def walk(pager: Pager, load: Callable[[Question], Decoded], *, name: str) -> Iterator[Page]:
    """Yield the pages of a walk; the next one is fetched in a thread while the caller stores the last.

    Raises what ``load`` raises, and ``Retry`` (code ``page_repeated``) if a page keeps contradicting its question.
    """

    def next_page() -> Page | None:
        for _ in range(REREADS):
            try:
                return pager.accept(load(pager.question()))
            except Contradiction:
                continue
        raise Retry(
            f"{name}: the server keeps answering with rows that were not asked for.",
            system=System.EPICOR,
            code="page_repeated",
        )

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="epicor-page") as pool:
        pending = pool.submit(next_page)
        while (page := pending.result()) is not None:
            pending = pool.submit(next_page)
            if page.rows or page.bad:
                yield page
