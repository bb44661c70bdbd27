"""``export_story SLUG VENDORNUM INVOICENUM FILE``: write one invoice's story from the audit trail, provable offline.

``bin/verify_story FILE`` checks it anywhere. With ``--against HEAD`` the story is proven against a head of the trail
that somebody kept, so that not even this site could have changed what it shows.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from syncjobs import story_file
from syncjobs.models import InvoiceLink
from tenants import story
from tenants.commands import kept_head, tenant_named, write_new


class Command(BaseCommand):
    """Exit 0 when the file was written, 1 when there is no such invoice or its story cannot be proven."""

    help = "Write one invoice's story from the audit trail to a file that bin/verify_story checks offline."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the invoice as Epicor does."""
        parser.add_argument("slug", metavar="SLUG", help="the tenant's short name")
        parser.add_argument("vendor_num", metavar="VENDORNUM", type=int, help="the vendor's number in Epicor")
        parser.add_argument("invoice_num", metavar="INVOICENUM", help="the invoice's number")
        parser.add_argument("file", metavar="FILE", type=Path, help="a new file")
        parser.add_argument("--against", metavar="HEAD", type=Path, help="a head that verify_audit --head wrote")

    def handle(
        self, *, slug: str, vendor_num: int, invoice_num: str, file: Path, against: Path | None, **_options: Any
    ) -> None:
        """Find the invoice and write its story."""
        tenant = tenant_named(slug)
        found = InvoiceLink.objects.filter(tenant=tenant, vendor_num=vendor_num, invoice_num=invoice_num)
        invoice = found.select_related("tenant").first()
        if invoice is None:
            raise CommandError(f"{slug} has no invoice {invoice_num} of vendor number {vendor_num}.")
        head, note = kept_head(against, tenant) if against is not None else (None, "")
        try:
            document = story_file.document(invoice, head=head)
        except story.NotProvable as fault:
            raise CommandError(str(fault)) from None
        write_new(file, story.to_text(document))
        if note:
            self.stdout.write(note)
        self.stdout.write(
            f"{file}: {len(document['events'])} events of invoice {invoice_num}, signed with the key whose public part "
            f"is {document['public_key']}. Check it with: bin/verify_story {file}"
        )
