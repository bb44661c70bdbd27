"""The Epicor client: entity sets read page by page, documents and files fetched, methods called.

Company is part of every URL and compared in every row that comes back. What a refusal means is ``faults``' business,
how a page follows another ``paging``'s; the order of method calls that write a document is in ``ap_invoice_entry`` and
``payment_entry``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, BinaryIO, cast
from urllib.parse import urljoin

import msgspec
import requests

from connector.epicor import odata
from connector.epicor.config import EpicorConfig
from connector.epicor.downloads import Base64Value
from connector.epicor.faults import classify
from connector.epicor.paging import Keyset, Question, Skip, walk
from connector.epicor.records import EntitySet, InvoiceDocument, Row, columns
from connector.epicor.rows import BadRow, Decoded, Page, check_companies, decode, unreadable
from connector.transport.attempts import Attempt
from connector.transport.auth import TokenCache
from connector.transport.client import Answer, HttpClient
from connector.transport.errors import Misconfigured, Rejected, System, Uncertain
from connector.transport.limits import Limits
from connector.transport.redact import Redactor

__all__ = ["BadRow", "EpicorClient", "EpicorConfig", "Page"]

_ENCODER = msgspec.json.Encoder(decimal_format="number")
_REPLY = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_INVOICE_SERVICE = "Erp.BO.APInvoiceSvc"
#: Methods that v2 answers by GET, their parameters in the query (epicor.md 1).
_BY_GET = frozenset({"GetByID", "GetList", "GetRows"})
#: Refusals that say "you may not see this", as opposed to "your login is wrong".
NOT_FOR_US = frozenset({"scope_excluded", "method_denied", "unknown_method", "address_wrong", "access_refused"})


class _InvoiceReply(msgspec.Struct):
    document: InvoiceDocument | None = msgspec.field(name="returnObj", default=None)


_INVOICE = msgspec.json.Decoder(_InvoiceReply, strict=False)


class EpicorClient:
    """Reads from and writes to one company. Safe for several threads; ``close`` it when done.

    Every method raises the ``ConnectorError`` that says what to do (``transport.errors``), nothing else.
    """

    def __init__(
        self,
        config: EpicorConfig,
        *,
        on_attempt: Callable[[Attempt], None] | None = None,
        allow_private_hosts: bool = False,
        token_cache: TokenCache | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        session: requests.Session | None = None,
    ) -> None:
        config.check()
        self._config = config
        self.company = config.company
        #: Whom Epicor knows us as, where the login says so; it tells our own locks from other people's.
        self.user = config.username
        redactor = Redactor(config.secrets)
        self._http = HttpClient(
            system=System.EPICOR,
            base_url=config.root,
            auth=config.auth(token_cache, now),
            classify=partial(classify, redactor=redactor),
            limits=Limits(max_concurrency=config.max_concurrency, timeout_read_s=config.timeout_s),
            redactor=redactor,
            default_headers=config.headers(),
            allow_private_hosts=allow_private_hosts,
            on_attempt=on_attempt,
            now=now,
            sleep=sleep,
            session=session,
        )

    def __repr__(self) -> str:
        return f"EpicorClient({self._config.root}, {self.company})"

    def close(self) -> None:
        """Close the connections; the client must not be used afterwards."""
        self._http.close()

    # -- entity sets --------------------------------------------------------------------------------------------------

    def pages(
        self,
        entity: EntitySet,
        *,
        where: str = "",
        after: tuple[object, ...] | None = None,
        page_size: int | None = None,
    ) -> Iterator[Page]:
        """Yield an entity set's rows in key order, page by page, beginning after the key ``after``.

        The next page is fetched while the caller stores the last one. No page is empty. Raises ``Misconfigured``
        (code ``wrong_company``) before a page with another company's row is handed out.
        """
        size = self._config.page_size if page_size is None else page_size
        if size < 1:
            raise ValueError(f"a page has at least one row, not {size}")
        pager = (Keyset if self._config.paging == "keyset" else Skip)(entity, where=where, after=after)
        return walk(pager, partial(self._load, entity, size), name=entity.name)

    def pages_since(self, entity: EntitySet, *, sys_rev_id: int, where: str = "") -> Iterator[Page]:
        """Yield the rows written after a SysRevID, in key order all the same (epicor.md 3.2)."""
        return self.pages(entity, where=odata.and_(where, odata.gt("SysRevID", sys_rev_id)))

    def find(self, entity: EntitySet, where: str, *, limit: int = 1000) -> list[Row]:
        """Return all rows that fit, for look-ups that expect few.

        Raises ``Rejected`` with code ``too_many_rows`` beyond ``limit``, ``unreadable_row`` if one cannot be read:
        a look-up must not answer "not there" for a row that is.
        """
        pager = Keyset(entity, where=where)
        found: list[Row] = []
        while True:
            answer = self._load(entity, min(limit + 1, 1000), pager.question(), count=True)
            page = pager.accept(answer)
            if answer.bad:
                raise _unreadable_row(entity, answer.bad[0])
            found += page.rows if page else []
            if len(found) > limit:
                raise Rejected(
                    f"{entity.name}: more than {limit} rows fit.", system=System.EPICOR, code="too_many_rows"
                )
            # The count is of what the question fits, so reaching it spares the empty page; without one, ask on.
            if page is None or answer.count == len(answer.keys):
                return found

    def find_by_keys(
        self,
        entity: EntitySet,
        column: str,
        values: Sequence[int],
        *,
        where: str = "",
        on_bad: Callable[[BadRow], None] | None = None,
    ) -> Iterator[list[Row]]:
        """Yield the rows whose ``column`` is one of ``values``, a list for each question short enough for a URL.

        A row that cannot be read goes to ``on_bad``; without it ``Rejected`` (code ``unreadable_row``) is raised.
        """
        room = odata.MAX_QUERY - len(where) * 2 - len(",".join(columns(entity.row))) - 500
        for clause in odata.any_of(column, values, room=max(room, 200)):
            found: list[Row] = []
            for page in self.pages(entity, where=odata.and_(clause, where)):
                for bad in page.bad:
                    if on_bad is None:
                        raise _unreadable_row(entity, bad)
                    on_bad(bad)
                found += page.rows
            yield found

    def _load(self, entity: EntitySet, size: int, question: Question, *, count: bool = False) -> Decoded:
        options = {"$select": ",".join(columns(entity.row))}
        if question.where:
            options["$filter"] = question.where
        options |= {"$orderby": ",".join(entity.key), "$top": str(size)}
        if question.skip:
            options["$skip"] = str(question.skip)
        if count:
            options["$count"] = "true"
        url = odata.build_url(self._config.root, self.company, entity.service, entity.name, options)
        if question.link:
            # Relative links are relative to the question; the transport refuses one that leads to another host.
            url = urljoin(url, question.link)
        answer = self._http.read(url, operation=f"{entity.service}/{entity.name}")
        return decode(entity, answer.body, company=self.company)

    # -- documents, files, methods ------------------------------------------------------------------------------------

    def invoice(self, vendor_num: int, invoice_num: str) -> InvoiceDocument | None:
        """Return one AP invoice with everything below it, or None if there is none (APInvoiceSvc/GetByID)."""
        given: dict[str, str] = {"vendorNum": str(vendor_num), "invoiceNum": invoice_num}
        operation = f"{_INVOICE_SERVICE}/GetByID"
        url = odata.build_url(self._config.root, self.company, _INVOICE_SERVICE, "GetByID", given)
        try:
            answer = self._http.read(url, operation=operation)
        except Rejected as error:
            if error.code == "not_found":
                return None
            raise
        try:
            document = _INVOICE.decode(answer.body).document
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise Rejected(
                f"{operation}: the invoice cannot be read: {str(problem)[:300]}",
                system=System.EPICOR, code="unreadable_document", request_id=answer.request_id,
            ) from None  # fmt: skip
        if document is None or not document.header:
            return None
        check_companies((row.company for row in document.header), company=self.company, where=operation)
        return document

    def download(self, file_ref: int, sink: BinaryIO, *, max_bytes: int) -> int:
        """Write an attachment's bytes to ``sink`` (seekable) and return how many they are (AttachmentSvc/DownloadFile).

        Raises ``Rejected`` with code ``image_missing`` or ``image_too_large``.
        """
        value = Base64Value(sink, max_bytes=max_bytes)
        url = self._method_url("Ice.BO.AttachmentSvc", "DownloadFile")
        body = _ENCODER.encode({"xFileRefNum": file_ref})
        try:
            self._http.stream(
                url,
                cast("BinaryIO", value),
                operation="Ice.BO.AttachmentSvc/DownloadFile",
                max_bytes=max_bytes * 2 + 65536,
                method="POST",
                body=body,
            )
        except Rejected as error:
            if error.code == "not_found":
                error.code = "image_missing"
            raise
        return value.finish()

    def method(self, service: str, method: str, params: Mapping[str, object], *, writes: bool) -> Mapping[str, Any]:
        """Call a method and return ``returnObj`` and the out parameters in one mapping; decimals stay ``Decimal``.

        ``writes`` says whether it may change something over there: then it is sent once and may end ``Uncertain``;
        otherwise it repeats itself. GetNew and OnChange methods only compute, so they do not write.
        """
        operation = f"{service}/{method}"
        if method in _BY_GET:
            given = {name: "" if value is None else str(value) for name, value in params.items()}
            url = odata.build_url(self._config.root, self.company, service, method, given)
            answer = self._http.read(url, operation=operation)
        else:
            url = self._method_url(service, method)
            body = _ENCODER.encode({name: _wire(value) for name, value in params.items()})
            send = self._http.write if writes else self._http.read
            answer = send(url, operation=operation, body=body, method="POST")
        reply = self._reply(answer, operation, writes=writes)
        check_companies(_companies(reply), company=self.company, where=operation)
        return reply

    def company_name(self) -> str:
        """Return the company's name, or its id where this login may not read the company record."""
        where = {"$select": "Company1,Name", "$filter": odata.eq("Company1", self.company), "$top": "1"}
        url = odata.build_url(self._config.root, self.company, "Erp.BO.CompanySvc", "Companies", where)
        try:
            answer = self._http.read(url, operation="Erp.BO.CompanySvc/Companies")
        except Misconfigured as error:
            if error.code in NOT_FOR_US:
                return self.company
            raise
        rows = self._reply(answer, "Erp.BO.CompanySvc/Companies", writes=False).get("value") or [{}]
        return str(rows[0].get("Name") or self.company)

    def _method_url(self, service: str, method: str) -> str:
        return odata.build_url(self._config.root, self.company, service, method)

    def _reply(self, answer: Answer, operation: str, *, writes: bool) -> dict[str, Any]:
        if not answer.body.strip():
            return {}
        try:
            reply = _REPLY.decode(answer.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            if writes:
                raise Uncertain(
                    f"{operation}: the answer cannot be read.",
                    system=System.EPICOR, code="answer_unreadable", status=answer.status, request_id=answer.request_id,
                ) from None  # fmt: skip
            raise unreadable(operation) from None
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


def _unreadable_row(entity: EntitySet, bad: BadRow) -> Rejected:
    return Rejected(
        f"{entity.name}: a row cannot be read ({bad.key}): {bad.reason}", system=System.EPICOR, code="unreadable_row"
    )
