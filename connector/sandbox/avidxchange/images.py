"""Invoice images: upload (R15, assumed) and download (R16).

A PDF is known by its content, never by its name or content type. The limits are the e-mail intake rule's (facts
2.4): PDF only, 10 MB. The same hash again on the same invoice is a no-op.
"""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import sha256

from werkzeug.wrappers import Request, Response

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.documents import pdf
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.wire import RefusalError, Row, answer, gateway


def upload(customer: Customer, invoice_id: int, request: Request, options: Options, now: datetime) -> Response:
    """Hang a PDF on a submitted invoice: 201, or 200 if it hangs there already.

    Raises ``RefusalError``: 404 no such invoice, 400 parts or hash or external id wrong, 413 too large, 415 no PDF.
    """
    invoice = customer.invoices.get(invoice_id)
    if invoice is None:
        raise gateway(404, f"No invoice {invoice_id}")
    file = request.files.get("file")
    if file is None:
        raise gateway(400, "The part 'file' is missing")
    content = file.read()
    note = _metadata(request)
    if len(content) > options.image_max_bytes:
        raise _rejected(413, "The file is larger than 10 MB")
    if not content.startswith(b"%PDF-"):
        raise _rejected(415, "The file is not a PDF")
    digest = "sha256:" + sha256(content).hexdigest()
    if note.get("ContentHash") not in (None, digest):
        raise _rejected(400, "ContentHash does not fit the file")
    named = note.get("ExternalId")
    if isinstance(named, dict):
        named = named.get("Value")
    if named not in (None, invoice["ExternalId"]):
        raise _rejected(400, "ExternalId is another invoice's")
    for image in invoice["Images"]:
        if image["ContentHash"] == digest:
            return _result(image, 200)
    image = {
        "Id": next(customer.image_ids),
        "InvoiceId": invoice_id,
        "FileName": str(note.get("FileName") or file.filename or ""),
        "ContentHash": digest,
        "Size": len(content),
        "_content": content,
    }
    invoice["Images"].append(image)
    invoice["LastChangedDate"] = now
    return _result(image, 201)


def _metadata(request: Request) -> Row:
    """Return the ``metadata`` part, sent as a form field or as a JSON file part."""
    part = request.files.get("metadata")
    written = request.form.get("metadata") if part is None else part.read()
    if written is None:
        raise gateway(400, "The part 'metadata' is missing")
    try:
        note = json.loads(written)
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise gateway(400, "The part 'metadata' is not JSON") from None
    if not isinstance(note, dict):
        raise gateway(400, "The part 'metadata' must be an object")
    return note


def _rejected(status: int, message: str) -> RefusalError:
    return gateway(status, message, code="IMAGE_REJECTED")


def _result(image: Row, status: int) -> Response:
    item = {"Id": image["Id"], "InvoiceId": image["InvoiceId"], "ContentHash": image["ContentHash"]}
    return answer({"Results": [{"Successful": True, "Item": item, "Errors": []}]}, status)


def captured_image(invoice: Row) -> Response:
    """Return the scan of a captured invoice."""
    content = pdf(
        f"Invoice {invoice['Number']}", str(invoice["VendorName"]), f"Total {invoice['GrossAmount']} (sandbox image)"
    )
    return Response(content, content_type="application/pdf")
