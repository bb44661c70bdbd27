"""A file out of Epicor: base64 inside JSON, decoded while it arrives, so that memory stays flat whatever its size.

``DownloadFile`` answers ``{"returnObj": "<base64>"}`` (epicor.md 7). The text may hold JSON escapes: .NET writes a plus
as ``\\u002B`` and may escape slashes.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import BinaryIO

from connector.epicor.rows import unreadable
from connector.transport.errors import Rejected, System

_OPENING = re.compile(rb'"returnObj"\s*:\s*(?:"|(null))')
_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
#: How much may stand before the value; more means that there is none.
_MAX_HEAD = 64 * 1024


class Base64Value:
    """A write-only sink for the answer's bytes that passes the decoded file on to ``target``.

    It can be rewound to its beginning, as the transport does before it repeats a download. Raises ``Rejected`` (code
    ``image_too_large``) beyond ``max_bytes`` of file, and ``Retry`` for text that is no base64.
    """

    def __init__(self, target: BinaryIO, *, max_bytes: int) -> None:
        self._target = target
        self._start = target.tell()
        self._max_bytes = max_bytes
        self._reset()

    def _reset(self) -> None:
        self._head = b""
        self._rest = b""
        self._state = "before"
        self.size = 0

    def tell(self) -> int:
        """Only the beginning can be gone back to."""
        return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go back to the beginning, in the target too."""
        if offset or whence:
            raise ValueError("a base64 value can only be rewound")
        self._target.seek(self._start)
        self._target.truncate()
        self._reset()
        return 0

    def truncate(self, size: int | None = None) -> int:
        """Done by ``seek``."""
        return 0

    def write(self, data: bytes) -> int:
        """Take the next bytes of the answer."""
        if self._state == "before":
            self._head += data
            opening = _OPENING.search(self._head)
            if opening:
                self._state = "missing" if opening.group(1) else "inside"
                rest, self._head = self._head[opening.end() :], b""
                self._inside(rest)
            elif len(self._head) > _MAX_HEAD:
                raise unreadable("DownloadFile")
        else:
            self._inside(data)
        return len(data)

    def finish(self) -> int:
        """Return the file's size in bytes after the last write. Raises ``Rejected`` (code ``image_missing``) if there
        is no file in the answer and ``Retry`` if the answer ended too early."""
        if self._state == "missing" or (self._state == "after" and not self.size):
            raise Rejected("DownloadFile: Epicor has no file under this reference.", system=System.EPICOR,
                           code="image_missing", hint="Look at the attachment in Epicor.")  # fmt: skip
        if self._state != "after":
            raise unreadable("DownloadFile")
        return self.size

    def _inside(self, data: bytes) -> None:
        if self._state != "inside":
            return
        text = self._rest + data
        end = text.find(b'"')
        if end >= 0:
            text, self._state, held = text[:end], "after", b""
        else:
            # An escape may be cut by the end of the chunk: the longest has six characters.
            cut = text.rfind(b"\\", max(0, len(text) - 5))
            text, held = (text[:cut], text[cut:]) if cut >= 0 else (text, b"")
        plain = _ESCAPE.sub(_unescaped, text).translate(None, b" \r\n\t")
        whole = len(plain) if self._state == "after" else len(plain) - len(plain) % 4
        # What is held back is kept in its plain form; plain base64 holds no backslash and unescapes to itself.
        self._rest = plain[whole:] + held
        try:
            decoded = base64.b64decode(plain[:whole], validate=True)
        except (binascii.Error, ValueError):
            raise unreadable("DownloadFile") from None
        self.size += len(decoded)
        if self.size > self._max_bytes:
            raise Rejected(f"DownloadFile: the file is larger than {self._max_bytes} bytes.", system=System.EPICOR,
                           code="image_too_large")  # fmt: skip
        self._target.write(decoded)


def _unescaped(match: re.Match[bytes]) -> bytes:
    if match.group(1):
        return bytes([min(int(match.group(1), 16), 255)])
    return {b"n": b"", b"r": b"", b"t": b""}.get(match.group(2), match.group(2))
