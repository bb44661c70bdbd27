"""Rules that could not work are refused when they are made."""

from __future__ import annotations

import pytest

from connector.translate.codebook import Rules
from connector.translate.holds import LIMITS


@pytest.mark.parametrize("separator", ["", "a", "1", " ", "|x"])
def test_a_separator_that_could_be_part_of_an_id_is_refused(separator: str) -> None:
    with pytest.raises(ValueError, match="separator"):
        Rules(company="EPIC06", separator=separator)


def test_no_company_and_unknown_methods_are_refused() -> None:
    with pytest.raises(ValueError, match="company"):
        Rules(company=" ")
    with pytest.raises(ValueError, match="unknown payment methods wire"):
        Rules(company="EPIC06", payment_methods={"wire": 1})


def test_own_limits_are_laid_over_the_contracts() -> None:
    assert Rules(company="EPIC06", limits={"City": 30}).limits == {**LIMITS, "City": 30}
