"""What bin/demo says about a cycle: a table of what moved, and the list of everything that is not as it should be.

Reads the shapes of ``sync_now --json`` and ``reconcile --json`` (design section 7) and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

COUNTS = ("read", "created", "updated", "unchanged", "held", "rejected", "uncertain")
WRITES = ("created", "updated")
STAGES = (
    "vendors_out", "gl_codes_out", "purchase_orders_out", "invoices_out", "approvals_in", "invoices_in", "payments_in",
)  # fmt: skip
FAILED = frozenset({"failed", "errored", "cancelled", "lost", "waiting"})

Json = Mapping[str, Any]


def table(sync: Json) -> str:
    """Return the runs of one cycle as lines: a stage a row, its counts and seconds aligned right."""
    heads = ("stage", *COUNTS, "seconds", "status")
    rows = [
        (run["stage"], *_cells(run["counts"]), f"{run['seconds']:.1f}", run["status"].replace("_", " "))
        for run in sync["runs"]
    ]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    last = len(heads) - 1

    def line(row: Iterable[str]) -> str:
        cells = [
            cell.ljust(width) if column in {0, last} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join([line(heads), "  ".join("-" * width for width in widths), *(line(row) for row in rows)])


def faults(report: Json, *, stages: Iterable[str]) -> list[str]:
    """Return what is wrong with a whole report (``sync``, ``again``, ``reconcile``), one sentence a fault.

    Wrong is: a stage that did not run, failed or moved nothing in the first cycle; any write in the second; any
    difference between the two ledgers.
    """
    found = [*_failed_runs("first cycle", report["sync"]), *_failed_runs("second cycle", report["again"])]
    moved = _writes(report["sync"])
    for stage in stages:
        if stage not in moved:
            found.append(f"first cycle: {stage} did not run")
        elif not moved[stage]:
            found.append(f"first cycle: {stage} moved nothing")
    found += [
        f"second cycle: {stage} wrote {count} records, nothing was to be done"
        for stage, count in _writes(report["again"]).items()
        if count
    ]
    differences = report["reconcile"]["differences"]
    if differences or not report["reconcile"]["balanced"]:
        found.append(f"the two ledgers differ in {len(differences)} places")
    return found


def waiting(review: Json) -> list[str]:
    """Return what waits for a person and why, from ``review --json``: a line a reason, and one for the way out."""
    problems = review["problems"]
    lines = [f"{sum(one['count'] for one in problems)} records wait for a person, {len(problems)} reasons:"]
    for one in problems:
        money = ", ".join(f"{amount} {currency}".strip() for currency, amount in one["amounts"].items())
        lines.append(f"  {one['count']:>4}  {one['example']}{f'  ({money})' if money else ''}")
        lines += [f"        {one['hint']}"] if one["hint"] else []
    return lines


def differences(reconcile: Json, *, most: int = 10) -> list[str]:
    """Return the first differences between the two ledgers, one line each."""
    lines = [
        f"{one['kind']} {one['key']}: Epicor {one['epicor']}, AvidXchange {one['avidxchange']} ({one['hint']})"
        for one in reconcile["differences"][:most]
    ]
    rest = len(reconcile["differences"]) - most
    return [*lines, f"and {rest} more"] if rest > 0 else lines


def _cells(counts: Mapping[str, int]) -> list[str]:
    return [f"{counts.get(count, 0):,}" for count in COUNTS]


def verdict(whole: Json, wrong: Sequence[str]) -> list[str]:
    """Return the closing lines: what was compared and that it agrees, or everything that is wrong."""
    checked = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in whole["reconcile"]["checked"].items())
    if not wrong:
        return [
            "The second cycle wrote nothing on either side.",
            f"Both ledgers agree, to the cent and to the row: {checked}.",
        ]
    return [
        "Not everything agrees:",
        *(f"  - {fault}" for fault in wrong),
        *(f"  - {line}" for line in differences(whole["reconcile"])),
        f"  (compared: {checked})",
    ]


def _failed_runs(cycle: str, sync: Json) -> list[str]:
    return [
        f"{cycle}: {run['stage']} {run['status']}: {run['error'] or 'no reason given'}"
        for run in sync["runs"]
        if run["error"] or run["status"] in FAILED
    ]


def _writes(sync: Json) -> dict[str, int]:
    """Return how many records each stage created or updated, all its runs taken together."""
    totals: dict[str, int] = {}
    for run in sync["runs"]:
        totals[run["stage"]] = totals.get(run["stage"], 0) + sum(run["counts"].get(count, 0) for count in WRITES)
    return totals
