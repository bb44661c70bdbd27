"""``manage.py rotate_keys``: put every secret under the keys of ``FERNET_KEYS``, so that one that is to go can go."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from tenants.audit import Actor
from tenants.rotation import rotate


class Command(BaseCommand):
    """Exit 0 when everything is under the keys in force, 1 when something could not be brought there."""

    help = "Seal every stored secret under the keys in FERNET_KEYS and sign every audit trail with them."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and count."""
        done = rotate(actor=Actor.system("rotate_keys"))
        self.stdout.write(
            f"Secrets: {done.rotated} sealed anew, {done.current} already under these keys. "
            f"Audit trails: {done.heads} signed anew."
        )
        for fault in done.faults:
            self.stdout.write(f"Not done: {fault}.")
        if done.faults:
            sys.exit(1)
        if len(settings.FERNET_KEYS) > 1:
            self.stdout.write(
                "The first key in FERNET_KEYS opens everything. Once every process runs with this list, take the other "
                "keys out of it, restart, and run this again, so that they open nothing any more."
            )
