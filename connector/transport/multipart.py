"""A multipart body that is read from disk as it is sent, because ``requests``' own ``files=`` builds it in memory."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import BinaryIO
from urllib.parse import quote

_CHUNK = 64 * 1024


class Multipart:
    """Text fields and one file. Sized, so that a Content-Length is sent, and repeatable from the start."""

    def __init__(
        self, fields: Mapping[str, str], *, file: BinaryIO, file_name: str, content_type: str, size: int
    ) -> None:
        self._boundary = secrets.token_hex(16)
        head = [_field(self._boundary, name, value) for name, value in fields.items()]
        head.append(
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="file"; {_name_parameters(file_name)}\r\n'
            f"Content-Type: {content_type}\r\n\r\n".encode()
        )
        self._head = b"".join(head)
        self._tail = f"\r\n--{self._boundary}--\r\n".encode()
        self._file = file
        self._start = file.tell()
        self._size = size

    @property
    def content_type(self) -> str:
        """The request's Content-Type, which names the boundary."""
        return f"multipart/form-data; boundary={self._boundary}"

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(self._start)
        yield self._head
        left = self._size
        while left:
            chunk = self._file.read(min(_CHUNK, left))
            if not chunk:
                # The announced length can no longer be kept, so the request breaks off instead of lying.
                raise OSError("the file is shorter than announced")
            left -= len(chunk)
            yield chunk
        yield self._tail


def _field(boundary: str, name: str, value: str) -> bytes:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{quote(name)}"\r\n'
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{value}\r\n"
    ).encode()


def _name_parameters(file_name: str) -> str:
    """Both forms of a file name: one safe for any parser, one exact (RFC 8187)."""
    plain = "".join(char if char.isascii() and char.isprintable() and char not in '"\\' else "_" for char in file_name)
    exact = "" if plain == file_name else f"; filename*=UTF-8''{quote(file_name, safe='')}"
    return f'filename="{plain[:150]}"{exact}'
