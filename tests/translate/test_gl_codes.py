"""GL accounts go out by their display string, and inactive ones are inactivated."""

from __future__ import annotations

from typing import Any

import pytest

from connector.avidxchange.records import GLAccountItem
from connector.epicor.records import GLAccount
from connector.translate.codebook import Hold
from connector.translate.gl_codes import to_avidxchange
from tests.translate.examples import STEEL, TODAY, good, held, rules


def translate(**changes: Any) -> GLAccountItem | Hold:
    given: dict[str, Any] = {
        "company": "EPIC06", "coa_code": "MAIN", "gl_account": STEEL, "display": "01-20-5010", "description": "Steel"
    }  # fmt: skip
    return to_avidxchange(GLAccount(**{**given, **changes}), today=TODAY, rules=rules())


def test_the_number_is_the_charts_display_string() -> None:
    assert good(translate()) == GLAccountItem(
        account_number="01-20-5010", description="Steel", is_active=True, operation="Upsert"
    )


@pytest.mark.parametrize(
    ("changes", "active"),
    [
        ({"active": False}, False),
        ({"effective_from": "2026-11-20T00:00:00"}, True),
        ({"effective_from": "2026-11-21T00:00:00"}, False),
        ({"effective_to": "2026-11-20T00:00:00"}, True),
        ({"effective_to": "2026-11-19T00:00:00"}, False),
        ({"effective_from": "", "effective_to": None}, True),
        ({"effective_from": "0001-01-01T00:00:00"}, True),
    ],
)
def test_only_an_account_effective_today_is_active(changes: dict[str, Any], active: bool) -> None:
    item = good(translate(**changes))
    assert (item.is_active, item.operation) == (active, "Upsert" if active else "Inactivate")


@pytest.mark.parametrize("display", [None, "", "  "])
def test_an_account_without_a_display_string_is_held(display: str | None) -> None:
    hold = held(translate(display=display))
    assert (hold.code, hold.field) == ("missing", "AccountNumber")
    assert hold.message == f"The display form of GL account {STEEL} is empty."


def test_an_unreadable_day_and_another_company_are_held() -> None:
    assert held(translate(effective_from="soon")).code == "bad_date"
    assert held(translate(company="EPIC07")).code == "other_company"
