"""The Epicor client: entity sets read page by page, documents and files fetched, methods called.

What a refusal means is ``faults``' business, how a page follows another ``paging``'s; the order of method calls that
write a document is in ``ap_invoice_entry`` and ``payment_entry``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO, cast

import msgspec
import requests

from connector.epicor import odata
from connector.epicor.config import EpicorConfig
from connector.epicor.downloads import Base64Value
from connector.epicor.gateway import Gateway
from connector.epicor.paging import Keyset, Question, Skip, walk
from connector.epicor.records import PAY_METHODS, PUR_TERMS, EntitySet, InvoiceDocument, Row, columns
from connector.epicor.rows import BadRow, Decoded, Page, check_companies, decode
from connector.transport.attempts import Attempt
from connector.transport.auth import TokenCache
from connector.transport.errors import ConnectorError, Misconfigured, Rejected, System
from connector.transport.limits import Shared
from connector.transport.retry import RetryPolicy, http_date
from connector.transport.sender import header

__all__ = ["BadRow", "EpicorClient", "EpicorConfig", "Page"]

_INVOICES = "Erp.BO.APInvoiceSvc"
#: Refusals that say "you may not see this", as opposed to "your login is wrong".
_NOT_FOR_US = frozenset({"scope_excluded", "method_denied", "unknown_method", "address_wrong", "access_refused"})


class _InvoiceReply(msgspec.Struct):
    #: Required: an answer without it is about something else, and must not pass for "there is none".
    document: InvoiceDocument | None = msgspec.field(name="returnObj")


class _Company(msgspec.Struct):
    name: str | None = msgspec.field(name="Name", default=None)


class _CompanyList(msgspec.Struct):
    value: list[_Company] = msgspec.field(default_factory=list)


_INVOICE = msgspec.json.Decoder(_InvoiceReply, strict=False)
_COMPANIES = msgspec.json.Decoder(_CompanyList, strict=False)


class EpicorClient:
    """Reads from and writes to one company. Safe for several threads; ``close`` it when done.

    Every method raises the ``ConnectorError`` that says what to do (``transport.errors``), nothing else. The
    constructor raises ``Misconfigured`` for an incomplete configuration (``company_missing`` among others).
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
        shared: Shared | None = None,
        retry: RetryPolicy | None = None,
    ) -> None:
        self._gateway = Gateway(
            config,
            on_attempt=on_attempt,
            allow_private_hosts=allow_private_hosts,
            token_cache=token_cache,
            now=now,
            sleep=sleep,
            session=session,
            shared=shared,
            retry=retry,
        )
        self._page_size = config.page_size
        self._pager = Keyset if config.paging == "keyset" else Skip
        self.company = config.company
        #: Whom Epicor knows us as, where the login says so; it tells our own locks from other people's.
        self.user = config.username
        #: Redacts texts of this tenant's Epicor before they are shown.
        self.show = self._gateway.show

    def __repr__(self) -> str:
        return f"EpicorClient({self._gateway.root}, {self.company})"

    def close(self) -> None:
        """Close the connections; the client must not be used afterwards."""
        self._gateway.close()

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
        size = self._page_size if page_size is None else page_size
        if size < 1:
            raise ValueError(f"a page has at least one row, not {size}")
        pager = self._pager(entity, where=where, after=after)
        return walk(pager, partial(self._load, entity, size), name=entity.name)

    def pages_since(self, entity: EntitySet, *, sys_rev_id: int, where: str = "") -> Iterator[Page]:
        """Yield the rows written after a SysRevID, in key order all the same (epicor.md 3.2)."""
        return self.pages(entity, where=odata.and_(where, odata.gt("SysRevID", sys_rev_id)))

    def find(self, entity: EntitySet, where: str, *, limit: int = 1000) -> list[Row]:
        """Return all rows that fit, for look-ups that expect few.

        Raises ``Rejected`` with code ``too_many_rows`` beyond ``limit``, ``unreadable_row`` if one cannot be read:
        a look-up must not answer "not there" for a row that is.
        """
        pager = self._pager(entity, where=where)
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

    def peek(self, entity: EntitySet) -> list[Row]:
        """Return at most one row of an entity set, in one request: for connection tests."""
        return [row for _, row in self._load(entity, 1, Question("")).rows]

    def _load(self, entity: EntitySet, size: int, question: Question, *, count: bool = False) -> Decoded:
        options = {"$select": ",".join(columns(entity.row))}
        if question.where:
            options["$filter"] = question.where
        options |= {"$orderby": ",".join(entity.key), "$top": str(size)}
        if question.skip:
            options["$skip"] = str(question.skip)
        if count:
            options["$count"] = "true"
        answer = self._gateway.get(entity.service, entity.name, options, link=question.link)
        return decode(entity, answer.body, company=self.company, show=self.show)

    # -- documents, files, methods ------------------------------------------------------------------------------------

    def invoice(self, vendor_num: int, invoice_num: str) -> InvoiceDocument | None:
        """Return one AP invoice with everything below it, or None if there is none (APInvoiceSvc/GetByID)."""
        key = {"vendorNum": str(vendor_num), "invoiceNum": invoice_num}
        try:
            answer = self._gateway.get(_INVOICES, "GetByID", key)
        except Rejected as error:
            if error.code == "not_found":
                return None
            raise
        try:
            document = _INVOICE.decode(answer.body).document
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            raise Rejected(
                f"{_INVOICES}/GetByID: the invoice cannot be read: {self.show(str(problem))[:300]}",
                system=System.EPICOR,
                code="unreadable_document",
                request_id=answer.request_id,
            ) from None
        if document is None or not document.header:
            return None
        companies = (row.company for row in document.header)
        check_companies(companies, company=self.company, where=f"{_INVOICES}/GetByID", show=self.show)
        return document

    def download(self, file_ref: int, sink: BinaryIO, *, max_bytes: int) -> int:
        """Write an attachment's bytes to ``sink`` (seekable) and return how many they are (AttachmentSvc/DownloadFile).

        Raises ``Rejected`` with code ``image_missing`` or ``image_too_large``.
        """
        value = Base64Value(sink, max_bytes=max_bytes)
        try:
            self._gateway.stream(
                "Ice.BO.AttachmentSvc",
                "DownloadFile",
                {"xFileRefNum": file_ref},
                cast("BinaryIO", value),
                max_bytes=max_bytes * 2 + 65536,
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
        return self._gateway.call(service, method, params, writes=writes)

    def ping(self) -> None:
        """Make the cheapest call that goes all the way to the company's data; raises what came instead of an answer."""
        self.peek(PUR_TERMS)

    # -- for connection tests -----------------------------------------------------------------------------------------

    def refusal(self, service: str, method: str) -> ConnectorError | None:
        """Return why a method may not be called, or None if it may. Nothing is written: parameters are left out."""
        return self._gateway.refusal(service, method)

    def server_time(self) -> datetime | None:
        """Return the server's clock as its answers show it (``Date`` header), or None if they do not."""
        answer = self._gateway.get(PAY_METHODS.service, PAY_METHODS.name, {"$top": "1"})
        return http_date(header(answer.headers, "date"))

    def company_name(self) -> str:
        """Return the company's name, or its id where this login may not read the company record."""
        where = {"$select": "Company1,Name", "$filter": odata.eq("Company1", self.company), "$top": "1"}
        try:
            answer = self._gateway.get("Erp.BO.CompanySvc", "Companies", where)
        except Misconfigured as error:
            if error.code in _NOT_FOR_US:
                return self.company
            raise
        try:
            found = _COMPANIES.decode(answer.body).value
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = []
        return next((company.name for company in found if company.name), self.company)


def _unreadable_row(entity: EntitySet, bad: BadRow) -> Rejected:
    return Rejected(
        f"{entity.name}: a row cannot be read ({bad.key}): {bad.reason}", system=System.EPICOR, code="unreadable_row"
    )
