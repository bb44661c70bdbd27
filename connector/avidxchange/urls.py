"""Addresses: built by hand so that a blank is %20, ids are escaped whole, and no link leads to another host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from urllib.parse import SplitResult, parse_qsl, quote, urljoin, urlsplit, urlunsplit

#: Origin, path and sorted parameters of an address.
Place = tuple[tuple[str, str, int], str, tuple[tuple[str, str], ...]]

_PORTS = {"http": 80, "https": 443}


def root(base_url: str, path_prefix: str) -> str:
    """Return the address that paths are appended to; a base address that ends in the prefix keeps it once."""
    base = base_url.rstrip("/")
    return base if not path_prefix or base.endswith(path_prefix) else base + path_prefix


def build(start: str, template: str, ids: Mapping[str, str], query: Sequence[tuple[str, str]] = ()) -> str:
    """Return ``start`` + path with ids filled in + query, all escaped.

    Raises ``ValueError`` for an id that would make another path of it.
    """
    for name, value in ids.items():
        if not value or value in {".", ".."}:
            raise ValueError(f"not usable as {name}: {value!r}")
    path = template.format_map({name: quote(value, safe="") for name, value in ids.items()})
    return start + path + (f"?{write_query(query)}" if query else "")


def write_query(query: Sequence[tuple[str, str]]) -> str:
    """Return a query string; values are escaped whole."""
    return "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in query)


def with_list(url: str, name: str, values: Sequence[str]) -> str:
    """Return ``url`` with a parameter that lists values: each escaped whole, the commas between them bare."""
    listed = ",".join(quote(value, safe="") for value in values)
    return f"{url}{'&' if '?' in url else '?'}{quote(name, safe='$')}={listed}"


def with_page(url: str, param: str, number: int) -> str:
    """Return ``url`` asking for page ``number``, the other parameters as they are."""
    parts = urlsplit(url)
    kept = [piece for piece in parts.query.split("&") if piece and piece.partition("=")[0] != quote(param, safe="$")]
    return urlunsplit(parts._replace(query="&".join([*kept, f"{quote(param, safe='$')}={number}"]), fragment=""))


def place(url: str) -> Place:
    """Return what an address asks for, the same whatever the order of its parameters."""
    parts = urlsplit(url)
    return _origin(parts), parts.path, tuple(sorted(parse_qsl(parts.query, keep_blank_values=True)))


def chunks(values: Sequence[str], *, count: int, chars: int) -> Iterator[list[str]]:
    """Split ids for a list parameter: at most ``count`` and about ``chars`` escaped characters at a time."""
    chunk: list[str] = []
    length = 0
    for value in dict.fromkeys(values):
        size = len(quote(value, safe="")) + 1
        if chunk and (len(chunk) >= count or length + size > chars):
            yield chunk
            chunk, length = [], 0
        chunk.append(value)
        length += size
    if chunk:
        yield chunk


def resolve(base: str, link: str) -> str | None:
    """Return a link as an absolute address, or None if it leads to another scheme, host or port or is no address."""
    try:
        whole = urljoin(base, link.strip())
        parts = urlsplit(whole)
        if _origin(parts) != _origin(urlsplit(base)) or parts.username is not None or parts.password is not None:
            return None
    except ValueError:
        return None
    return urlunsplit(parts._replace(fragment=""))


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme, 0)


def day(value: date, pattern: str) -> str:
    """Return a date as queries write it; ``pattern`` is made of YYYY, MM and DD (contract 1)."""
    return (
        pattern.replace("YYYY", f"{value.year:04d}")
        .replace("MM", f"{value.month:02d}")
        .replace("DD", f"{value.day:02d}")
    )
