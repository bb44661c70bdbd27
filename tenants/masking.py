"""What of a value may stand in the audit trail: no secret, and JSON that the database gives back unchanged.

The second matters because the trail's hashes are made from it: PostgreSQL writes numbers with exponents anew and takes
neither NUL nor half a surrogate pair, so floats and very large integers become text and such characters are replaced.
"""

from __future__ import annotations

from typing import Any

import msgspec

from connector.transport.redact import HIDDEN, is_secret_name, redact_text

#: Integers that JSON readers of every kind keep; larger ones are written as text.
_SAFE_INT = 2**53
#: Texts up to this length are remembered while one page is masked: states, codes and names of fields repeat.
_MEMO_CHARS = 64
_MEMO_SIZE = 20_000


class Mask:
    """Masks the values of one page. Throw it away afterwards: it remembers short texts as they were."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def json(self, value: Any) -> Any:
        """Return a JSON-like value (records, Decimals, dates and enums included) masked and storable; None as it is."""
        return None if value is None else self._walk(msgspec.to_builtins(value, enc_hook=str))

    def text(self, text: str) -> str:
        """Return text without anything that looks like a secret."""
        if len(text) > _MEMO_CHARS:
            return redact_text(storable_text(text))
        masked = self._seen.get(text)
        if masked is None:
            if len(self._seen) >= _MEMO_SIZE:
                self._seen.clear()
            masked = self._seen[text] = redact_text(storable_text(text))
        return masked

    def _walk(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int):
            return value if -_SAFE_INT <= value <= _SAFE_INT else str(value)
        if isinstance(value, dict):
            return {self.text(str(key)): self._item(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._walk(item) for item in value]
        return self.text(str(value))

    def _item(self, key: str, value: Any) -> Any:
        return HIDDEN if value not in (None, "") and is_secret_name(key) else self._walk(value)


def storable_text(text: str) -> str:
    """Return text that PostgreSQL can hold."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
