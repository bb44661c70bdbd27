"""One company's door: addresses, headers and login of every call, and methods called with JSON in and out.

Methods answer with ``returnObj`` and ``parameters`` (epicor.md 1); both come back in one mapping. Company is part of
every URL and compared in every row of every dataset that comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO
from urllib.parse import urljoin

import msgspec
import requests

from connector.epicor import odata
from connector.epicor.config import RETRY, EpicorConfig
from connector.epicor.faults import classify
from connector.epicor.rows import check_companies, unreadable
from connector.transport.attempts import Attempt
from connector.transport.auth import TokenCache
from connector.transport.client import Answer, HttpClient
from connector.transport.errors import ConnectorError, Held, Misconfigured, Rejected, System, Uncertain
from connector.transport.limits import Limits, Shared
from connector.transport.redact import Redactor
from connector.transport.retry import RetryPolicy

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_REPLY = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
#: Methods that v2 answers by GET, their parameters in the query (epicor.md 1).
_BY_GET = frozenset({"GetByID", "GetList", "GetRows"})


class Gateway:
    """Calls one company of one Epicor. Safe for several threads."""

    def __init__(
        self,
        config: EpicorConfig,
        *,
        on_attempt: Callable[[Attempt], None] | None,
        allow_private_hosts: bool,
        token_cache: TokenCache | None,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        session: requests.Session | None,
        shared: Shared | None,
        retry: RetryPolicy | None,
    ) -> None:
        config.check()
        self.root = config.root
        self.company = config.company
        redactor = Redactor(config.secrets)
        #: Redacts texts of this tenant's Epicor before they are shown.
        self.show = redactor.text
        self._http = HttpClient(
            system=System.EPICOR,
            base_url=config.root,
            auth=config.auth(token_cache, now),
            classify=partial(classify, redactor=redactor),
            retry=retry or RETRY,
            limits=Limits(max_concurrency=config.max_concurrency, timeout_read_s=config.timeout_s),
            redactor=redactor,
            default_headers=config.headers(),
            allow_private_hosts=allow_private_hosts,
            on_attempt=on_attempt,
            now=now,
            sleep=sleep,
            session=session,
            shared=shared,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def url(self, service: str, name: str, options: Mapping[str, str] | None = None) -> str:
        """Return the address of an entity set or method of our company."""
        return odata.build_url(self.root, self.company, service, name, options)

    def get(self, service: str, name: str, options: Mapping[str, str], *, link: str = "") -> Answer:
        """Read an entity set or a GET method; ``link`` is followed instead, relative to the address it came from."""
        url = self.url(service, name, options)
        return self._http.read(urljoin(url, link) if link else url, operation=f"{service}/{name}")

    def call(self, service: str, method: str, params: Mapping[str, object], *, writes: bool) -> dict[str, Any]:
        """Call a method and return ``returnObj`` and the out parameters in one mapping; decimals stay ``Decimal``.

        A call that ``writes`` is sent once and may end ``Uncertain``; another repeats itself.
        """
        operation = f"{service}/{method}"
        if method in _BY_GET:
            answer = self.get(service, method, {name: "" if v is None else str(v) for name, v in params.items()})
        else:
            body = _ENCODER.encode({name: _wire(value) for name, value in params.items()})
            send = self._http.write if writes else self._http.read
            answer = send(self.url(service, method), operation=operation, body=body, method="POST")
        reply = _reply(answer, operation, writes=writes)
        check_companies(_companies(reply), company=self.company, where=operation, show=self.show)
        return reply

    def stream(
        self, service: str, method: str, params: Mapping[str, object], sink: BinaryIO, *, max_bytes: int
    ) -> None:
        """Call a method that changes nothing and put its whole answer into ``sink`` as it comes."""
        self._http.stream(
            self.url(service, method),
            sink,
            operation=f"{service}/{method}",
            max_bytes=max_bytes,
            method="POST",
            body=_ENCODER.encode(dict(params)),
        )

    def refusal(self, service: str, method: str) -> ConnectorError | None:
        """Return why a method may not be called, or None if it may; for connection tests.

        The call is made without its parameters, so a server that lets us in complains about those, which is the good
        answer: rights and Access Scope are checked first. Raises ``Retry`` when the server cannot be reached.
        """
        try:
            if method in _BY_GET:
                self.get(service, method, {})
            else:
                self._http.write(self.url(service, method), operation=f"{service}/{method}", body=b"{}")
        except (Rejected, Held, Uncertain):
            return None
        except Misconfigured as error:
            return None if error.code == "method_signature" else error
        return None


def _reply(answer: Answer, operation: str, *, writes: bool) -> dict[str, Any]:
    if not answer.body.strip():
        return {}
    try:
        reply = _REPLY.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if not writes:
            raise unreadable(operation) from None
        raise Uncertain(
            f"{operation}: the answer cannot be read.",
            system=System.EPICOR,
            code="answer_unreadable",
            status=answer.status,
            request_id=answer.request_id,
        ) from None
    parameters = reply.pop("parameters", None)
    return {**reply, **parameters} if isinstance(parameters, Mapping) else reply


def _wire(value: object) -> object:
    """A date goes out as Epicor writes its own: midnight without a zone (epicor.md 3)."""
    return f"{value.isoformat()}T00:00:00" if isinstance(value, date) and not isinstance(value, datetime) else value


def _companies(reply: Mapping[str, Any]) -> Iterator[str]:
    """The companies named by the rows of every dataset in a reply."""
    for dataset in reply.values():
        for table in dataset.values() if isinstance(dataset, Mapping) else ():
            for row in table if isinstance(table, list) else ():
                if isinstance(row, Mapping) and row.get("Company"):
                    yield str(row["Company"])
