"""A captured invoice written into Epicor: the steps of its posting, each of which can be looked up (design 5.7).

A posting is the document as it is to stand; a draft without lines is one of which nothing is to stand (``removal``).
Nothing is assumed about what an earlier life of it did: the header is looked up by (VendorNum, InvoiceNum) before it is
made, lines are recognised by comparing, and in the end every line's account and amount is read again and compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

import msgspec

from connector.epicor import ap_invoice_entry as entry
from connector.epicor.ap_invoice_standing import differences, standing, wrong_accounts
from connector.epicor.drafts import InvoiceDraft, InvoiceLineDraft
from connector.epicor.records import Invoice, InvoiceDocument, text
from connector.transport.errors import Held, Rejected, Retry, System
from syncjobs.engine import postings
from syncjobs.engine.captured_links import invoice_of
from syncjobs.engine.context import StageContext
from syncjobs.engine.entry_groups import Group
from syncjobs.engine.postings import Facts, Step
from syncjobs.models import Posting

#: Somebody has the group just now; the posting waits.
LOCKED = frozenset({"group_locked", "group_posting"})
#: What was to be changed or taken back has been posted, so only a person can put it right.
POSTED = "posted_meanwhile"
CODING = "coding_differs"

_SUFFIXES = {"application/pdf": "pdf", "image/tiff": "tif", "image/png": "png", "image/jpeg": "jpg"}


def removal(draft: InvoiceDraft) -> InvoiceDraft:
    """Return the draft of which nothing is to stand in Epicor."""
    return msgspec.structs.replace(draft, lines=())


def steps(ctx: StageContext, posting: Posting, group: Group) -> list[Step]:
    """Return the steps of a posting of this kind."""
    work = _Entry(ctx, posting, group)
    if not work.draft.lines:
        return [work.step("remove", look=work.look_removed, do=work.remove, look_first=True)]
    made = [work.step("header", look=work.look_header, do=work.make_header, look_first=True)]
    if any(line.po_line is not None for line in work.draft.lines):
        made.append(work.step("receipts", look=work.look_receipts, do=work.bill_receipts, look_first=True))
    made += [
        work.step(
            f"line {line.line_number}",
            look=partial(work.look_line, line),
            do=partial(work.add_line, line),
            look_first=True,
        )
        for line in work.draft.lines
        if line.po_line is None
    ]
    made.append(work.step("accounts", look=lambda: None, do=work.verify))
    if work.image_url:
        made.append(work.step("image", look=work.look_image, do=work.attach, look_first=True))
    made.append(work.step("release", look=work.look_release, do=work.release, look_first=True))
    return made


class _Entry:
    """One posting under way. What Epicor shows is read once and forgotten with every write."""

    def __init__(self, ctx: StageContext, posting: Posting, group: Group) -> None:
        self.ctx, self.posting, self.group = ctx, posting, group
        self.draft = postings.draft_of(posting, InvoiceDraft)
        captured = invoice_of(posting.invoice) if posting.invoice is not None else None
        wanted = ctx.options.attach_invoice_image and captured is not None
        self.image_url = captured.image_url if captured is not None and wanted else ""
        self._shown: InvoiceDocument | None = None
        self._read = False

    def step(
        self, name: str, *, look: Callable[[], Facts | None], do: Callable[[], Facts], look_first: bool = False
    ) -> Step:
        """Return a step of this document; a group that somebody holds makes it wait instead of ending it."""

        def done() -> Facts:
            try:
                with _waiting_for_group():
                    return do()
            finally:
                self._read = False

        return Step(name, look=lambda _ctx, _posting: look(), do=lambda _ctx, _posting: done(), look_first=look_first)

    # -- what Epicor shows --------------------------------------------------------------------------------------------

    def shown(self) -> InvoiceDocument | None:
        """Return the invoice as Epicor shows it now, None if it has none of that number of the vendor."""
        if not self._read:
            self._shown = self.ctx.epicor.invoice(self.draft.vendor_num, self.draft.invoice_num)
            self._read = True
        return self._shown

    def document(self) -> InvoiceDocument:
        """Return the invoice that an earlier step made or found."""
        found = self.shown()
        if found is None:
            raise Held(
                f"Invoice {self.draft.invoice_num} was entered in Epicor and is no longer there.",
                system=System.EPICOR,
                code="document_gone",
                hint="If it was deleted by mistake, replay it; if not, nothing needs to be done.",
            )
        return found

    def header(self) -> Invoice:
        """Return its header."""
        return self.document().header[0]

    def is_ours(self, document: InvoiceDocument) -> bool:
        """Tell whether an invoice carries the AvidXchange id of this one."""
        return entry.reference(self.ctx.epicor, self.draft, document) == self.draft.external_id

    # -- header -------------------------------------------------------------------------------------------------------

    def look_header(self) -> Facts | None:
        found = self.shown()
        if found is None:
            return None
        if not self.is_ours(found):
            self._refuse_duplicate(found)
        return {"group_id": text(found.header[0].group_id)}

    def make_header(self) -> Facts:
        group_id = self.group.ensure()
        try:
            entry.create_header(self.ctx.epicor, group_id, self.draft)
        except Rejected as refusal:
            if refusal.code != "duplicate":
                raise
            self._read = False  # somebody was faster than our look
            found = self.look_header()
            if found is None:
                raise
            return found
        return {"group_id": group_id}

    def _refuse_duplicate(self, found: InvoiceDocument) -> NoReturn:
        header, draft = found.header[0], self.draft
        where = "posted" if header.posted else f"in group {text(header.group_id)}"
        raise Held(
            f"Epicor already has invoice {header.invoice_num} of vendor {draft.vendor_id} ({where}, "
            f"{header.doc_invoice_amt:f} {text(header.currency_code)} of {text(header.invoice_date)[:10]}). It does "
            f"not carry the AvidXchange id {draft.external_id} ({draft.amount} {draft.currency} of "
            f"{draft.invoice_date}).",
            system=System.EPICOR,
            code="duplicate_in_epicor",
            hint=f"If it is the same invoice, enter {draft.external_id} as its {draft.external_ref_field} in Epicor; "
            "if AvidXchange's is a second one, cancel it there before it is paid.",
        )

    # -- lines --------------------------------------------------------------------------------------------------------

    def look_line(self, line: InvoiceLineDraft) -> Facts | None:
        stands = standing(self.document(), self.draft)
        if line.line_number in stands.lines:
            return {"invoice_line": stands.lines[line.line_number]}
        if stands.strange or self.header().posted:
            self._refuse_coding()  # a person has entered it another way: adding to that would book it twice
        return None

    def add_line(self, line: InvoiceLineDraft) -> Facts:
        group_id = text(self.header().group_id)
        return {"invoice_line": entry.add_line(self.ctx.epicor, group_id, self.draft, line)}

    def look_receipts(self) -> Facts | None:
        return {} if not self._unbilled() else None

    def bill_receipts(self) -> Facts:
        if self.header().posted:
            self._refuse_coding()
        entry.add_receipt_lines(self.ctx.epicor, text(self.header().group_id), self.draft, self._unbilled())
        return {}

    def _unbilled(self) -> list[InvoiceLineDraft]:
        there = standing(self.document(), self.draft).lines
        return [line for line in self.draft.lines if line.po_line is not None and line.line_number not in there]

    def verify(self) -> Facts:
        """Compare the whole invoice; an account that is wrong is written once more, by this posting only once."""
        wrong = wrong_accounts(self.document(), self.draft)
        mended = bool(wrong) and not self.header().posted and self.posting.code != CODING
        if mended:
            lines = {line.line_number: line for line in self.draft.lines}
            for number, invoice_line in wrong.items():
                group_id = text(self.header().group_id)
                entry.set_account(self.ctx.epicor, group_id, self.draft, invoice_line, lines[number])
            self._read = False
        if differences(self.document(), self.draft):
            self._refuse_coding()
        return {"lines": len(self.draft.lines), "mended": mended}

    def _refuse_coding(self) -> NoReturn:
        raise Held(
            f"Invoice {self.draft.invoice_num} of vendor {self.draft.vendor_id} does not stand in Epicor as it was "
            f"approved: {'; '.join(differences(self.document(), self.draft))}.",
            system=System.EPICOR,
            code=CODING,
            hint="Correct it in Epicor, or have its coding corrected at AvidXchange; it is compared again by itself.",
        )

    # -- image and group ----------------------------------------------------------------------------------------------

    @property
    def _image_stem(self) -> str:
        plain = "".join(char if char.isalnum() or char in "-_" else "_" for char in self.draft.external_id)
        return f"AvidXchange-{plain}"

    def look_image(self) -> Facts | None:
        named = (text(row.description) for row in self.document().attachments)
        file_name = next((name for name in named if name.startswith(f"{self._image_stem}.")), None)
        return None if file_name is None else {"file_name": file_name}

    def attach(self) -> Facts:
        """Attach the image; one that is not to be had is told of and does not hold the invoice, which is complete."""
        most = self.ctx.options.max_attachment_mb * 1024 * 1024
        with tempfile.TemporaryFile() as file:
            try:
                kind = self.ctx.avidxchange.download(self.image_url, file, max_bytes=most)
            except Rejected as refusal:
                return {"no_image": refusal.message, "code": refusal.code or "image_missing"}
            suffix = _SUFFIXES.get(kind.split(";")[0].strip().lower(), "pdf")
            file_name = f"{self._image_stem}.{suffix}"
            doc_type = next(iter(self.ctx.options.attachment_doc_types), "")
            size = file.tell()
            file.seek(0)
            entry.attach(self.ctx.epicor, self.draft, file_name=file_name, doc_type=doc_type, file=file)
        return {"file_name": file_name, "size": size}

    def look_release(self) -> Facts | None:
        """Whoever found everything took no lock, so that there is none to give back."""
        steps = self.posting.steps
        made = any(entry["state"] == "started" and entry["step"] != "accounts" for entry in steps)
        return None if made or postings.fact(self.posting, "mended") else {}

    def release(self) -> Facts:
        """Give the group back, unless a person has it: then there is nothing of ours to give back."""
        if self.posting.group_id:
            try:
                entry.release_group(self.ctx.epicor, self.posting.group_id)
            except Held as held:
                if held.code not in LOCKED:
                    raise
        return {}

    # -- removal ------------------------------------------------------------------------------------------------------

    def look_removed(self) -> Facts | None:
        found = self.shown()
        return {} if found is None or not self.is_ours(found) else None

    def remove(self) -> Facts:
        """Delete the invoice as long as it is not posted; a posted one is for a person."""
        header = self.header()
        if header.posted:
            raise Held(
                f"Invoice {header.invoice_num} of vendor {self.draft.vendor_id} is posted in Epicor.",
                system=System.EPICOR,
                code=POSTED,
            )
        entry.delete_unposted(self.ctx.epicor, self.draft)
        return {"group_id": text(header.group_id)}


@contextmanager
def _waiting_for_group() -> Iterator[None]:
    try:
        yield
    except Held as held:
        if held.code not in LOCKED:
            raise
        raise Retry(held.message, system=held.system, code=held.code, hint=held.hint) from held
