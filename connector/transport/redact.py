"""What must never be seen again: one list, applied to logs, stored attempts and error texts alike.

Three nets, because each has holes the others close. Names: a value whose key is on the list is dropped whatever it
is. Patterns: what looks like a credential, a tax id or a card number in free text. Known values: the secrets of the
tenant at hand, because servers echo them (Epicor's "invalid API key" answer does, epicor.md 2.4).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from urllib.parse import quote, quote_plus

HIDDEN = "[redacted]"

#: Parts of a key's name (lower case, letters and digits only) that make its value secret.
_NAMES = (
    "authorization", "apikey", "token", "password", "passwd", "pwd", "secret", "cookie", "sessionid", "sessioninfo",
    "taxid", "taxpayerid", "taxregnumber", "fein", "ssn",
    "bankacctnum", "bankacctnbr", "bankacctnumber", "bankaccountnumber", "bankgiro", "checkingaccount", "nameonaccount",
    "routing", "iban", "swift", "dfiident", "cardnumber", "cardid", "cvv", "securitycode",
)  # fmt: skip
_SECRET_NAME = re.compile("|".join(_NAMES))
_NOT_ALNUM = re.compile(r"[^a-z0-9]")

#: The same names inside text, followed by a value: ``password=…``, ``"ApiKey": "…"``, ``client_secret: …``.
#: Tried at the beginning of a word only: a long word (a hash, base64) would otherwise cost the square of its length.
_PAIR = re.compile(
    r"(?i)(?<![\w-])([\w-]*(?:authorization|api[-_ ]?key|token|passw(?:or)?d|pwd|secret|tax[-_ ]?(?:payer[-_ ]?)?id"
    r"|routing[-_ ]?(?:num(?:ber)?|no)?|iban|card[-_ ]?number)[\w-]*[\"']?\s*[:=]\s*)"
    r"(\"(?:[^\"\\]|\\.)*\"|'[^']*'|(?:bearer|basic)\s+[^\s\"',;}<]+|[^\s\"'&,;}<]+)"
)
#: At least one character of a credential is no letter, so that "Basic authentication" stays readable.
_SCHEME = re.compile(r"(?i)\b(bearer|basic)\s+(?=[A-Za-z]*[0-9._~+/=-])[A-Za-z0-9._~+/=-]{8,}")
_URL_LOGIN = re.compile(r"(?i)\b(https?://)[^/\s@]+@")
_TAX_ID = re.compile(r"\b(?:\d{3}-\d{2}-\d{4}|\d{2}-\d{7})\b")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}[A-Z0-9]{11,30}\b")
_ACCOUNT = re.compile(r"(?i)\b((?:bank\s+account|acct|aba|routing)\b[^\d\n]{0,20})\d{6,17}(?![\d|-])")
#: As cards are written: together, in fours, or 4-6-5. A GUID's groups (8-4-4-4-12) are none of these.
_CARD = re.compile(
    r"(?<![\w.-])(?:[1-9]\d{12,18}|[1-9]\d{3}(?:[ -]\d{4}){3}|[1-9]\d{3}[ -]\d{6}[ -]\d{5})(?![\w-]|\.\d)"
)

#: What one of the patterns above needs to match at all, in lower-case ASCII. Nearly every text of a business record
#: has none of it, and one search that fails costs a quarter of seven.
_SUSPECT = re.compile(
    r"authorization|api[-_ ]?key|token|passw|pwd|secret|tax[-_ ]?(?:payer|id)|routing|iban|card[-_ ]?number"
    r"|bearer|basic|://[^/\s@]+@|acct|aba|bank\s+account"
    r"|\b\d\d-\d{7}|\b\d{3}-\d\d-\d{4}|\b[a-z]{2}\d\d[a-z0-9]{11}"
    r"|(?<![\w.-])[1-9](?:\d{12}|\d{3}[ -]\d{4}[ -]\d{4}|\d{3}[ -]\d{6}[ -])"
)


def _is_card(digits: str) -> bool:
    """Luhn's check, so that an invoice or batch number of the same length is left readable."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _card(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match.group())
    return f"{HIDDEN}{digits[-4:]}" if 13 <= len(digits) <= 19 and _is_card(digits) else match.group()


def redact_text(text: str) -> str:
    """Return ``text`` without anything that looks like a credential, tax id, bank account or card number."""
    # Other alphabets have letters and digits of their own that the patterns know, so they are always searched.
    if text.isascii() and _SUSPECT.search(text.lower()) is None:
        return text
    return _searched(text)


def _searched(text: str) -> str:
    text = _URL_LOGIN.sub(rf"\1{HIDDEN}@", text)
    text = _PAIR.sub(rf"\1{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1 {HIDDEN}", text)
    text = _TAX_ID.sub(HIDDEN, text)
    text = _IBAN.sub(HIDDEN, text)
    text = _ACCOUNT.sub(rf"\g<1>{HIDDEN}", text)
    return _CARD.sub(_card, text)


#: Names of columns come again with every row.
_redacted_name = lru_cache(maxsize=4096)(redact_text)


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Tell whether a value under this key, header or column name must be dropped."""
    return _SECRET_NAME.search(_NOT_ALNUM.sub("", name.lower())) is not None


def redact(value: object) -> object:
    """Return a JSON-like value with secret keys' values dropped and every text passed through ``redact_text``."""
    return Redactor().shape(value, max_chars=0)


class Redactor:
    """Redaction for one client, knowing that tenant's secrets so that an echoed one is found in free text too."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: frozenset[str] = frozenset()
        self._known: tuple[str, ...] = ()
        self._shortest = 0
        self._any_known: re.Pattern[str] | None = None
        self.learn(*secrets)

    def __repr__(self) -> str:
        return f"Redactor({len(self._known)} known values)"

    def learn(self, *secrets: str) -> None:
        """Add secrets met on the way, such as a fetched token. Values under four characters cannot be told from text
        and are left to the other two nets."""
        new = {secret for secret in secrets if len(secret) >= 4} - self._secrets
        if not new:
            return
        self._secrets = self._secrets | new
        known = {form for secret in self._secrets for form in _forms(secret)}
        self._known = tuple(sorted(known, key=len, reverse=True))
        self._any_known = re.compile("|".join(map(re.escape, self._known)))
        self._shortest = len(self._known[-1])

    def text(self, text: str) -> str:
        """Return text without the known values and without what looks like a secret, fit to be stored.

        PostgreSQL holds no NUL, in text or in JSON.
        """
        return redact_text(self._without_known(text)).replace("\x00", "\N{REPLACEMENT CHARACTER}")

    def _without_known(self, text: str) -> str:
        if self._any_known is None or len(text) < self._shortest or self._any_known.search(text) is None:
            return text
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        return text

    def _name(self, name: str) -> str:
        return _redacted_name(self._without_known(name)).replace("\x00", "\N{REPLACEMENT CHARACTER}")

    def shape(self, value: object, *, max_chars: int = 4000) -> object:
        """Return a redacted, JSON-serialisable copy of ``value``, cut to about ``max_chars`` (0: not cut).

        Long texts and lists are shortened first; if that is not enough the whole becomes one cut text.
        """
        bound = 300 if max_chars else 0
        shaped = self._walk(value, depth=0, bound=bound)
        if max_chars:
            written = json.dumps(shaped, ensure_ascii=False)
            if len(written) > max_chars:
                return {"cut_to": max_chars, "chars": len(written), "text": self.text(written[:max_chars])}
        return shaped

    def _walk(self, value: object, *, depth: int, bound: int) -> object:
        if depth > 12:
            return "[too deep]"
        if isinstance(value, str):
            return self._cut(value, bound)
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, Mapping):
            return {
                self._name(str(key)): HIDDEN
                if is_secret_name(str(key)) and item not in (None, "")
                else self._walk(item, depth=depth + 1, bound=bound)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            kept = value[:5] if bound else value
            items = [self._walk(item, depth=depth + 1, bound=bound) for item in kept]
            return [*items, f"[{len(value) - len(kept)} more]"] if len(kept) < len(value) else items
        return self._cut(str(value), bound)

    def _cut(self, text: str, bound: int) -> str:
        # Redaction first, cut second: a cut in the middle of a secret would hide it from the nets. The first cut is
        # generous and only there so that megabytes of base64 are not searched.
        clean = self.text(text[: 20 * bound] if bound else text)
        return clean if not bound or len(clean) <= bound else f"{clean[:bound]}[{len(text)} characters]"


def _forms(secret: str) -> set[str]:
    """The spellings in which a server may echo a secret: as it is, escaped for URLs or JSON, or base64."""
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        base64.b64encode(secret.encode()).decode(),
    }
