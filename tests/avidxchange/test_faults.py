"""Every row of the fault tables from a body of the real shape, and what is done about it (contract 7 and 8)."""

from __future__ import annotations

from typing import Any

import pytest

from connector.avidxchange import faults, item_faults
from connector.avidxchange.faults import Category
from connector.transport.client import Answer
from connector.transport.errors import ConnectorError, Misconfigured, Rejected, Retry, Uncertain

CANARY = "canary-7f3a"
JSON = {"Content-Type": "application/json"}


def clean(text: str) -> str:
    return text.replace(CANARY, "[redacted]")


def answer(status: int, body: bytes | str = b"", headers: dict[str, str] | None = None) -> Answer:
    encoded = body.encode() if isinstance(body, str) else body
    return Answer(status, headers or JSON, encoded, "req-1")


def verdict(status: int, body: bytes | str = b"", operation: str = "invoices_batches", **more: Any) -> ConnectorError:
    found = faults.classify(answer(status, body, **more), operation, clean)
    assert found is not None
    assert (found.status, found.request_id) == (status, "req-1")
    return found


E1 = (
    '{"Results":[{"Successful":false,"Item":{"ExternalId":{"Value":"a"}},'
    '"Errors":{"Code":"AMOUNT_MISMATCH","Message":"off"}}]}'
)
E2 = '{"error":"invalid_client","error_description":"Client id or secret is wrong"}'
E3 = '{"exception":{"reason":"Unauthorized","detail":"The token has expired"}}'
E4 = '{"code":"900800","message":"Message throttled out","description":"You have exceeded your quota"}'
E4_WRAPPED = '{"fault":{"code":900802,"message":"Message throttled out","description":"You have exceeded your quota"}}'
E4_XML = (
    '<amt:fault xmlns:amt="http://wso2.org/apimanager/throttling"><amt:code>900800</amt:code>'
    "<amt:message>Message throttled out</amt:message><amt:description>You have exceeded &quot;your&quot; quota"
    "</amt:description></amt:fault>"
)
E5 = '[{"code":"BDC_1","severity":"ERROR","category":"REQUEST","message":"Vendor is required"}]'
HTML = "<!DOCTYPE html><html><body><h1>503</h1>password=hunter2-canary</body></html>"


# --- shapes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "category", "wire_code", "message"),
    [
        (400, E1, Category.VALIDATION, "AMOUNT_MISMATCH", "off"),
        (400, E2, Category.AUTH, "invalid_client", "Client id or secret is wrong"),
        (401, E3, Category.AUTH, "", "Unauthorized: The token has expired"),
        (429, E4, Category.THROTTLED, "900800", "Message throttled out: You have exceeded your quota"),
        (403, E4_WRAPPED, Category.THROTTLED, "900802", "Message throttled out: You have exceeded your quota"),
        (503, E4_XML, Category.THROTTLED, "900800", 'Message throttled out: You have exceeded "your" quota'),
        (400, E5, Category.VALIDATION, "BDC_1", "Vendor is required"),
        (503, HTML, Category.TRANSIENT, "", ""),
        (502, "", Category.TRANSIENT, "", ""),
        (500, '{"Message":"broken"}', Category.TRANSIENT, "", "broken"),
        (400, '{"Errors":[{"Message":"no"}]}', Category.VALIDATION, "", "no"),
        (400, '{"cut', Category.VALIDATION, "", ""),
        (400, "[]", Category.VALIDATION, "", ""),
        (400, "null", Category.VALIDATION, "", ""),
    ],
)
def test_shape(status: int, body: str, category: Category, wire_code: str, message: str) -> None:
    found = faults.decode_error(answer(status, body), clean)
    assert (found.category, found.wire_code, found.message) == (category, wire_code, message)


def test_e1_names_the_item() -> None:
    assert faults.decode_error(answer(400, E1), clean).external_id == "a"


@pytest.mark.parametrize(
    "body",
    [
        f'{{"error":"x","error_description":"bad secret {CANARY}"}}',
        f'{{"exception":{{"reason":"no","detail":"{CANARY}"}}}}',
        f'{{"code":"{CANARY}","message":"{CANARY}"}}',
        f"<html>{CANARY}</html>",
        f"<fault><code>{CANARY}</code><message>{CANARY}</message></fault>",
        CANARY,
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 503])
def test_an_echoed_secret_is_in_no_error(status: int, body: str) -> None:
    found = verdict(status, body)
    assert CANARY not in f"{found!r} {found} {found.message} {found.hint} {found.code} {vars(found)}"


# --- rows --------------------------------------------------------------------------------------------------------

#: One real-shaped answer for every row of ``faults.ROWS``, in its order.
EXAMPLES: list[tuple[int, str]] = [
    (503, E4_XML),
    (403, '{"fault":{"code":900908,"message":"Resource forbidden","description":"User is NOT authorized"}}'),
    (403, '{"fault":{"code":900902,"message":"Missing Credentials","description":"Make sure your API call is right"}}'),
    (400, E2),
    (401, E3),
    (403, '{"exception":{"reason":"Forbidden","detail":"This client may not act for that company"}}'),
    (429, ""),
    (504, HTML),
    (404, '{"code":"404","message":"No batch 5"}'),
    (405, ""),
    (409, '{"code":"409","message":"BatchId was used before"}'),
    (413, "<html><h1>413</h1></html>"),
    (415, '{"code":"IMAGE_REJECTED","message":"The file is not a PDF"}'),
    (422, '{"Errors":{"Message":"Invoice already exists"}}'),
    (400, '{"code":"400","message":"BatchId.Value is required"}'),
]


def test_every_row_is_reached_by_its_example() -> None:
    reached = []
    for status, body in EXAMPLES:
        wire_code, message, _field, _external_id = faults._said(answer(status, body))
        reached.append(next(row for row in faults.ROWS if row.matches(status, wire_code, message)))
    assert reached == list(faults.ROWS)


@pytest.mark.parametrize("status", [402, 406, 418, 451])
def test_what_no_row_knows_is_loud(status: int) -> None:
    found = verdict(status, '{"message":"odd"}')
    assert type(found) is Misconfigured
    assert (found.code, found.message) == ("unexpected_answer", f"invoices_batches: AvidXchange answered {status}: odd")


# --- what to do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "operation", "kind", "code"),
    [
        (401, E3, "payments", Misconfigured, "login_refused"),
        (403, "", "payments", Misconfigured, "not_permitted"),
        (429, "", "payments", Retry, "throttled"),
        (403, E4_WRAPPED, "invoices_batches", Retry, "throttled"),
        (503, HTML, "payments", Retry, "unavailable"),
        (408, "", "payments", Retry, "unavailable"),
        # the whole batch
        (409, "", "invoices_batches", Uncertain, "already_received"),
        (400, "", "invoices_batches", Rejected, "refused"),
        (422, '{"message":"duplicate number"}', "vendors_batches", Rejected, "duplicate"),
        (413, "", "invoices_batches", Misconfigured, "batch_too_large"),
        # a read that is refused has no record to blame
        (400, '{"message":"At most 30 days at once"}', "payments", Misconfigured, "refused"),
        (400, "", "vendors", Misconfigured, "refused"),
        # missing paths
        *[
            (status, "", operation, Misconfigured, "capability_unavailable")
            for status in (404, 405, 501)
            for operation in (
                "vendors_batches",
                "vendors",
                "gl_accounts_batches",
                "purchase_orders_batches",
                "receipts_batches",
                "invoices_batches",
                "invoices",
                "images",
                "bank_accounts",
            )
        ],
        (404, "", "accounting_systems", Misconfigured, "capability_unavailable"),
        (404, "", "closed_batches", Misconfigured, "capability_unavailable"),
        # records that are not there
        (404, '{"message":"No batch 5"}', "batch", Rejected, "not_found"),
        (404, "", "captured_invoices", Rejected, "not_found"),
        (404, "", "download", Rejected, "image_missing"),
        (404, '{"message":"No invoice 5"}', "images", Rejected, "not_found"),
        # images
        (413, '{"code":"IMAGE_REJECTED","message":"too large"}', "images", Rejected, "image_too_large"),
        (415, '{"code":"IMAGE_REJECTED","message":"no PDF"}', "images", Rejected, "image_rejected"),
        (415, "", "images", Rejected, "wrong_file_type"),
        (400, '{"code":"IMAGE_REJECTED","message":"hash"}', "images", Rejected, "image_rejected"),
    ],
)
def test_what_to_do(status: int, body: str, operation: str, kind: type[ConnectorError], code: str) -> None:
    found = verdict(status, body, operation)
    assert (type(found), found.code) == (kind, code)


@pytest.mark.parametrize(
    ("headers", "delay"), [({"Retry-After": "7"}, 7.0), ({"retry-after": "99999"}, 99999.0), ({}, None)]
)
def test_a_wish_to_wait_is_kept_for_the_client_to_cap(headers: dict[str, str], delay: float | None) -> None:
    found = verdict(429, "", headers=headers)
    assert isinstance(found, Retry)
    assert found.delay_s == delay


# --- a 200 is not yet success --------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", ["payments", "invoices_batches", "export_histories", "images"])
@pytest.mark.parametrize("body", [HTML, "<x/>", "Service moved", "OK"])
def test_a_page_with_status_200(operation: str, body: str) -> None:
    found = verdict(200, body, operation)
    assert type(found) is (Retry if operation == "payments" else Uncertain)
    assert found.code == "unreadable_answer"
    assert "canary" not in found.message


@pytest.mark.parametrize("body", [E4, E4_WRAPPED, E4_XML])
@pytest.mark.parametrize("operation", ["payments", "invoices_batches"])
def test_a_throttle_with_status_200_means_not_processed(operation: str, body: str) -> None:
    found = verdict(200, body, operation)
    assert (type(found), found.code) == (Retry, "throttled")


@pytest.mark.parametrize(
    "body",
    ["", "{}", "[]", ' {"Items": []}', '\ufeff{"Items": []}', '{"Items": [{"Amount": 9008.01, "code": "9008"}]}'],
)
def test_good_answers(body: str) -> None:
    assert faults.classify(answer(200, body), "payments", clean) is None


def test_a_download_is_a_file_and_not_a_login_page() -> None:
    pdf = answer(200, b"", {"content-type": "application/pdf"})
    assert faults.classify(pdf, "download", clean) is None
    page = faults.classify(answer(200, b"", {"content-type": "text/html"}), "download", clean)
    assert isinstance(page, Retry)


# --- items -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(item_faults.ITEM_FAULTS))
def test_item_code(code: str) -> None:
    found = faults.item_fault(code.upper())
    assert found == item_faults.ITEM_FAULTS[code]
    assert found.category is not Category.UNEXPECTED
    assert found.hint


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Duplicate invoice", "duplicate_invoice"),
        ("Invoice 5 already exists", "duplicate_invoice"),
        ("Purchase order 5 is another vendor's: vendor mismatch", "po_vendor_mismatch"),
        ("PO 4500123 not found", "po_not_found"),
        ("GL account 61 does not exist", "gl_not_found"),
        ("Vendor EPIC|1 not found", "vendor_not_found"),
        ("Unknown dimension: dimension value 20 not found", "dimension_not_found"),
        ("The period 11/2026 is closed", "period_closed"),
        ("Computer says no", "unexpected"),
        ("", "unexpected"),
    ],
)
def test_item_message_without_a_code(message: str, code: str) -> None:
    assert faults.item_fault("", message).code == code


def test_an_unknown_item_code_is_kept_and_unexpected() -> None:
    found = faults.item_fault("Stale-Rate 9!", "vendor not found")
    assert (found.code, found.category) == ("stale_rate_9", Category.UNEXPECTED)
