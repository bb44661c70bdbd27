"""A profile is data: overrides are merged, and every fault in them is said in a line of its own."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from connector.avidxchange.fields import ASSUMED, FIELDS
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import PaymentMethod, PaymentStatus
from connector.avidxchange.resources import PARAMS, RESOURCES, Tag
from connector.transport.retry import RetryPolicy


def faults(**overrides: object) -> list[str]:
    with pytest.raises(ValueError, match=": ") as caught:
        Profile.from_overrides(overrides)
    return str(caught.value).splitlines()


def test_no_overrides_are_the_contract_s_defaults() -> None:
    profile = Profile.from_overrides({})
    assert profile == Profile()
    assert (profile.path_prefix, profile.page_param, profile.page_size) == ("/v1", "pageNumber", 500)
    assert (profile.window_days_max, profile.window_overlap_days, profile.batch_max_items) == (30, 2, 50)
    assert profile.retry_statuses == (408, 425, 429, 500, 502, 503, 504)
    assert profile.image_max_bytes == 10 * 1024 * 1024
    assert profile.zone == ZoneInfo("UTC")
    assert profile.paths["export_histories"] == "/invoices/batches/exportHistories"


def test_how_a_read_is_tried_again_is_the_contracts_unless_the_tenant_says_otherwise() -> None:
    usual = Profile().retry
    assert (usual.attempts, usual.throttle_attempts, usual.throttle_base_s, usual.retry_after_cap_s) == (5, 8, 5, 900)
    other = {"retry_attempts": 3, "retry_first_s": 0.5, "throttle_attempts": 2, "retry_statuses": [503]}
    own = Profile.from_overrides({**other, "throttle_first_s": 20, "retry_after_max_s": 60}).retry
    assert own == RetryPolicy(
        attempts=3, base_s=0.5, statuses=frozenset({503}), throttle_attempts=2, throttle_base_s=20, retry_after_cap_s=60
    )
    assert faults(retry_attempts=0, throttle_first_s=-1, retry_after_max_s=10**9) == [
        "retry_attempts: Expected int >= 1",
        "throttle_first_s: Expected float > 0.0",
        "retry_after_max_s: Expected float <= 86400.0",
    ]


def test_tables_are_merged_name_by_name() -> None:
    profile = Profile.from_overrides(
        {
            "paths": {"vendors": "/suppliers"},
            "params": {"payment_ids": "ids"},
            "fields": {"line.amount": "Amounts.Net", "line.gl_account": ["Coding.Account", "GLAccount"]},
            "status_map": {"  Escheated ": "refunded"},
            "method_map": {"Wire": "ach"},
            "exception_map": {"12": "heals", "4": "review"},
        }
    )
    assert profile.paths == {**Profile().paths, "vendors": "/suppliers"}
    assert profile.params == {**Profile().params, "payment_ids": "ids"}
    assert profile.fields["line.amount"] == ("Amounts.Net",)
    assert profile.fields["line.gl_account"] == ("Coding.Account", "GLAccount")
    assert profile.status_map == {**Profile().status_map, "escheated": PaymentStatus.REFUNDED}
    assert profile.method_map == {**Profile().method_map, "wire": PaymentMethod.ACH}
    assert profile.exception_map == {"4": "review", "5": "heals", "6": "heals", "9": "heals", "12": "heals"}
    assert Profile() == Profile.from_overrides({})  # the defaults themselves were not touched


def test_every_fault_has_its_own_line() -> None:
    said = faults(
        page_size=0,
        window_days_max="30",
        colour="red",
        paths={"invoices": "/invoices/{id}", "nowhere": "/x", "vendors": "no slash", "images": "/images"},
        fields={"line.amount": [], "line.price": "X"},
        status_map={"Lost": "lost"},
        method_map=["check"],
        timezone_assumed="Mars/Olympus",
        date_format_query="YYYY-MM",
        company_token_template="Bearer {user_token}",
        retry_statuses=[200],
    )
    begun = [line.partition(": ")[0] for line in said]
    assert begun == [
        "page_size",
        "window_days_max",
        "colour",
        "paths.invoices",
        "paths.nowhere",
        "paths.vendors",
        "paths.images",
        "fields.line.amount",
        "fields.line.price",
        "status_map.Lost",
        "method_map",
        "retry_statuses",
        "company_token_template",
        "date_format_query",
        "timezone_assumed",
    ]
    assert said[0] == "page_size: Expected int >= 1"
    assert said[3] == "paths.invoices: must hold no {placeholder}"
    assert said[6] == "paths.images: must hold {id}"


@pytest.mark.parametrize("path", ["/a/../b", "/a//b", "/a?x=1", "/a b", "//elsewhere.invalid/x", "/a#b"])
def test_a_path_stays_a_path(path: str) -> None:
    assert len(faults(paths={"vendors": path})) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        {"header_company_token": "Bad Header"},
        {"header_tenant": "X\r\nEvil"},
        {"path_prefix": "v1"},
        {"header_user_token": "authorization"},
        {"max_rps": 0},
        {"accounting_system_id": 17.5},
    ],
)
def test_settings_that_cannot_work_are_refused(overrides: dict[str, object]) -> None:
    assert len(faults(**overrides)) == 1


def test_a_refused_value_is_not_repeated() -> None:
    assert "canary" not in "\n".join(faults(page_size="canary-value", fields={"line.amount": "canary value"}))


def test_a_pace_may_be_lifted() -> None:
    assert Profile.from_overrides({"max_rps": None}).max_rps is None


def test_what_is_assumed_is_listed() -> None:
    assert {"line.amount", "payment.remittances", "vendor.id"} <= ASSUMED
    assert {"payment.status", "captured.number", "batch.total"}.isdisjoint(ASSUMED)
    assert {name for name, row in RESOURCES.items() if row.may_be_missing} == {
        "vendors_batches",
        "vendors",
        "gl_accounts_batches",
        "purchase_orders_batches",
        "receipts_batches",
        "invoices_batches",
        "invoices",
        "images",
        "bank_accounts",
    }
    assert PARAMS["external_invoice_ids"][0] is Tag.ASSUMED
    assert all(paths for _tag, paths in FIELDS.values())
