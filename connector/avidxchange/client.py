"""Every call to AvidXchange that the product makes, in our records and our errors.

The rest of the package is pure and this is where it meets HTTP: addresses from the profile, bodies from ``batches``,
answers through ``envelopes`` and ``decode``, refusals through ``faults``. Nothing outside this package knows a wire
name. Days of filters are UTC days (contract 6.4). Every method raises the errors of ``transport.errors`` only.
Long, but of one topic: one method a call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import BinaryIO
from uuid import NAMESPACE_URL, uuid5

import msgspec
import requests

from connector.avidxchange import decode, envelopes, faults, images, urls
from connector.avidxchange.batches import BatchKind, encode_request
from connector.avidxchange.config import AvidXchangeConfig, connect
from connector.avidxchange.decode import Records
from connector.avidxchange.lists import Lists, together, understood
from connector.avidxchange.profile import Profile
from connector.avidxchange.records import (
    BatchAnswer,
    CapturedBatch,
    CapturedInvoice,
    Payment,
    SubmittedInvoice,
    Vendor,
)
from connector.transport.attempts import Attempt
from connector.transport.auth import TokenCache
from connector.transport.client import Answer
from connector.transport.errors import Misconfigured, Rejected, System, Uncertain
from connector.transport.limits import Shared
from connector.transport.retry import RetryPolicy

__all__ = ["AvidXchangeClient", "AvidXchangeConfig", "BatchKind"]


class AvidXchangeClient:
    """One tenant's AvidXchange. Safe to be used by several threads; ``close`` it when done."""

    def __init__(
        self,
        config: AvidXchangeConfig,
        profile: Profile | None = None,
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
        self.profile = profile or Profile()
        self._root = urls.root(config.base_url, self.profile.path_prefix)
        self._http = connect(
            config,
            self.profile,
            on_attempt=on_attempt,
            allow_private_hosts=allow_private_hosts,
            token_cache=token_cache,
            now=now,
            sleep=sleep,
            session=session,
            shared=shared,
            retry=retry,
        )
        self._lists = Lists(self._http, self._root, self.profile)
        self._clean = self._http.redactor.text
        self._system_id: str | None = self.profile.accounting_system_id or None

    def __repr__(self) -> str:
        return f"AvidXchangeClient({self._root})"

    def close(self) -> None:
        """Close the connections; the client must not be used afterwards."""
        self._http.close()

    # -- batches --------------------------------------------------------------------------------------------------

    def submit(self, kind: BatchKind, batch_external_id: str, items: Sequence[tuple[str, bytes]]) -> BatchAnswer:
        """Send a batch (R3, R5, R7, R8, R9) of (external id, encoded item) and return one verdict an item.

        Sent once. An item's external id must be the item's own key (``BatchKind.key_name``). Raises ``Uncertain`` if
        it may have arrived, with code ``already_received`` if this batch id has been used; ``ValueError`` for a batch
        that can never be sent (``batches.encode_request``).
        """
        system_id = self.accounting_system_id() if kind is BatchKind.INVOICES else self.profile.accounting_system_id
        body = encode_request(kind, batch_external_id, items, self.profile, accounting_system_id=system_id)
        answer = self._http.write(
            self._lists.url(kind.path_name),
            operation=kind.path_name,
            body=body,
            headers=self._once_header(batch_external_id),
        )
        return self._batch_answer(kind, answer, kind.path_name, [external_id for external_id, _item in items])

    def batch(self, kind: BatchKind, avid_batch_id: str, external_ids: Sequence[str]) -> BatchAnswer:
        """Look up a submitted batch (R10). ``external_ids`` are all of its items in the order sent, decided ones too:
        without echoes a verdict is found by its position among all of them.

        Raises ``Rejected`` (code ``not_found``) for a batch that AvidXchange does not know.
        """
        answer = self._http.read(self._lists.url("batch", id=avid_batch_id), operation="batch")
        return self._batch_answer(kind, answer, "batch", external_ids)

    def check_offered(self, kind: BatchKind) -> None:
        """Ask the path of a batch with a GET, which sends nothing.

        Raises ``Misconfigured`` (code ``capability_unavailable``) if it is not there: 404 or 501. A 405 says that a GET
        is not offered, which it need not be.
        """
        try:
            self._http.read(self._lists.url(kind.path_name), operation=kind.path_name)
        except Misconfigured as error:
            if error.status != 405:
                raise
        except (Rejected, Uncertain):
            return  # an answer about the request's content: something is there

    def _batch_answer(self, kind: BatchKind, answer: Answer, operation: str, sent: Sequence[str]) -> BatchAnswer:
        def read() -> BatchAnswer:
            return envelopes.decode_results(
                answer.body, sent, self.profile, key_name=kind.key_name, status=answer.status, clean=self._clean
            )

        return understood(read, answer, operation)

    def _once_header(self, key: str) -> dict[str, str]:
        """The idempotency header, where a profile names one: the same for the same logical write (contract 1)."""
        name = self.profile.header_idempotency
        return {name: str(uuid5(NAMESPACE_URL, f"{self._root}/{key}"))} if name else {}

    # -- master data ----------------------------------------------------------------------------------------------

    def vendors(self, *, modified_from: date | None = None) -> Iterator[Records[Vendor]]:
        """Read vendors page by page (R4), all or those modified since a day."""
        query = [(self.profile.params["modified_from"], self._lists.day(modified_from))] if modified_from else []
        return self._lists.records(self._lists.all("vendors", query), decode.vendor, kind="vendor")

    def accounting_systems(self) -> list[tuple[str, str]]:
        """Read the (id, name) of the customer's accounting systems (R2), which is also the connection test."""
        return self._lists.pairs("accounting_systems", kind="accounting_system", second="name")

    def ping(self) -> None:
        """Make the cheapest call that needs the login; raises what came instead of an answer."""
        self._http.read(self._lists.url("accounting_systems"), operation="accounting_systems")

    def bank_accounts(self) -> list[tuple[str, str]]:
        """Read the (id, status) of the bank accounts (R23); a status is Pending, Synced or Failed."""
        return self._lists.pairs("bank_accounts", kind="bank_account", second="status")

    def accounting_system_id(self) -> str:
        """Return the accounting system that this connection works for, asking once.

        Raises ``Misconfigured`` (code ``accounting_system_unclear``) unless there is exactly one or one was chosen.
        """
        if self._system_id is None:
            found = self.accounting_systems()
            if len(found) != 1:
                listed = ", ".join(f"{system_id} ({name})" for system_id, name in found) or "none"
                raise Misconfigured(
                    f"AvidXchange lists these accounting systems: {listed}. One must be chosen.",
                    system=System.AVIDXCHANGE,
                    code="accounting_system_unclear",
                    hint="Set accounting_system_id in the profile of the AvidXchange connection.",
                )
            self._system_id = found[0][0]
        return self._system_id

    # -- invoices we submitted --------------------------------------------------------------------------------------

    def invoices_by_external_id(self, external_ids: Sequence[str]) -> Records[SubmittedInvoice]:
        """Look up invoices by our ids (R14), in as many calls as their number needs; unknown ids are left out."""
        pages = self._lists.by_ids("invoices", "external_invoice_ids", external_ids)
        found = together(self._lists.records(pages, decode.submitted_invoice, kind="invoice"))
        wanted = set(external_ids)
        return Records((item for item in found if item.external_id in wanted), found.bad)

    def invoices_modified(self, start: date, end: date) -> Iterator[Records[SubmittedInvoice]]:
        """Read invoices changed on the days from ``start`` to ``end`` (R14), split into windows the server accepts."""
        pages = self._lists.by_days("invoices", start, end)
        return self._lists.records(pages, decode.submitted_invoice, kind="invoice")

    def upload_image(
        self, avid_invoice_id: str, *, external_id: str, file_name: str, content_hash: str, file: BinaryIO, size: int
    ) -> None:
        """Upload an invoice's PDF (R15); ``content_hash`` is ``sha256:`` and hex digits, ``size`` bytes.

        The same hash again changes nothing over there, so this may be repeated after ``Uncertain``. Raises
        ``Rejected``: ``image_too_large``, ``image_rejected`` (no PDF), ``not_found`` (no such invoice).
        """
        images.check(file, size=size, size_max=self.profile.image_max_bytes)
        answer = self._http.send_file(
            self._lists.url("images", id=avid_invoice_id),
            operation="images",
            fields={
                "metadata": images.metadata(external_id=external_id, file_name=file_name, content_hash=content_hash)
            },
            file=file,
            file_name=file_name,
            content_type=images.CONTENT_TYPE,
            size=size,
            headers=self._once_header(f"{external_id}/{content_hash}"),
        )
        self._check_taken(answer, "images")

    # -- invoices that AvidXchange captured -----------------------------------------------------------------------

    def captured_batches(self, start: date, end: date) -> Iterator[Records[CapturedBatch]]:
        """Read batches closed on the days from ``start`` to ``end`` (R11); a batch closed again comes again."""
        system_id = self.accounting_system_id()
        pages = self._lists.by_days("closed_batches", start, end, first="closed_from", last="closed_to", id=system_id)
        return self._lists.records(pages, decode.captured_batch, kind="batch")

    def captured_batch(self, guid: str) -> CapturedBatch:
        """Look up one captured batch by its GUID (R10), to read one again that had failed.

        Raises ``Rejected`` (code ``not_found``) for one that AvidXchange does not know, ``Retry`` for one it cannot
        show readably.
        """
        answer = self._http.read(self._lists.url("batch", id=guid), operation="batch")
        return understood(
            lambda: decode.captured_batch(envelopes.decode_single(answer.body), self.profile), answer, "batch"
        )

    def captured_invoices(self, batch: CapturedBatch) -> Records[CapturedInvoice]:
        """Read all invoices of a closed batch (R12). Raises ``Rejected`` (code ``no_details``) without a link."""
        if not batch.details_href:
            raise _rejected("no_details", "The batch says nothing of where its invoices are.")
        url = self._lists.here(batch.details_href)
        if url is None:
            raise Misconfigured(
                "A batch's invoices are on another host; the link was not followed.",
                system=System.AVIDXCHANGE,
                code="foreign_next_link",
                hint="Check the address of the connection, and ask AvidXchange about the link.",
            )
        pages = self._lists.at("captured_invoices", url)
        found = self._lists.records(pages, decode.captured_invoice, kind="captured")
        return together(found)

    def acknowledge(self, guid: str, *, started_at: datetime, ended_at: datetime) -> None:
        """Tell AvidXchange that all of a batch was imported (R13), which nothing takes back (contract 5.3).

        Raises ``Rejected`` if AvidXchange does not take it.
        """
        body = {
            "BatchId": guid,
            "FileId": None,
            "ExportedByUserId": None,
            "StartDate": started_at.astimezone(UTC),
            "EndDate": ended_at.astimezone(UTC),
            "ExportHistoryStatusId": 1,
        }
        answer = self._http.write(
            self._lists.url("export_histories"),
            operation="export_histories",
            body=msgspec.json.encode(body),
            headers=self._once_header(f"{guid}/{body['StartDate']}"),
        )
        self._check_taken(answer, "export_histories")

    def download(self, url: str, sink: BinaryIO, *, max_bytes: int) -> str:
        """Download an image (R16) into ``sink`` and return its content type.

        Raises ``Rejected``: ``image_elsewhere`` for another host, which is never asked with this tenant's login;
        ``image_missing``; ``image_too_large``.
        """
        place = self._lists.here(url)
        if place is None:
            raise _rejected("image_elsewhere", "The image is not on the AvidXchange host; it was not fetched.")
        return self._http.stream(place, sink, operation="download", max_bytes=max_bytes)

    # -- payments ---------------------------------------------------------------------------------------------------

    def payments_modified(self, start: date, end: date) -> Iterator[Records[Payment]]:
        """Read payments changed on the days from ``start`` to ``end`` (R19), split into windows."""
        return self._lists.records(self._lists.by_days("payments", start, end), decode.payment, kind="payment")

    def payments_by_id(self, ids: Sequence[str]) -> Records[Payment]:
        """Read payments by AvidXchange's ids (R19), in chunks; unknown ids are left out."""
        pages = self._lists.by_ids("payments", "payment_ids", ids)
        found = together(self._lists.records(pages, decode.payment, kind="payment"))
        wanted = set(ids)
        return Records((item for item in found if item.id in wanted), found.bad)

    def _check_taken(self, answer: Answer, operation: str) -> None:
        """A good status is not yet success (contract 2.5)."""
        verdict = understood(lambda: envelopes.refusal(answer.body, self.profile, clean=self._clean), answer, operation)
        if verdict is not None:
            raise _rejected(verdict.code, f"{operation}: {verdict.message or 'refused without a reason'}", answer)


def _rejected(code: str, message: str, answer: Answer | None = None) -> Rejected:
    return Rejected(
        message,
        system=System.AVIDXCHANGE,
        code=code,
        status=answer.status if answer else None,
        request_id=answer.request_id if answer else "",
        hint=faults.item_fault(code).hint if code in faults.ITEM_FAULTS else "",
    )
