"""Every row of the fault table, from a body shaped like the server's own; and every shape of error body."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.epicor.faults import FAULTS, classify, meaning
from connector.transport.client import Answer
from connector.transport.errors import ConnectorError, Held, Misconfigured, Rejected, Retry
from connector.transport.redact import Redactor

UNAUTHORIZED = "System.UnauthorizedAccessException"
BUSINESS = "Ice.Common.BusinessObjectException"
API = "Epicor.RESTApi.ErrorHandler.ApiException"


def flat(status: int, kind: str, message: str, *details: str) -> Answer:
    body = {
        "HttpStatus": status,
        "ReasonPhrase": "REST API Exception",
        "ErrorMessage": message,
        "ErrorType": kind,
        "ErrorDetails": [{"Message": text, "Type": "Error", "Table": "APInvHed"} for text in details or (message,)],
        "CorrelationId": "b4b8d2f0-0000-0000-0000-000000000001",
    }
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode(), "sent-id")


def judged(answer: Answer) -> ConnectorError:
    error = classify(answer, "Erp.BO.XSvc/Y", Redactor(["key-canary"]))
    assert error is not None
    return error


CASES: list[tuple[int, str, str, type[ConnectorError], str]] = [
    (401, UNAUTHORIZED, "Invalid username or password.", Misconfigured, "login_refused"),
    (401, UNAUTHORIZED, "Invalid API Key 'key-canary' for company 'EPIC06'.", Misconfigured, "api_key_refused"),
    (401, UNAUTHORIZED, "An API Key is required to call this service.", Misconfigured, "api_key_missing"),
    (400, API, "The request has no API key.", Misconfigured, "api_key_missing"),
    (401, UNAUTHORIZED, "Access denied (Erp.BO.APInvoice.UpdateMaster).", Misconfigured, "method_denied"),
    (403, UNAUTHORIZED, "User is not authorized to access this resource.", Misconfigured, "method_denied"),
    (401, UNAUTHORIZED, "The access scope of the API Key does not allow calling Ice.BO.AttachmentSvc/DownloadFile.",
     Misconfigured, "scope_excluded"),
    (401, UNAUTHORIZED, "The access token is not valid or has expired.", Misconfigured, "token_refused"),
    (401, UNAUTHORIZED, "No.", Misconfigured, "access_refused"),
    (403, "", "Forbidden", Misconfigured, "access_refused"),
    (500, BUSINESS, "Maximum users exceeded on licence type DefaultUser for company EPIC06", Retry, "licenses_used_up"),
    (400, BUSINESS, "The number of licenses has been exceeded", Retry, "licenses_used_up"),
    (410, "Ice.Common.InvalidSessionException", "Gone", Retry, "session_expired"),
    (401, UNAUTHORIZED, "Session is invalid or has been deleted", Retry, "session_expired"),
    (410, "", "", Retry, "session_expired"),
    (503, "Ice.Common.ConversionsPendingException", "Conversions are pending.", Retry, "maintenance"),
    (429, "", "Too many requests", Retry, "throttled"),
    (400, BUSINESS, "Group AVX1 is in use by user kim.", Held, "group_locked"),
    (400, BUSINESS, "The group is locked by kim.", Held, "group_locked"),
    (400, BUSINESS, "The Group already exists.", Rejected, "group_exists"),
    (409, "Ice.Common.RecordModifiedException", "Row has been modified by another user and couldn't be updated.",
     Retry, "row_changed"),
    (409, "", "Conflict", Retry, "row_changed"),
    (400, BUSINESS, "Check 777001 already exists for bank account AVID.", Rejected, "check_number_used"),
    (400, BUSINESS, "Check number is already in use.", Rejected, "check_number_used"),
    (400, BUSINESS, "Invoice INV-1 is already in this payment.", Rejected, "already_allocated"),
    (409, "Ice.Common.DuplicateRecordException", "Duplicate record", Rejected, "duplicate"),
    (400, BUSINESS, "Invoice Number already exists for this supplier.", Rejected, "duplicate"),
    (400, BUSINESS, "The apply date is in a closed fiscal period.", Held, "period_closed"),
    (400, BUSINESS, "The apply date is not in an open fiscal period.", Held, "period_closed"),
    (400, BUSINESS, "Fiscal period 11 is closed.", Held, "period_closed"),
    (400, BUSINESS, "GL Account 01-20-5010 is not active.", Rejected, "gl_account_refused"),
    (400, BUSINESS, "GL Account 5010|20|99 is not valid.", Rejected, "gl_account_refused"),
    (400, BUSINESS, "Invalid GL Account.", Rejected, "gl_account_refused"),
    (400, BUSINESS, "Amount exceeds the invoice balance.", Rejected, "over_allocated"),
    (400, BUSINESS, "Amount 801.79 is not within the balance 800.79 of invoice INV-1.", Rejected, "over_allocated"),
    (400, BUSINESS, "Invoice INV-1 is not open for payment.", Held, "invoice_not_payable"),
    (400, BUSINESS, "Invoice INV-1 is on payment hold.", Held, "invoice_not_payable"),
    (400, BUSINESS, "Supplier ACME is inactive.", Rejected, "vendor_refused"),
    (400, BUSINESS, "Supplier ACME is not valid.", Rejected, "vendor_refused"),
    (400, BUSINESS, "The payment has a variance of 1.00.", Held, "variance"),
    (400, "Microsoft.OData.ODataException", "Could not find a property named 'VendorID' on type 'Erp.PO'.",
     Misconfigured, "column_missing"),
    (400, API, "Parameter ds is not found in the input object.", Misconfigured, "method_signature"),
    (400, API, "Unknown parameter xyz.", Misconfigured, "method_signature"),
    (400, "Microsoft.OData.ODataException", "Syntax error at position 12.", Misconfigured, "query_refused"),
    (404, "Ice.Common.RecordNotFoundException", "Record not found.", Rejected, "not_found"),
    (400, API, "Company NOPE is not valid for this user.", Misconfigured, "company_refused"),
    (404, API, "Service Erp.BO.CompanySvc not found.", Misconfigured, "unknown_method"),
    (404, "", "Not found", Misconfigured, "address_wrong"),
    (405, "", "", Misconfigured, "address_wrong"),
    (400, BUSINESS, "Invoice is posted and cannot be changed.", Rejected, "business_rule"),
    (400, "Ice.BLException", "A BPM says no.", Rejected, "business_rule"),
    (413, "", "Request Entity Too Large", Rejected, "too_large"),
    (500, "System.NullReferenceException", "An unexpected internal problem occurred.", Retry, "server_error"),
    (503, "", "", Retry, "server_error"),
    (418, "", "I am a teapot", Rejected, "unknown_refusal"),
    (400, "New.KindOfException", "Something new.", Rejected, "unknown_refusal"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind", "message", "error", "code"), CASES)
def test_what_a_refusal_means(status: int, kind: str, message: str, error: type[ConnectorError], code: str) -> None:
    found = judged(flat(status, kind, message))
    assert (type(found), found.code, found.status) == (error, code, status)
    assert found.request_id == "b4b8d2f0-0000-0000-0000-000000000001"
    assert "key-canary" not in found.message


def test_every_row_of_the_table_has_a_case() -> None:
    hit = set()
    for status, kind, message, _, _ in CASES:
        text = f"{message}"
        hit.add(next((n for n, fault in enumerate(FAULTS) if fault.fits(status, kind, text)), None))
    assert [fault.code for n, fault in enumerate(FAULTS) if n not in hit] == []


def test_the_message_names_the_call_and_quotes_epicor_without_secrets() -> None:
    found = judged(flat(401, UNAUTHORIZED, "Invalid API Key 'key-canary' for company 'EPIC06'."))
    assert found.message == "Erp.BO.XSvc/Y: Invalid API Key '[redacted]' for company 'EPIC06'."
    assert found.hint.startswith("Check the API key")


def test_a_locked_group_names_its_holder() -> None:
    assert "kim" in judged(flat(400, BUSINESS, "Group AVX1 is in use by user kim.")).message


def test_details_add_what_the_message_leaves_out() -> None:
    found = judged(flat(400, BUSINESS, "Update failed.", "Update failed.", "GL Account 1|2 is not active."))
    assert (found.code, found.message) == (
        "gl_account_refused", "Erp.BO.XSvc/Y: Update failed. GL Account 1|2 is not active.",
    )  # fmt: skip


HTML = b"<html><body>Service Unavailable for key-canary</body></html>"


@pytest.mark.parametrize(
    ("status", "content_type", "body", "error", "code", "message"),
    [
        (400, "application/json", {"error": {"code": "-1", "message": "Syntax error", "innererror":
         {"type": "Microsoft.OData.ODataException"}}}, Misconfigured, "query_refused", "Syntax error"),
        (404, "application/json", {"error": {"code": "RecordNotFoundException", "message": {"value": "Gone"}}},
         Rejected, "not_found", "Gone"),
        (503, "text/html", HTML, Retry, "server_error",
         "Something in front of Epicor answered 503 with a web page."),
        (404, "text/html", HTML, Misconfigured, "address_wrong",
         "Something in front of Epicor answered 404 with a web page."),
        (401, "text/html", HTML, Misconfigured, "access_refused",
         "Something in front of Epicor answered 401 with a web page."),
        (502, "application/json", HTML, Retry, "server_error",
         "Something in front of Epicor answered 502 with a web page."),
        (500, "", b"", Retry, "server_error", "Epicor answered 500 without a message."),
        (401, "", b"", Misconfigured, "access_refused", "Epicor answered 401 without a message."),
        (400, "text/plain", b"Bad Request", Rejected, "unknown_refusal", "Bad Request"),
        (400, "application/json", b'{"cut": ', Rejected, "unknown_refusal", '{"cut":'),
        (400, "application/json", ["odd"], Rejected, "unknown_refusal", "['odd']"),
        (400, "application/json", {"Message": "No HTTP resource"}, Rejected, "unknown_refusal", "No HTTP resource"),
        (400, "application/json", {"ErrorMessage": None, "ErrorDetails": None}, Rejected, "unknown_refusal",
         "Epicor answered 400 without a message."),
        (400, "application/json", b"\xff\xfe\x00", Rejected, "unknown_refusal", None),
    ],
)  # fmt: skip
def test_error_bodies_come_in_many_shapes(
    status: int, content_type: str, body: Any, error: type[ConnectorError], code: str, message: str | None
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = judged(Answer(status, {"Content-Type": content_type}, raw, "sent-id"))
    assert (type(found), found.code, found.request_id) == (error, code, "sent-id")
    if message is not None:
        assert found.message.strip() == f"Erp.BO.XSvc/Y: {message}"


def test_success_is_not_an_error_but_a_page_of_a_proxy_is() -> None:
    redactor = Redactor()
    assert classify(Answer(200, {"Content-Type": "application/json"}, b"{}", ""), "x", redactor) is None
    assert classify(Answer(204, {}, b"", ""), "x", redactor) is None
    for answer in (Answer(200, {"Content-Type": "text/html"}, b"hi", ""), Answer(200, {}, b"\n <html>", "")):
        found = judged(answer)
        assert (type(found), found.code) == (Retry, "not_json")


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        ({"HttpStatus": 500, "ReasonPhrase": "REST API Exception", "ErrorMessage": "Unexpected problem."},
         Retry, "server_error"),
        ({"ErrorMessage": "Group AVX1 is in use by user kim.", "ErrorType": BUSINESS, "HttpStatus": 400},
         Held, "group_locked"),
        ({"error": {"code": "-1", "message": "Internal"}}, Retry, "server_error"),
        (b'{"error": {"code": ', Retry, "server_error"),
    ],
)  # fmt: skip
def test_an_error_inside_a_success_is_that_error(body: Any, error: type[ConnectorError], code: str) -> None:
    """Lesson 26; found by the simulator: a 200 with an error in it made an invoice pass for deleted in Epicor."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = judged(Answer(200, {"Content-Type": "application/json"}, raw, "sent-id"))
    assert (type(found), found.code) == (error, code)


def test_words_inside_a_successful_answer_have_a_meaning_too() -> None:
    closed = meaning("The apply date is not in an open fiscal period.")
    assert closed is not None
    assert closed.code == "period_closed"
    assert meaning("Do you want to continue?") is None
