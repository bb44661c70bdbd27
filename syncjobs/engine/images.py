"""Invoice images from Epicor to AvidXchange, each streamed through a temporary file, after the invoice was accepted.

The candidates are noted when the invoice is translated: attachments of the tenant's document types, those named as PDF
first. The first that *is* a PDF, by its content, is sent; one file an invoice (contract 5.4). The submission itself
does not announce the image: its hash would have to be known first, and so every image read twice.

The same content again on the same invoice changes nothing over there, so an upload whose outcome is unknown, or whose
worker died, may be repeated after a look. An image that cannot be sent leaves its invoice submitted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, cast

from connector.epicor.records import Attachment, text
from connector.transport.errors import ConnectorError, Misconfigured, Rejected, Retry, Uncertain, Waits
from syncjobs.engine import problems
from syncjobs.engine.context import StageContext
from syncjobs.engine.problems import Finding
from syncjobs.engine.submissions import key, money
from syncjobs.models import InvoiceImage, InvoiceLink
from syncjobs.states import INVOICE_THERE, ImageState
from tenants import audit

SLICE = 50
#: What of a file stays in memory; the rest goes to disk.
SPOOL_BYTES = 1024 * 1024
_CHUNK = 256 * 1024
_MAGIC = b"%PDF-"
#: Images in a row that could not be fetched or sent now, after which the far side is taken to be down.
TOO_MANY = 3
WAITING = (ImageState.PENDING, ImageState.UNCERTAIN)
CODES = ("image_refused", "image_waits")


@dataclass(frozen=True, slots=True)
class Content:
    """A fetched image: ``size`` in bytes, ``digest`` as AvidXchange writes it, and whether it is a PDF."""

    size: int
    digest: str
    is_pdf: bool


def candidates(attachments: Sequence[Attachment], doc_types: Sequence[str]) -> list[Attachment]:
    """Return the attachments that may be the invoice's image, the likeliest first; no document types means any."""
    wanted = {name.casefold() for name in doc_types}
    fitting = [one for one in attachments if not wanted or text(one.doc_type_id).casefold() in wanted]
    return sorted(fitting, key=lambda one: (not _named(one).lower().endswith(".pdf"), one.drawing_seq))


def note(ctx: StageContext, chosen: dict[int, list[Attachment]]) -> None:
    """Note the candidates of unsent invoices (by their row's id) afresh; call it inside ``ctx.commit()``."""
    old = InvoiceImage.objects.filter(tenant=ctx.tenant, invoice_id__in=list(chosen)).exclude(state=ImageState.SENT)
    old.delete()
    InvoiceImage.objects.bulk_create(
        [
            InvoiceImage(tenant=ctx.tenant, invoice_id=pk, file_ref=one.file_ref, file_name=_named(one))
            for pk, attachments in chosen.items()
            for one in attachments
        ],
        ignore_conflicts=True,
    )


def send(ctx: StageContext) -> None:
    """Send what waits of the images of accepted invoices.

    Raises the ``Retry`` that came of the last of several images in a row: then it is not the image's fault.
    """
    failures = 0
    for link, images in _waiting(ctx):
        try:
            _send(ctx, link, images)
            failures = 0
        except Waits:
            raise
        except Retry as wish:
            _put_off(ctx, link, wish)
            failures += 1
            if failures == TOO_MANY:
                raise
        except Misconfigured as fault:
            if fault.code != "capability_unavailable":
                raise
            with ctx.commit():
                problems.report(ctx, "images", "images", _unavailable(fault))
            return


def _waiting(ctx: StageContext) -> Iterator[tuple[InvoiceLink, list[InvoiceImage]]]:
    last = 0
    there = InvoiceLink.objects.filter(tenant=ctx.tenant, direction=InvoiceLink.OUT, state__in=INVOICE_THERE)
    waiting = there.exclude(avid_id="").filter(images__state__in=WAITING).distinct().order_by("pk")
    while links := list(waiting.filter(pk__gt=last).defer("desired", "captured")[:SLICE]):
        by_invoice: dict[int, list[InvoiceImage]] = {}
        for image in InvoiceImage.objects.filter(invoice__in=links).order_by("pk"):
            by_invoice.setdefault(image.invoice_id, []).append(image)
        for link in links:
            yield link, by_invoice[link.pk]
        last = links[-1].pk


def _send(ctx: StageContext, link: InvoiceLink, images: Sequence[InvoiceImage]) -> None:
    """Send the first candidate that is a PDF; the others are forgotten then."""
    refused = ""
    for image in images:
        if image.state in WAITING:
            try:
                _carry(ctx, link, image)
            except Rejected as fault:
                refused = refused or _sentence(fault)
                image.state, image.message = ImageState.REFUSED, _sentence(fault)
        if image.state == ImageState.UNCERTAIN:
            return
        if image.state == ImageState.SENT:
            break
    sent = any(image.state == ImageState.SENT for image in images)
    with ctx.commit():
        if sent:
            InvoiceImage.objects.filter(invoice=link).exclude(state=ImageState.SENT).delete()
        else:
            InvoiceImage.objects.bulk_update(images, ["state", "message", "size", "content_hash"])
        finding = None if sent else _refusal(link, refused)
        problems.report_page(ctx, "invoice", {key(link): finding}, codes=CODES)
        problems.resolve(ctx, "images", "images", codes=("capability_unavailable",), why="An image was sent.")


def _carry(ctx: StageContext, link: InvoiceLink, image: InvoiceImage) -> None:
    """Fetch one image and upload it. Raises ``Rejected`` for one that cannot be the invoice's image."""
    limit = min(ctx.options.max_attachment_mb * 1024 * 1024, ctx.avidxchange.profile.image_max_bytes)
    with SpooledTemporaryFile(max_size=SPOOL_BYTES) as spooled:
        file = cast("BinaryIO", spooled)
        ctx.epicor.download(image.file_ref or 0, file, max_bytes=limit)
        content = examine(file)
        image.size, image.content_hash = content.size, content.digest
        if image.state == ImageState.UNCERTAIN and _is_there(ctx, link, content.digest):
            _sent(ctx, link, image)
            return
        try:
            # A file that is no PDF is refused there before a byte of it is sent.
            ctx.avidxchange.upload_image(
                link.avid_id,
                external_id=link.external_id,
                file_name=_pdf_name(image.file_name) if content.is_pdf else image.file_name,
                content_hash=content.digest,
                file=file,
                size=content.size,
            )
        except Uncertain as lost:
            if not _is_there(ctx, link, content.digest):
                with ctx.commit():
                    _keep(image, ImageState.UNCERTAIN, _sentence(lost))
                return
    _sent(ctx, link, image)


def examine(file: BinaryIO) -> Content:
    """Read a file once, a piece at a time, and leave it at its beginning."""
    file.seek(0)
    begins = file.read(len(_MAGIC))
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_CHUNK):
        digest.update(piece)
        size += len(piece)
    file.seek(0)
    return Content(size, f"sha256:{digest.hexdigest()}", begins == _MAGIC)


def _is_there(ctx: StageContext, link: InvoiceLink, digest: str) -> bool:
    found = ctx.avidxchange.invoices_by_external_id([link.external_id])
    return any(digest in one.image_hashes for one in found)


def _sent(ctx: StageContext, link: InvoiceLink, image: InvoiceImage) -> None:
    with ctx.commit():
        image.sent_at = ctx.now()
        _keep(image, ImageState.SENT, "")
        audit.record(
            ctx.tenant,
            f"{ctx.stage}.image_sent",
            actor=ctx.actor,
            subject=("invoice", key(link)),
            after={"file": image.file_name, "hash": image.content_hash, "bytes": image.size},
            run=ctx.run.pk,
        )


def _keep(image: InvoiceImage, state: ImageState, message: str) -> None:
    image.state, image.message = state, message
    image.save(update_fields=["state", "message", "size", "content_hash", "sent_at", "updated_at"])


def _put_off(ctx: StageContext, link: InvoiceLink, wish: Retry) -> None:
    """The image waits for the next run; a person is told, because one that never comes would wait for ever."""
    finding = Finding(
        code="image_waits",
        message=f"The image of invoice {link.invoice_num} could not be sent yet: {_sentence(wish)}",
        hint="Nothing to do unless it stays: it is tried again on every run.",
        subject_id=link.pk,
        **money(link),
    )
    with ctx.commit():
        problems.report_page(ctx, "invoice", {key(link): finding}, codes=CODES)


def _refusal(link: InvoiceLink, why: str) -> Finding:
    reason = why or "no attachment of it can be sent."
    return Finding(
        code="image_refused",
        message=f"Invoice {link.invoice_num} is at AvidXchange without its image: {reason}",
        hint="Attach the PDF to the invoice in AvidXchange; the invoice itself was accepted.",
        subject_id=link.pk,
        **money(link),
    )


def _unavailable(fault: Misconfigured) -> Finding:
    return Finding(
        code="capability_unavailable",
        message=f"AvidXchange takes no invoice images on this connection: {fault.message}",
        hint="Correct the images path in the profile of the AvidXchange connection; waiting images are sent then.",
    )


def _named(attachment: Attachment) -> str:
    """Return a file's own name: what Epicor keeps is a path on its server (epicor.md 7)."""
    name = re.split(r"[\\/]", text(attachment.file_name))[-1].strip()
    return (name or f"attachment-{attachment.file_ref}")[-255:]


def _pdf_name(name: str) -> str:
    return name if name.lower().endswith(".pdf") else f"{name[:250]}.pdf"


def _sentence(fault: ConnectorError) -> str:
    return f"{fault.message} {fault.hint}".strip()
