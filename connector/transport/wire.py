"""One try of one call, with every way it can end turned into a value.

Nothing of ``requests`` leaves this module: its exceptions carry the prepared request, and with it the headers. What
matters about a failure is only whether the far side may have seen the request.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from http.cookiejar import DefaultCookiePolicy
from typing import Any, BinaryIO, cast

import requests
import urllib3.exceptions as u3

from connector.transport.addresses import AddressRefused, PublicAdapter
from connector.transport.limits import Limits
from connector.transport.multipart import Multipart

_CHUNK = 64 * 1024


class Fate(Enum):
    """What became of a request that got no complete answer."""

    NOT_SENT = "not sent"
    LOST = "sent, answer lost"
    REFUSED_ADDRESS = "address refused"
    BAD_CERTIFICATE = "certificate refused"
    TOO_LARGE = "answer too large"


@dataclass(frozen=True, slots=True)
class Failure:
    """No complete answer. ``text`` is plain and says nothing of the request; ``status`` is known if a header came."""

    fate: Fate
    text: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A complete answer; ``body`` is empty where it went to a sink, ``size`` counts it all the same."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as it goes out. A successful body goes to ``sink`` if there is one, up to ``max_bytes``."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | Multipart | None
    sink: BinaryIO | None = None
    max_bytes: int = 0


def new_session(limits: Limits, *, allow_private_hosts: bool) -> requests.Session:
    """Return a session with as many connections as calls at once, that keeps no cookies and asks no proxy or netrc.

    The environment is not trusted because a ``.netrc`` would replace our Authorization header and a proxy would
    make the address check meaningless; a private certificate authority is still taken from ``REQUESTS_CA_BUNDLE``.
    """
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    kind = requests.adapters.HTTPAdapter if allow_private_hosts else PublicAdapter
    adapter = kind(pool_connections=4, pool_maxsize=limits.max_concurrency, max_retries=0, pool_block=False)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def exchange(
    session: requests.Session,
    call: Call,
    limits: Limits,
    *,
    verify: bool | str = True,
    clock: Callable[[], float] = time.monotonic,
) -> Reply | Failure:
    """Send one request and read its answer. Never raises for what the network does; a sink's own errors pass."""
    deadline = clock() + limits.timeout_total_s
    try:
        # data= takes a sized iterable and streams it; the stubs do not know sized iterables.
        response = session.request(
            call.method,
            call.url,
            headers=dict(call.headers),
            data=cast("Iterable[bytes] | bytes | None", call.body),
            timeout=(limits.timeout_connect_s, limits.timeout_read_s),
            allow_redirects=False,
            stream=True,
            verify=verify,
        )
    except (requests.RequestException, u3.HTTPError, OSError) as error:
        return _failure(error)
    with response:
        status = response.status_code
        to_sink = call.sink is not None and 200 <= status < 300
        bound = call.max_bytes if to_sink else limits.max_body_bytes
        kept: list[bytes] = []
        size = 0
        chunks = _chunks(response)
        while True:
            # Only the network is inside the try: an error of the sink (a full disk, say) is not the server's.
            try:
                chunk = next(chunks, b"")
            except (requests.RequestException, u3.HTTPError, OSError) as error:
                return Failure(Fate.LOST, _plain(error), status)
            if not chunk:
                return Reply(status, dict(response.headers), b"".join(kept), size)
            size += len(chunk)
            if size > bound:
                return Failure(Fate.TOO_LARGE, f"the answer is larger than {bound} bytes", status)
            if clock() > deadline:
                return Failure(Fate.LOST, f"the answer took longer than {limits.timeout_total_s:g} s", status)
            if to_sink and call.sink is not None:
                call.sink.write(chunk)
            else:
                kept.append(chunk)


def _chunks(response: requests.Response) -> Any:
    """Yield what arrives as it arrives; ``iter_content`` would wait for full chunks and so past any deadline."""
    while chunk := response.raw.read1(_CHUNK, decode_content=True):
        yield chunk


def _failure(error: BaseException) -> Failure:
    """Tell a request that cannot have been seen from one that may have been."""
    causes = list(_causes(error))
    if any(isinstance(cause, AddressRefused) for cause in causes):
        return Failure(Fate.REFUSED_ADDRESS, "the host name leads to a private address")
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) or "doesn't match" in str(cause) for cause in causes):
        return Failure(Fate.BAD_CERTIFICATE, "the server's TLS certificate cannot be trusted")
    unsent = (u3.NewConnectionError, u3.ConnectTimeoutError, requests.ConnectTimeout, requests.exceptions.InvalidHeader)
    if any(isinstance(cause, unsent) for cause in causes):
        return Failure(Fate.NOT_SENT, _plain(error))
    return Failure(Fate.LOST, _plain(error))


def _causes(error: BaseException) -> Iterable[BaseException]:
    """The exception, what it wraps and what they were raised from; ``requests`` wraps ``urllib3`` by argument."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(seen) < 20:
        item = waiting.pop()
        if isinstance(item, BaseException) and item not in seen:
            seen.append(item)
            waiting += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return seen


def _plain(error: BaseException) -> str:
    """Words for a failure, chosen by its type: the exceptions' own texts name URLs and objects."""
    types = [type(cause).__name__ for cause in _causes(error)]
    for names, words in _WORDS:
        if not names.isdisjoint(types):
            return words
    return f"the connection failed ({types[0]})"


_WORDS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"NameResolutionError", "gaierror"}), "the host name could not be resolved"),
    (frozenset({"ConnectTimeoutError", "ConnectTimeout"}), "the server did not accept a connection in time"),
    (frozenset({"ConnectionRefusedError"}), "the server refused the connection"),
    (frozenset({"ReadTimeoutError", "ReadTimeout", "TimeoutError"}), "the server did not answer in time"),
    (frozenset({"IncompleteRead"}), "the answer was cut short"),
    (frozenset({"RemoteDisconnected", "ConnectionResetError", "BrokenPipeError"}), "the server closed the connection"),
    (frozenset({"SSLError"}), "the encrypted connection failed"),
)
