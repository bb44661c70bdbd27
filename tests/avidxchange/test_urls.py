"""Addresses: everything escaped, nothing that leads elsewhere."""

from __future__ import annotations

from datetime import date
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.avidxchange import urls

BASE = "https://api.sandbox.invalid:8443/avid"


def test_the_prefix_is_there_once() -> None:
    assert urls.root(BASE, "/v1") == urls.root(f"{BASE}/", "/v1") == urls.root(f"{BASE}/v1", "/v1") == f"{BASE}/v1"
    assert urls.root(BASE, "") == BASE


def test_blanks_are_percent_20_and_ids_escaped_whole() -> None:
    built = urls.build(f"{BASE}/v1", "/invoices/{id}/images", {"id": "a/b c|d"}, [("q", "x y+z|&")])
    assert built == f"{BASE}/v1/invoices/a%2Fb%20c%7Cd/images?q=x%20y%2Bz%7C%26"


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_an_id_cannot_change_the_path(value: str) -> None:
    with pytest.raises(ValueError, match="not usable as id"):
        urls.build(BASE, "/invoices/{id}", {"id": value})


def test_commas_between_ids_are_bare_and_commas_in_them_escaped() -> None:
    assert urls.with_list(f"{BASE}?p=1", "ids", ["E|1|A,1", "B C"]) == f"{BASE}?p=1&ids=E%7C1%7CA%2C1,B%20C"


@given(
    st.lists(st.text(min_size=1, max_size=30), max_size=60),
    st.integers(min_value=1, max_value=10),
    st.integers(min_value=1, max_value=200),
)
def test_chunks_hold_every_id_once_and_keep_the_bounds(ids: list[str], count: int, chars: int) -> None:
    chunks = list(urls.chunks(ids, count=count, chars=chars))
    assert [value for chunk in chunks for value in chunk] == list(dict.fromkeys(ids))
    for chunk in chunks:
        length = sum(len(urls.write_query([("", value)])) for value in chunk)
        assert 1 <= len(chunk) <= count
        assert length <= chars or len(chunk) == 1


def test_with_page_replaces_only_the_page() -> None:
    url = "https://h.invalid/v1/x?pageNumber=1&ids=a%2Cb,c&pageSize=5"
    assert urls.with_page(url, "pageNumber", 2) == "https://h.invalid/v1/x?ids=a%2Cb,c&pageSize=5&pageNumber=2"
    assert urls.with_page("https://h.invalid/x", "pageNumber", 2) == "https://h.invalid/x?pageNumber=2"


@pytest.mark.parametrize(
    ("link", "resolved"),
    [
        ("/v1/x?pageNumber=2", "https://api.sandbox.invalid:8443/v1/x?pageNumber=2"),
        ("y?z=1#part", f"{BASE}/y?z=1"),
        ("HTTPS://API.sandbox.invalid:8443/q", "https://API.sandbox.invalid:8443/q"),
        ("https://elsewhere.invalid/v1/x", None),
        ("//elsewhere.invalid/v1/x", None),
        ("https://api.sandbox.invalid/v1/x", None),
        ("http://api.sandbox.invalid:8443/v1/x", None),
        ("https://user:secret@api.sandbox.invalid:8443/x", None),
        ("https://api.sandbox.invalid:8443@elsewhere.invalid/x", None),
        ("javascript:alert(1)", None),
        ("https://api.sandbox.invalid:port/x", None),
        ("https://[", None),
    ],
)
def test_links_stay_on_the_host(link: str, resolved: str | None) -> None:
    assert urls.resolve(f"{BASE}/", link) == resolved


def test_places_do_not_depend_on_the_order_of_parameters() -> None:
    assert urls.place("https://H.invalid/x?a=1&b=%7C") == urls.place("https://h.invalid:443/x?b=|&a=1")
    assert urls.place("https://h.invalid/x?a=1") != urls.place("https://h.invalid/x?a=2")


def test_days_are_written_as_the_profile_says() -> None:
    assert urls.day(date(2026, 1, 5), "YYYY-MM-DD") == "2026-01-05"
    assert urls.day(date(2026, 1, 5), "MM/DD/YYYY") == "01/05/2026"


@given(st.dictionaries(st.sampled_from(["a", "b", "$c"]), st.text(max_size=20)))
def test_a_query_comes_back_as_it_was(values: dict[str, str]) -> None:
    query = urlsplit(urls.build("https://h.invalid", "/x", {}, list(values.items()))).query
    assert parse_qs(query, keep_blank_values=True) == {name: [value] for name, value in values.items()}
    assert "+" not in query
    assert " " not in unquote(query) or "%20" in query
