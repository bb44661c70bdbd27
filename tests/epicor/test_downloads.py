"""A file out of JSON: the same bytes however the answer is cut into pieces, and nothing kept of a broken one."""

from __future__ import annotations

import base64
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.epicor.downloads import Base64Value
from connector.transport.errors import Rejected, Retry


def dotnet(content: bytes, style: int) -> bytes:
    """The value as different JSON writers of .NET put it."""
    text = base64.b64encode(content).decode()
    if style == 1:
        text = text.replace("+", "\\u002B").replace("/", "\\/")
    if style == 2:
        text = "\\r\\n".join(text[at : at + 76] for at in range(0, len(text), 76))
    return f'{{"parameters": {{}}, "returnObj" : "{text}"}}'.encode()


@given(st.binary(min_size=1, max_size=400), st.integers(0, 2), st.lists(st.integers(1, 60), min_size=1))
def test_any_file_in_any_pieces(content: bytes, style: int, sizes: list[int]) -> None:
    answer = dotnet(content, style)
    target = io.BytesIO()
    value = Base64Value(target, max_bytes=len(content))
    at = 0
    turn = 0
    while at < len(answer):
        size = sizes[turn % len(sizes)]
        value.write(answer[at : at + size])
        at, turn = at + size, turn + 1
    assert value.finish() == len(content)
    assert target.getvalue() == content


@pytest.mark.parametrize("style", [0, 1, 2])
def test_an_escape_may_be_cut_anywhere(style: int) -> None:
    content = b"\xfb\xef\xbe\xff\xff\xff" * 30  # nothing but + and / in base64
    target = io.BytesIO()
    value = Base64Value(target, max_bytes=1000)
    for byte in dotnet(content, style):
        value.write(bytes([byte]))
    assert value.finish() == len(content)
    assert target.getvalue() == content


def test_it_can_be_started_over() -> None:
    target = io.BytesIO(b"kept")
    target.seek(4)
    value = Base64Value(target, max_bytes=100)
    value.write(dotnet(b"first try", 0)[:-6])
    value.seek(value.tell())
    value.truncate()
    value.write(dotnet(b"second", 0))
    assert value.finish() == 6
    assert target.getvalue() == b"keptsecond"
    with pytest.raises(ValueError, match="rewound"):
        value.seek(3)


@pytest.mark.parametrize("answer", [b'{"returnObj": null}', b'{"returnObj": ""}'])
def test_no_file_is_missing(answer: bytes) -> None:
    value = Base64Value(io.BytesIO(), max_bytes=100)
    value.write(answer)
    with pytest.raises(Rejected) as caught:
        value.finish()
    assert caught.value.code == "image_missing"


def test_a_file_larger_than_allowed_is_refused_while_it_comes() -> None:
    target = io.BytesIO()
    value = Base64Value(target, max_bytes=99)
    with pytest.raises(Rejected) as caught:
        value.write(dotnet(b"x" * 100, 0))
    assert caught.value.code == "image_too_large"
    assert target.getvalue() == b""


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b'{"returnObj": 5}', dotnet(b"cut off", 0)[:-4], json.dumps([1]).encode()]
)
def test_an_answer_that_ends_early_is_asked_for_again(answer: bytes) -> None:
    value = Base64Value(io.BytesIO(), max_bytes=100)
    value.write(answer)
    with pytest.raises(Retry) as caught:
        value.finish()
    assert caught.value.code == "answer_unreadable"


def test_text_that_is_no_base64_is_not_taken_for_a_file() -> None:
    with pytest.raises(Retry):
        Base64Value(io.BytesIO(), max_bytes=100).write(b'{"returnObj": "not base64!"}')


def test_a_head_without_end_is_given_up() -> None:
    with pytest.raises(Retry):
        Base64Value(io.BytesIO(), max_bytes=100).write(b" " * 70_000)
