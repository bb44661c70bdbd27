"""Polls of Epicor: killed at every page, changed behind one's back, interrupted for days; never a row lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.epicor import records as epicor
from connector.epicor.rows import BadRow, Page
from syncjobs.engine import cursors, reading
from syncjobs.engine.context import StageContext
from syncjobs.models import Cursor, Problem
from tenants.models import Tenant
from tests.engine.conftest import Open, Sleeper

pytestmark = pytest.mark.django_db

VENDORS = reading.Stream("vendors", epicor.VENDORS, epicor.Vendor, "SysRevID")
ORDERS = reading.Stream("orders", epicor.PURCHASE_ORDERS, epicor.PurchaseOrder, "ChangeDate")


def vendor(number: int, rev: int) -> epicor.Vendor:
    return epicor.Vendor(company="EPIC06", vendor_num=number, vendor_id=f"V{number}", sys_rev_id=rev)


def order(number: int, changed: str | None) -> epicor.PurchaseOrder:
    return epicor.PurchaseOrder(company="EPIC06", po_num=number, vendor_num=101, change_date=changed, sys_rev_id=number)


@dataclass
class Table:
    """One Epicor table: rows by their key, served in key order, the filters of a poll understood."""

    rows: dict[int, Any] = field(default_factory=dict)
    size: int = 2
    bad: dict[int, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def pages(self, entity: Any, *, where: str = "", after: tuple[Any, ...] | None = None) -> Iterator[Page]:
        self.asked.append(where)
        last = after[0] if after else 0
        while True:
            keys = sorted(key for key in {*self.rows, *self.bad} if key > last and self._fits(key, where))[: self.size]
            if not keys:
                return
            last = keys[-1]
            rows = [self.rows[key] for key in keys if key not in self.bad]
            bad = [BadRow(f"VendorNum {key}", self.bad[key]) for key in keys if key in self.bad]
            yield Page(rows, bad, (last,), max((row.sys_rev_id for row in rows), default=0))

    def _fits(self, key: int, where: str) -> bool:
        row = self.rows.get(key)
        if row is None:
            return True
        since = re.search(r"SysRevID gt (\d+)", where)
        if since:
            return bool(row.sys_rev_id > int(since[1]))
        day = re.search(r"ChangeDate ge (\d{4}-\d\d-\d\d)", where)
        return not day or (row.change_date is not None and row.change_date[:10] >= day[1])


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the margin for late commits away, so that nothing is found by luck."""
    monkeypatch.setattr(reading, "REVISIONS_OVERLAP", 0)


def read(
    ctx: StageContext,
    table: Table,
    stream: Any = VENDORS,
    *,
    kill_before: int | None = None,
    kill_after: int | None = None,
) -> list[int]:
    """Read a stream to its end, or until the worker dies around the n-th page's commit; return the keys stored."""
    ctx.__dict__["epicor"] = table
    stored: list[int] = []
    for place, page in enumerate(reading.changed(ctx, stream, where="", first="Open eq true")):
        if place == kill_before:
            raise Killed(stored)
        with ctx.commit():
            stored += [getattr(row, "po_num", 0) or row.vendor_num for row in page.rows]
            page.place()
        if place == kill_after:
            raise Killed(stored)
    return stored


def mark(name: str = "vendors") -> dict[str, Any]:
    return dict(Cursor.objects.get(stream=name).mark)


def test_the_first_pass_reads_everything_and_later_ones_what_changed(tenant: Tenant, open_run: Open) -> None:
    table = Table({number: vendor(number, number) for number in range(1, 6)})
    assert read(open_run(tenant), table) == [1, 2, 3, 4, 5]
    assert table.asked == ["Open eq true"]
    assert mark() == {"high": 5, "from": 2}  # the highest of the first page: what came later may hide changes
    assert read(open_run(tenant), table) == [3, 4, 5]
    assert mark() == {"high": 5, "from": 5}
    assert read(open_run(tenant), table) == []
    table.rows[2] = vendor(2, 9)
    assert read(open_run(tenant), table) == [2]
    assert mark() == {"high": 9, "from": 5}
    assert read(open_run(tenant), table) == [2]
    assert read(open_run(tenant), table) == []


def test_a_row_that_changes_behind_the_reader_is_read_by_the_next_pass(tenant: Tenant, open_run: Open) -> None:
    """Field lessons 2 and 4: the pass later sees a higher revision than that of the change it has missed."""
    table = Table({number: vendor(number, number) for number in range(1, 7)})
    ctx = open_run(tenant)
    ctx.__dict__["epicor"] = table
    for place, page in enumerate(reading.changed(ctx, VENDORS)):
        if place == 0:
            table.rows[1] = vendor(1, 70)  # has been read, changes now
            table.rows[6] = vendor(6, 80)  # has not been read, changes after it
        with ctx.commit():
            page.place()
    assert 1 in read(open_run(tenant), table)

    ctx = open_run(tenant)
    ctx.__dict__["epicor"] = table
    table.rows[2], table.rows[5] = vendor(2, 90), vendor(5, 91)
    for page in reading.changed(ctx, VENDORS):
        table.rows[2] = vendor(2, 100)
        table.rows[6] = vendor(6, 110)
        with ctx.commit():
            page.place()
    assert 2 in read(open_run(tenant), table)


@pytest.mark.parametrize("page", range(4))
@pytest.mark.parametrize("moment", ["kill_before", "kill_after"])
def test_a_worker_killed_at_any_page_repeats_at_most_that_page(
    page: int, moment: str, tenant: Tenant, open_run: Open
) -> None:
    """Field lesson 10."""
    table = Table({number: vendor(number, number) for number in range(1, 9)})
    with pytest.raises(Killed) as died:
        read(open_run(tenant), table, **{moment: page})
    first = died.value.args[0]
    second = read(open_run(tenant), table)
    assert first + second == [1, 2, 3, 4, 5, 6, 7, 8]
    assert mark() == {"high": 8, "from": 2}


def test_a_killed_delta_goes_on_with_its_own_question(tenant: Tenant, open_run: Open) -> None:
    table = Table({number: vendor(number, number) for number in range(1, 5)})
    for _ in range(2):
        read(open_run(tenant), table)
    for number in (1, 2, 3, 4):
        table.rows[number] = vendor(number, 10 + number)
    with pytest.raises(Killed):
        read(open_run(tenant), table, kill_after=0)
    table.rows[1] = vendor(1, 50)  # changes between the two halves, behind the reader
    assert read(open_run(tenant), table) == [3, 4]
    assert table.asked[-1] == table.asked[-2] == "SysRevID gt 4"
    assert read(open_run(tenant), table) == [1, 2, 3, 4]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_change_is_ever_missed_for_long(data: st.DataObject, tenant: Tenant, open_run: Open) -> None:
    """Any writes at any moment of any number of passes, killed or not: once it is quiet, two passes see every row."""
    Cursor.objects.all().delete()
    table = Table({number: vendor(number, number) for number in range(1, 8)}, size=data.draw(st.integers(1, 3)))
    seen: dict[int, int] = {}
    revision = 100

    def write() -> None:
        nonlocal revision
        for number in data.draw(st.lists(st.integers(1, 12), max_size=3)):
            revision += 1
            table.rows[number] = vendor(number, revision)

    def one_pass(*, quiet: bool) -> None:
        ctx = open_run(tenant, full_read=not quiet and data.draw(st.booleans()))
        ctx.__dict__["epicor"] = table
        for page in reading.changed(ctx, VENDORS):
            if not quiet:
                write()
                if data.draw(st.integers(0, 5)) == 0:
                    return
            with ctx.commit():
                seen.update({row.vendor_num: row.sys_rev_id for row in page.rows})
                page.place()

    for _ in range(data.draw(st.integers(1, 4))):
        one_pass(quiet=False)
        write()
    for _ in range(2):
        one_pass(quiet=True)
    assert seen == {number: row.sys_rev_id for number, row in table.rows.items()}


def test_a_full_read_asks_for_everything_even_in_the_middle_of_a_delta(tenant: Tenant, open_run: Open) -> None:
    table = Table({number: vendor(number, number) for number in range(1, 5)})
    for _ in range(2):
        read(open_run(tenant), table)
    table.rows[1], table.rows[3] = vendor(1, 11), vendor(3, 13)
    table.size = 1
    with pytest.raises(Killed):
        read(open_run(tenant), table, kill_after=0)
    assert read(open_run(tenant, full_read=True), table) == [1, 2, 3, 4]
    assert mark() == {"high": 13, "from": 4}


def test_an_unfinished_full_read_is_finished_before_anything_else(tenant: Tenant, open_run: Open) -> None:
    table = Table({number: vendor(number, number) for number in range(1, 5)})
    with pytest.raises(Killed):
        read(open_run(tenant, full_read=True), table, kill_after=0)
    assert read(open_run(tenant), table) == [3, 4]


def test_revisions_that_went_back_are_followed_after_a_full_read(tenant: Tenant, open_run: Open) -> None:
    """A database restored from a copy (epicor-unknowns B8)."""
    table = Table({1: vendor(1, 1_000), 2: vendor(2, 2_000)})
    read(open_run(tenant), table)
    table.rows = {1: vendor(1, 10), 2: vendor(2, 20)}
    assert read(open_run(tenant), table) == []
    assert read(open_run(tenant, full_read=True), table) == [1, 2]
    table.rows[1] = vendor(1, 21)
    assert read(open_run(tenant), table) == [1]


def test_late_commits_are_covered_by_an_overlap(
    tenant: Tenant, open_run: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Field lesson 3: a long transaction commits a lower revision after a higher one was read."""
    monkeypatch.setattr(reading, "REVISIONS_OVERLAP", 1_000)
    table = Table({1: vendor(1, 5_000)})
    for _ in range(2):
        read(open_run(tenant), table)
    table.rows[2] = vendor(2, 4_001)
    assert 2 in read(open_run(tenant), table)


def test_an_empty_table_leaves_no_mark_and_is_read_whole_again(tenant: Tenant, open_run: Open) -> None:
    table = Table()
    assert read(open_run(tenant), table) == []
    assert mark() == {}
    table.rows[1] = vendor(1, 1)
    assert read(open_run(tenant), table) == [1]


def test_a_bad_row_is_held_counted_and_passed_by(tenant: Tenant, open_run: Open) -> None:
    """Field lesson 13."""
    table = Table({number: vendor(number, number) for number in (1, 3)}, bad={2: "column SysRevID: not a number"})
    ctx = open_run(tenant)
    assert read(ctx, table) == [1, 3]
    assert ctx.counts == {"read": 1, "held": 1}
    problem = Problem.objects.get()
    assert (problem.code, problem.subject_kind, problem.subject_key) == ("bad_row", "vendors_row", "VendorNum 2")
    assert problem.message.endswith("column SysRevID: not a number")


def test_a_failed_commit_moves_no_mark(tenant: Tenant, open_run: Open) -> None:
    table = Table({number: vendor(number, number) for number in range(1, 4)})
    ctx = open_run(tenant)
    ctx.__dict__["epicor"] = table

    def store_and_die() -> None:
        for page in reading.changed(ctx, VENDORS):
            with ctx.commit():
                page.place()
                raise Killed

    with pytest.raises(Killed):
        store_and_die()
    assert not Cursor.objects.exists()
    assert read(open_run(tenant), table) == [1, 2, 3]


# --- by date ---------------------------------------------------------------------------------------------------------


def test_days_are_read_again_from_the_overlap_on_and_the_last_day_whole(tenant: Tenant, open_run: Open) -> None:
    """Field lessons 1, 6 and 8: closed start, and dates without a time are never shifted."""
    table = Table({1: order(1, "2026-11-10T00:00:00"), 2: order(2, "2026-11-20T00:00:00"), 3: order(3, None)})
    assert read(open_run(tenant), table, ORDERS) == [1, 2, 3]
    assert mark("orders") == {"high": "2026-11-20", "from": "2026-11-20"}
    table.rows[4] = order(4, "2026-11-20T00:00:00")
    assert read(open_run(tenant), table, ORDERS) == [2, 4]
    assert re.fullmatch(r"ChangeDate ge 2026-11-18(T00:00:00Z)?", table.asked[-1])


def test_a_pass_interrupted_for_days_does_not_raise_the_mark_over_what_changed_meanwhile(
    tenant: Tenant, open_run: Open, sleeper: Sleeper
) -> None:
    today = sleeper.now().date()
    table = Table({number: order(number, str(today)) for number in range(1, 5)})
    with pytest.raises(Killed):
        read(open_run(tenant), table, ORDERS, kill_after=0)
    sleeper.moment += timedelta(days=9)
    table.rows[1] = order(1, str(today + timedelta(days=4)))  # read before it changed
    table.rows[4] = order(4, str(today + timedelta(days=9)))
    assert read(open_run(tenant), table, ORDERS) == [3, 4]
    assert mark("orders")["high"] == str(today)
    assert 1 in read(open_run(tenant), table, ORDERS)


def test_our_own_clock_is_no_mark(tenant: Tenant, open_run: Open, sleeper: Sleeper) -> None:
    """Field lesson 9: two days fast or slow, the same days are asked for."""
    table = Table({1: order(1, "2026-11-10")})
    asked = []
    for hours in (-48, 0, 48):
        sleeper.moment += timedelta(hours=hours)
        read(open_run(tenant), table, ORDERS)
        asked.append(table.asked[-1])
    assert asked[1] == asked[2]
    assert mark("orders") == {"high": "2026-11-10", "from": "2026-11-10"}


# --- marks -----------------------------------------------------------------------------------------------------------


def test_a_mark_stays_small(tenant: Tenant, open_run: Open) -> None:
    """Field lesson 7."""
    ctx = open_run(tenant)
    with ctx.commit():
        cursors.put(ctx, "s", {"change_date": "x" * 60_000})
    with pytest.raises(ValueError, match="beyond 65536 bytes"), ctx.commit():
        cursors.put(ctx, "s", {"change_date": "x" * 70_000})
    assert len(cursors.get(ctx, "s")["change_date"]) == 60_000


def test_a_mark_belongs_to_its_tenant(tenant: Tenant, other: Tenant, open_run: Open) -> None:
    north, south = open_run(tenant), open_run(other)
    with north.commit():
        cursors.put(north, "s", {"high": 5})
    assert cursors.get(south, "s") == {}


@given(
    start=st.one_of(st.none(), st.integers(0, 9)), values=st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=4)
)
def test_a_mark_is_only_ever_raised(start: int | None, values: list[int | None]) -> None:
    known = [value for value in [start, *values] if value is not None]
    before = {} if start is None else {"high": start}
    assert cursors.raised(before, "high", values).get("high") == max(known, default=None)


def test_an_overlap_begins_days_before_the_mark() -> None:
    assert cursors.overlap_start({}, 2) is None
    assert cursors.overlap_start({"change_date": "2026-03-01"}, 2) == date(2026, 2, 27)
