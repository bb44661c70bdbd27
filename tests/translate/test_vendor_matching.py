"""Scores say what convinces a clerk: tax id, name, place; different tax ids never add up to a match."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange.records import Address, Vendor, VendorItem
from connector.translate.vendors import Match, name_key, score
from tests.translate.examples import property_test


def item(
    name: str = "Bolts and Nuts, Inc.",
    tax_id: str = "00-1234567",
    line1: str = "1 Mill Street",
    zip_code: str = "45402",
) -> VendorItem:
    address = Address(line1=line1, city="Dayton", state="OH", postal_code=zip_code)
    return VendorItem(
        vendor_external_system_id="EPIC06|104|MAIN",
        vendor_name=name,
        tax_id=tax_id,
        address=address,
        remit_to_address=address,
        is_active=True,
        operation="Upsert",
    )


def theirs(
    name: str = "BOLTS & NUTS", tax_id: str = "001234567", line1: str = "1 Mill St.", postal_code: str = "45402-1234"
) -> Vendor:
    return Vendor(id="A-1", external_id="", name=name, tax_id=tax_id, line1=line1, postal_code=postal_code)


def test_the_same_vendor_in_other_words_scores_everything() -> None:
    assert score(item(), theirs(postal_code="45402")) == Match(
        100, ("same tax id", "same name", "same postal code", "same street")
    )


def test_a_name_alone_is_worth_a_quarter() -> None:
    found = score(item(tax_id=""), theirs(name="Bolts and Nutz", line1="", postal_code=""))
    assert found == Match(23, ("name 92 %",))


def test_a_zip_plus_four_is_its_zip() -> None:
    assert "same postal code" in score(item(), theirs(postal_code="454021234")).reasons
    assert "same postal code" in score(item(), theirs(postal_code="45402-1234")).reasons


def test_different_tax_ids_cap_the_score_and_say_so() -> None:
    found = score(item(), theirs(tax_id="00-7654321", postal_code="45402"))
    assert found.score == 40
    assert found.reasons == ("same name", "same postal code", "same street", "different tax ids")


@pytest.mark.parametrize("filler", ["", "***-**-4567", "00-0000000", "999999999", "12345678", "N/A"])
def test_a_filler_or_masked_tax_id_counts_as_none(filler: str) -> None:
    assert score(item(tax_id=filler), theirs(tax_id=filler, postal_code="45402")).score == 40
    assert "different tax ids" not in score(item(tax_id="00-1234567"), theirs(tax_id=filler)).reasons


def test_compared_fingerprints_stand_in_for_tax_ids() -> None:
    unread = theirs(tax_id="", postal_code="45402")
    assert score(item(), unread, same_tax_id=True) == score(item(), theirs(postal_code="45402"))
    assert score(item(), unread, same_tax_id=False).reasons[-1] == "different tax ids"
    assert score(item(), unread, same_tax_id=None) == score(item(), unread)


def test_the_address_that_is_more_alike_counts_once() -> None:
    both = item()
    remit = VendorItem(
        vendor_external_system_id="x",
        vendor_name=both.vendor_name,
        address=Address(line1="9 Far Road", city="Reno", state="NV", postal_code="89501"),
        remit_to_address=both.address,
        is_active=True,
        operation="Upsert",
    )
    assert score(remit, theirs(tax_id="", postal_code="45402")) == Match(
        40, ("same name", "same postal code", "same street")
    )


def test_strangers_score_nothing() -> None:
    assert score(item(), theirs("Quarry Holdings", "", "77 Ocean Drive", "90210")) == Match(0, ())


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Bolts & Nuts, Inc.", "bolts and nuts"),
        ("BOLTS AND NUTS INCORPORATED", "bolts and nuts"),
        ("The Müller Co., Ltd.", "muller"),
        ("O'Brien Tools L.L.C.", "obrien tools"),
        ("Aceros del Norte S.A. de C.V.", "aceros del norte"),
        ("Straße & Söhne GmbH", "strasse and sohne"),
        ("Ｗｉｄｅ Supply", "wide supply"),
        ("=HYPERLINK(1)", "hyperlink 1"),
        ("Inc.", "inc"),
        ("The Company", "the"),
        ("Co Op Market", "co op market"),
        ("  ...  ", ""),
    ],
)
def test_a_name_key_drops_what_says_nothing(name: str, key: str) -> None:
    assert name_key(name) == key


@property_test
@given(st.text(max_size=60))
def test_a_name_key_is_its_own_key_whatever_the_case(name: str) -> None:
    key = name_key(name)
    assert name_key(key) == key
    assert key == key.casefold()


@property_test
@given(
    st.text(max_size=30), st.text(max_size=30), st.text("0123456789-", max_size=11), st.text("0123456789", max_size=9)
)
def test_a_score_is_bounded_symmetric_in_tax_ids_and_explained(left: str, right: str, ours: str, other: str) -> None:
    found = score(item(name=left, tax_id=ours), theirs(name=right, tax_id=other))
    assert 0 <= found.score <= 100
    assert bool(found.reasons) or found.score == 0
    assert found.score == score(item(name=left, tax_id=other), theirs(name=right, tax_id=ours)).score
    if "different tax ids" in found.reasons:
        assert found.score <= 40
    if "same tax id" in found.reasons:
        assert found.score >= 60
