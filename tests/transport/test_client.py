"""The client over real HTTP: what is repeated, what is sent once, and what every kind of failure becomes."""

from __future__ import annotations

import io
import logging
from datetime import datetime, timedelta
from typing import Any

import pytest

from connector.transport.auth import BearerTokenAuth, SendToken, Token, TokenRequest
from connector.transport.errors import ConnectorError, Misconfigured, Rejected, Retry, System, Uncertain
from connector.transport.limits import Limits
from connector.transport.retry import RetryPolicy
from tests.transport.far_side import NOW, Asked, FarSide, Say, caller

BUSY = Say(503, b"busy")


class Tokens:
    """A token source that asks the far side's /token and counts."""

    identity = "tokens"
    secrets = ("client-secret-canary",)

    def __init__(self, far: FarSide) -> None:
        self._url = f"{far.url}/token"

    def fetch(self, send: SendToken, *, now: datetime) -> Token:
        reply = send(TokenRequest(url=self._url, headers={"password": "client-secret-canary"}))
        if reply.status != 200:
            raise Misconfigured("login refused", system=System.EPICOR, code="login_refused", status=reply.status)
        return Token(reply.body.decode(), now + timedelta(hours=1))


# -- reads ---------------------------------------------------------------------------------------------------------


def test_a_read_is_repeated_until_it_answers() -> None:
    with FarSide(BUSY, Say(502), Say(200, b'{"a": 1}')) as far:
        mine = caller(far)
        assert mine.client.read(f"{far.url}/x", operation="read x").body == b'{"a": 1}'
        mine.client.close()
    assert mine.waits == [0.5, 1.0]
    assert [attempt.status for attempt in mine.attempts] == [503, 502, 200]


def test_a_read_gives_up_after_so_many_tries_with_the_last_error() -> None:
    with FarSide(BUSY) as far:
        mine = caller(far)
        with pytest.raises(Retry) as caught:
            mine.client.read(f"{far.url}/x", operation="read x")
        mine.client.close()
    assert len(far.asked) == 5
    assert (caught.value.code, caught.value.status, caught.value.message) == ("passing", 503, "busy")


def test_one_client_spends_a_bounded_number_of_repeats() -> None:
    with FarSide(BUSY) as far:
        mine = caller(far, retry=RetryPolicy(budget=6))
        for _ in range(4):
            with pytest.raises(Retry):
                mine.client.read(f"{far.url}/x", operation="read x")
        mine.client.close()
    assert len(far.asked) == 5 + 3 + 1 + 1


def test_a_lost_answer_to_a_read_is_asked_for_again() -> None:
    with FarSide(Say(drop=True), Say(200, b'{"value": [', cut=50), Say(200, b"{}")) as far:
        mine = caller(far)
        assert mine.client.read(f"{far.url}/x", operation="read x").body == b"{}"
        mine.client.close()
    assert [attempt.error for attempt in mine.attempts] == [
        "the server closed the connection", "the answer was cut short", "",
    ]  # fmt: skip


def test_a_refusal_is_final() -> None:
    with FarSide(Say(404, b"not there")) as far:
        mine = caller(far)
        with pytest.raises(Rejected):
            mine.client.read(f"{far.url}/x", operation="read x")
        mine.client.close()
    assert len(far.asked) == 1


def test_retry_after_is_waited_and_a_long_one_is_handed_on() -> None:
    with FarSide(Say(429, b"", {"Retry-After": "7"}), Say(429, b"slow down", {"Retry-After": "5000"})) as far:
        mine = caller(far)
        with pytest.raises(Retry) as caught:
            mine.client.read(f"{far.url}/x", operation="read x")
        mine.client.close()
    assert len(far.asked) == 2
    assert mine.waits[0] == 7.0
    assert caught.value.delay_s == 900  # the wish, capped


def test_an_error_that_classify_calls_passing_is_repeated_whatever_its_status() -> None:
    def html_is_passing(answer: Any, operation: str) -> ConnectorError | None:
        return Retry("a web page", system=System.EPICOR, code="not_json") if answer.body.startswith(b"<") else None

    with FarSide(Say(200, b"<html>"), Say(200, b"{}")) as far:
        mine = caller(far, classify=html_is_passing)
        assert mine.client.read(f"{far.url}/x", operation="read x").body == b"{}"
        mine.client.close()


def test_nobody_listening_is_retry_for_reads_and_writes() -> None:
    with FarSide() as far:
        mine = caller(far)
        url = far.url
    for act in (
        lambda: mine.client.read(f"{url}/x", operation="read x"),
        lambda: mine.client.write(f"{url}/x", operation="write x", body=b"{}"),
    ):
        with pytest.raises(Retry) as caught:
            act()
        assert caught.value.code == "unreachable"
        assert caught.value.message.endswith(": the server refused the connection.")
    mine.client.close()


# -- writes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("say", [Say(drop=True), Say(500, b"oops"), Say(503), Say(408), Say(200, b'{"a"', cut=9)])
def test_a_write_that_may_have_arrived_is_uncertain_and_not_repeated(say: Say) -> None:
    with FarSide(say) as far:
        mine = caller(far)
        with pytest.raises(Uncertain) as caught:
            mine.client.write(f"{far.url}/x", operation="write x", body=b'{"n": 1}')
        mine.client.close()
    assert len(far.asked) == 1
    assert mine.waits == []
    assert caught.value.hint == "Look the document up over there before sending it again."


def test_a_write_answered_by_somebody_elses_page_is_uncertain() -> None:
    def page(answer: Any, operation: str) -> ConnectorError:
        return Retry("a web page", system=System.EPICOR, code="not_json", status=answer.status)

    with FarSide(Say(200, b"<html>")) as far:
        mine = caller(far, classify=page)
        with pytest.raises(Uncertain) as caught:
            mine.client.write(f"{far.url}/x", operation="write x", body=b"{}")
        mine.client.close()
    assert caught.value.code == "not_json"


def test_a_throttled_write_was_not_done() -> None:
    with FarSide(Say(429, b"slow", {"Retry-After": "30"})) as far:
        mine = caller(far)
        with pytest.raises(Retry) as caught:
            mine.client.write(f"{far.url}/x", operation="write x", body=b"{}")
        mine.client.close()
    assert (len(far.asked), caught.value.delay_s) == (1, 30.0)


def test_a_refused_write_is_the_systems_verdict() -> None:
    with FarSide(Say(409, b"duplicate")) as far:
        mine = caller(far)
        with pytest.raises(Rejected):
            mine.client.write(f"{far.url}/x", operation="write x", body=b"{}")
        mine.client.close()


def test_501_says_that_nothing_was_done() -> None:
    with FarSide(Say(501, b"no such method")) as far:
        mine = caller(far, classify=lambda *_: Misconfigured("no", system=System.EPICOR, code="capability_unavailable"))
        with pytest.raises(Misconfigured):
            mine.client.write(f"{far.url}/x", operation="write x", body=b"{}")
        mine.client.close()


# -- logins --------------------------------------------------------------------------------------------------------


def issuing(*, good: set[str]) -> tuple[FarSide, list[str]]:
    """A far side that issues t1, t2, … and takes those that are good."""
    issued: list[str] = []

    def answer(asked: Asked) -> Say:
        if asked.path == "/token":
            issued.append(f"token-{len(issued) + 1}")
            return Say(200, issued[-1].encode())
        return Say(200) if asked.headers["Authorization"].removeprefix("Bearer ") in good else Say(401, b"no")

    return FarSide(answer=answer), issued


@pytest.mark.parametrize("writes", [False, True])
def test_a_refused_token_is_refreshed_once_and_the_call_repeated(writes: bool) -> None:
    far, issued = issuing(good={"token-2"})
    with far:
        mine = caller(far, auth=BearerTokenAuth(Tokens(far), now=lambda: NOW))
        if writes:
            assert mine.client.write(f"{far.url}/x", operation="x", body=b"{}").status == 200
        else:
            assert mine.client.read(f"{far.url}/x", operation="x").status == 200
        mine.client.close()
    assert issued == ["token-1", "token-2"]
    assert [asked.path for asked in far.asked] == ["/token", "/x", "/token", "/x"]


def test_a_second_401_is_classified_and_not_refreshed_again() -> None:
    far, issued = issuing(good=set())
    with far:
        mine = caller(far, auth=BearerTokenAuth(Tokens(far), now=lambda: NOW))
        with pytest.raises(Misconfigured) as caught:
            mine.client.read(f"{far.url}/x", operation="x")
        mine.client.close()
    assert issued == ["token-1", "token-2"]
    assert (caught.value.code, caught.value.status) == ("refused", 401)


def test_a_token_address_that_is_down_is_asked_again_for_reads_and_is_retry_for_writes() -> None:
    class Down(Tokens):
        def fetch(self, send: SendToken, *, now: datetime) -> Token:
            raise Retry("token address down", system=System.EPICOR, code="token_unavailable", delay_s=3)

    with FarSide() as far:
        mine = caller(far, auth=BearerTokenAuth(Down(far), now=lambda: NOW))
        with pytest.raises(Retry) as read:
            mine.client.read(f"{far.url}/x", operation="x")
        assert mine.waits == [0.5, 1.0, 2.0, 4.0]
        with pytest.raises(Retry) as written:
            mine.client.write(f"{far.url}/x", operation="x", body=b"{}")
        mine.client.close()
    assert read.value.code == written.value.code == "token_unavailable"
    assert far.asked == []


# -- addresses -----------------------------------------------------------------------------------------------------


def test_another_host_is_never_called_with_our_login() -> None:
    with FarSide() as far, FarSide() as other:
        mine = caller(far)
        with pytest.raises(Misconfigured) as caught:
            mine.client.read(f"{other.url}/x", operation="x")
        mine.client.close()
    assert caught.value.code == "foreign_host"
    assert other.asked == []


def test_redirects_are_not_followed() -> None:
    with FarSide() as other, FarSide(Say(302, b"", {"Location": f"{other.url}/x"})) as far:
        mine = caller(far)
        for act in ("read", "write"):
            with pytest.raises(Misconfigured) as caught:
                getattr(mine.client, act)(f"{far.url}/x", operation="x", **({"body": b"{}"} if act == "write" else {}))
            assert caught.value.code == "redirected"
        mine.client.close()
    assert other.asked == []


def test_a_token_address_must_be_allowed_too() -> None:
    class Elsewhere(Tokens):
        def fetch(self, send: SendToken, *, now: datetime) -> Token:
            send(TokenRequest(url="file:///etc/passwd", headers={}))
            raise AssertionError("the address was taken")

    with FarSide() as far:
        mine = caller(far, auth=BearerTokenAuth(Elsewhere(far), now=lambda: NOW))
        with pytest.raises(Misconfigured) as caught:
            mine.client.read(f"{far.url}/x", operation="x")
        mine.client.close()
    assert caught.value.code == "address_refused"


def test_cookies_are_neither_kept_nor_sent() -> None:
    with FarSide(Say(200, b"{}", {"Set-Cookie": "session=1"})) as far:
        mine = caller(far)
        for _ in range(2):
            mine.client.read(f"{far.url}/x", operation="x")
        mine.client.close()
    assert "Cookie" not in far.asked[1].headers


def test_a_netrc_does_not_replace_the_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with FarSide() as far:
        mine = caller(far)
        mine.client.read(f"{far.url}/x", operation="x")
        mine.client.close()
    assert far.asked[0].headers["Authorization"] == "Basic dXNlcjpwYXNzd29yZC1jYW5hcnk="


# -- bodies --------------------------------------------------------------------------------------------------------


def test_an_answer_larger_than_the_limit_is_refused() -> None:
    with FarSide(Say(200, b"x" * 1001)) as far:
        mine = caller(far, limits=Limits(max_body_bytes=1000))
        with pytest.raises(Rejected) as caught:
            mine.client.read(f"{far.url}/x", operation="x")
        mine.client.close()
    assert caught.value.code == "answer_too_large"


def test_a_download_goes_to_the_sink_and_starts_over_after_a_cut() -> None:
    with FarSide(Say(200, b"first half", cut=10), Say(200, b"whole file", {"Content-Type": "application/pdf"})) as far:
        mine = caller(far)
        sink = io.BytesIO(b"kept:")
        sink.seek(0, io.SEEK_END)
        assert mine.client.stream(f"{far.url}/f", sink, operation="file", max_bytes=100) == "application/pdf"
        mine.client.close()
    assert sink.getvalue() == b"kept:whole file"


def test_a_download_beyond_the_limit_is_refused() -> None:
    with FarSide(Say(200, b"x" * 101)) as far:
        mine = caller(far)
        with pytest.raises(Rejected) as caught:
            mine.client.stream(f"{far.url}/f", io.BytesIO(), operation="file", max_bytes=100)
        mine.client.close()
    assert caught.value.code == "image_too_large"


def test_a_download_that_is_refused_leaves_the_sink_empty() -> None:
    with FarSide(Say(404, b"no such file")) as far:
        mine = caller(far)
        sink = io.BytesIO()
        with pytest.raises(Rejected):
            mine.client.stream(f"{far.url}/f", sink, operation="file", max_bytes=100)
        mine.client.close()
    assert sink.getvalue() == b""


def test_the_disk_being_full_is_not_the_servers_fault() -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    with FarSide(Say(200, b"file")) as far:
        mine = caller(far)
        with pytest.raises(OSError, match="No space left"):
            mine.client.stream(f"{far.url}/f", Full(), operation="file", max_bytes=100)
        mine.client.close()
    assert len(far.asked) == 1


def test_a_file_is_sent_as_a_form_with_its_length() -> None:
    with FarSide() as far:
        mine = caller(far)
        mine.client.send_file(
            f"{far.url}/f", operation="upload", fields={"metadata": '{"ExternalId": "1"}'},
            file=io.BytesIO(b"%PDF-1.4"), file_name='Rechnung "ä"\r\n.pdf', content_type="application/pdf", size=8,
        )  # fmt: skip
        mine.client.close()
    [asked] = far.asked
    boundary = asked.headers["Content-Type"].partition("boundary=")[2]
    assert asked.headers["Content-Length"] == str(len(asked.body))
    assert "Transfer-Encoding" not in asked.headers
    assert asked.body.decode() == (
        f'--{boundary}\r\nContent-Disposition: form-data; name="metadata"\r\n'
        'Content-Type: text/plain; charset=utf-8\r\n\r\n{"ExternalId": "1"}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="Rechnung _____.pdf"; '
        "filename*=UTF-8''Rechnung%20%22%C3%A4%22%0D%0A.pdf\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.4\r\n"
        f"--{boundary}--\r\n"
    )


def test_a_file_is_sent_again_from_its_start_after_a_refreshed_login() -> None:
    far, _ = issuing(good={"token-2"})
    with far:
        mine = caller(far, auth=BearerTokenAuth(Tokens(far), now=lambda: NOW))
        file = io.BytesIO(b"skipped|content")
        file.seek(8)
        mine.client.send_file(
            f"{far.url}/f", operation="upload", fields={}, file=file, file_name="a.pdf",
            content_type="application/pdf", size=7,
        )  # fmt: skip
        mine.client.close()
    bodies = [asked.body for asked in far.asked if asked.path == "/f"]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert b"\r\n\r\ncontent\r\n" in bodies[0]


def test_a_file_shorter_than_announced_breaks_off() -> None:
    with FarSide() as far:
        mine = caller(far)
        with pytest.raises(Uncertain):
            mine.client.send_file(
                f"{far.url}/f", operation="upload", fields={}, file=io.BytesIO(b"ab"), file_name="a.pdf",
                content_type="application/pdf", size=500,
            )  # fmt: skip
        mine.client.close()


# -- what is kept --------------------------------------------------------------------------------------------------


def test_an_attempt_tells_what_happened() -> None:
    with FarSide(Say(400, b'{"ErrorMessage": "no"}', {"X-Request-Id": "theirs-1"})) as far:
        mine = caller(far)
        with pytest.raises(Rejected) as caught:
            mine.client.write(f"{far.url}/x?a=1", operation="write x", body=b'{"Name": "Acme", "Password": "p"}')
        mine.client.close()
    [attempt] = mine.attempts
    assert (attempt.system, attempt.operation, attempt.method) == ("epicor", "write x", "POST")
    assert attempt.url == f"{far.url}/x?a=1"
    assert (attempt.status, attempt.request_id, attempt.started_at) == (400, "theirs-1", NOW)
    assert attempt.request_shape == {"Name": "Acme", "Password": "[redacted]"}
    assert attempt.response_shape == {"ErrorMessage": "no"}
    assert (attempt.request_bytes, attempt.response_bytes) == (33, 22)
    assert attempt.error == 'no: {"ErrorMessage": "no"}'
    assert caught.value.request_id == "theirs-1"


def test_our_own_request_id_is_sent_and_kept_where_the_far_side_has_none() -> None:
    with FarSide() as far:
        mine = caller(far, request_id_header="X-Trace")
        answer = mine.client.read(f"{far.url}/x", operation="x")
        mine.client.close()
    assert far.asked[0].headers["X-Trace"] == answer.request_id == mine.attempts[0].request_id


def test_large_bodies_are_only_counted() -> None:
    with FarSide(Say(200, b'"' + b"x" * 40_000 + b'"')) as far:
        mine = caller(far)
        mine.client.read(f"{far.url}/x", operation="x")
        mine.client.close()
    assert mine.attempts[0].response_shape == {"bytes": 40_002}


def test_a_note_that_cannot_be_kept_does_not_change_what_happened(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Any) -> None:
        raise RuntimeError("the database is away")

    with FarSide() as far, caplog.at_level(logging.ERROR):
        mine = caller(far, on_attempt=broken)
        assert mine.client.write(f"{far.url}/x", operation="x", body=b"{}").status == 200
        mine.client.close()
    assert [record.message for record in caplog.records] == ["an attempt could not be recorded"]
