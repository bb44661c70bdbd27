"""Files: downloaded as base64 by their number, uploaded to a path that an attachment row then names (epicor.md 7)."""

from __future__ import annotations

import base64
import binascii

from connector.sandbox.epicor.calls import Body, Call, method, reply
from connector.sandbox.epicor.errors import bad_input, not_found

ATTACHMENTS = "Ice.BO.AttachmentSvc"


@method(ATTACHMENTS, "DownloadFile", "xFileRefNum")
def _download(call: Call) -> Body:
    found = call.database.files.get(call.number("xFileRefNum"))
    if found is None:
        raise not_found("The file was not found.")
    return reply(base64.b64encode(found[2]).decode())


@method(ATTACHMENTS, "UploadFile", "docTypeID parentTable fileName data")
def _upload(call: Call) -> Body:
    try:
        content = base64.b64decode(call.text("data"), validate=True)
    except binascii.Error:
        raise bad_input("Parameter data is not valid base64.") from None
    name = call.text("fileName").rsplit("\\", 1)[-1].rsplit("/", 1)[-1]
    path = f"\\\\files\\{call.text('parentTable')}\\{len(call.database.uploads) + 1}\\{name}"
    call.database.uploads[path] = (name, call.text("docTypeID"), content)
    return reply(path)


@method(ATTACHMENTS, "DetermineTransferModeByStorageType", "docTypeID")
def _transfer_mode(call: Call) -> Body:
    return reply("S")
