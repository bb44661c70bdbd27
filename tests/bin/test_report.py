"""What bin/demo prints and decides, from the shapes that the commands answer with (design section 7)."""

from __future__ import annotations

from typing import Any

import pytest
import report
from report import STAGES, faults, table, verdict


def run(stage: str, **changes: Any) -> dict[str, Any]:
    counts = {"read": 1300, "created": 20, "updated": 1, "unchanged": 1277, "held": 2, "rejected": 0, "uncertain": 0}
    whole = {"stage": stage, "status": "done_with_problems", "counts": counts, "requests": 14, "seconds": 2.04}
    return whole | {"error": ""} | changes


def quiet(stage: str) -> dict[str, Any]:
    return run(stage, status="done", counts={"read": 1300, "created": 0, "updated": 0, "unchanged": 1300})


def whole(**changes: Any) -> dict[str, Any]:
    agreed = {
        "sync": {"tenant": "demo", "runs": [run(stage) for stage in STAGES]},
        "again": {"tenant": "demo", "runs": [quiet(stage) for stage in STAGES]},
        "reconcile": {
            "tenant": "demo",
            "balanced": True,
            "differences": [],
            "checked": {"vendors": 300, "invoices": 1200},
        },
    }
    return agreed | changes


def test_the_table_is_aligned_and_complete() -> None:
    runs = [run("vendors_out"), run("gl_codes_out", status="done", seconds=12.3)]
    assert table({"tenant": "demo", "runs": runs}).splitlines() == [
        "stage          read  created  updated  unchanged  held  rejected  uncertain  seconds  status",
        "------------  -----  -------  -------  ---------  ----  --------  ---------  -------  ------------------",
        "vendors_out   1,300       20        1      1,277     2         0          0      2.0  done with problems",
        "gl_codes_out  1,300       20        1      1,277     2         0          0     12.3  done",
    ]


def test_a_cycle_that_agrees_has_no_faults() -> None:
    assert faults(whole(), stages=STAGES) == []
    assert verdict(whole(), []) == [
        "The second cycle wrote nothing on either side.",
        "Both ledgers agree, to the cent and to the row: 300 vendors, 1,200 invoices.",
    ]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_did_not_run_or_moved_nothing_is_a_fault(stage: str) -> None:
    absent = whole(sync={"runs": [run(one) for one in STAGES if one != stage]})
    assert faults(absent, stages=STAGES) == [f"first cycle: {stage} did not run"]
    idle = whole(sync={"runs": [quiet(one) if one == stage else run(one) for one in STAGES]})
    assert faults(idle, stages=STAGES) == [f"first cycle: {stage} moved nothing"]


def test_a_write_in_the_second_cycle_is_a_fault() -> None:
    runs = [quiet(stage) for stage in STAGES]
    runs[3] = run("invoices_out")
    assert faults(whole(again={"runs": runs}), stages=STAGES) == [
        "second cycle: invoices_out wrote 21 records, nothing was to be done"
    ]


@pytest.mark.parametrize("status", sorted(report.FAILED))
def test_a_failed_run_is_a_fault_with_its_reason(status: str) -> None:
    runs = [run(stage) for stage in STAGES]
    runs[0] = run("vendors_out", status=status, error="Epicor refused the API key")
    assert faults(whole(sync={"runs": runs}), stages=STAGES) == [
        f"first cycle: vendors_out {status}: Epicor refused the API key"
    ]


def test_differences_are_listed_and_counted() -> None:
    one = {"kind": "invoice", "key": "104 / A-1", "epicor": "100.00", "avidxchange": "100.01", "hint": "compare lines"}
    told = whole(reconcile={"balanced": False, "differences": [one] * 12, "checked": {"invoices": 12}})
    wrong = faults(told, stages=STAGES)
    assert wrong == ["the two ledgers differ in 12 places"]
    lines = verdict(told, wrong)
    assert lines[:3] == [
        "Not everything agrees:",
        "  - the two ledgers differ in 12 places",
        "  - invoice 104 / A-1: Epicor 100.00, AvidXchange 100.01 (compare lines)",
    ]
    assert lines[-2:] == ["  - and 2 more", "  (compared: 12 invoices)"]


def test_what_waits_is_explained() -> None:
    group = {
        "code": "on_hold",
        "turn": "finance",
        "count": 12,
        "example": "Invoice A-1 is on hold.",
        "hint": "Release it.",
    }
    problems = [group | {"amounts": {"USD": "1200.00", "CAD": "7.50"}}, group | {"count": 3, "amounts": {}, "hint": ""}]
    assert report.waiting({"mappings": [], "problems": problems}) == [
        "15 records wait for a person, 2 reasons:",
        "    12  Invoice A-1 is on hold.  (1200.00 USD, 7.50 CAD)",
        "        Release it.",
        "     3  Invoice A-1 is on hold.",
    ]


def test_failed_statuses_are_those_of_the_product() -> None:
    from syncjobs.states import RUN_LIVE, RUN_OK, RunStatus

    assert frozenset(RunStatus) - RUN_OK - RUN_LIVE == report.FAILED
