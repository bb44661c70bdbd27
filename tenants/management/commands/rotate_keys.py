"""``manage.py rotate_keys``: put every secret under the newest key of ``FERNET_KEYS``, so that older keys can go."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from tenants.audit import Actor
from tenants.rotation import rotate


class Command(BaseCommand):
    """Exit 0 when everything is under the newest key, 1 when something could not be brought there."""

    help = "Re-encrypt every stored secret with the newest key and sign every audit trail with it."

    def handle(self, *args: Any, **options: Any) -> None:
        """Rotate and count."""
        done = rotate(actor=Actor.system("rotate_keys"))
        self.stdout.write(
            f"Secrets: {done.rotated} re-encrypted, {done.current} already under the newest key. "
            f"Audit trails: {done.heads} signed anew."
        )
        for fault in done.faults:
            self.stdout.write(f"Not done: {fault}.")
        if done.faults:
            sys.exit(1)
        self.stdout.write(
            "The older keys in FERNET_KEYS are no longer needed once every process runs with the new list."
        )
