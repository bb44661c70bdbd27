"""``manage.py restrict_audit --role NAME``: let the site's database role read and add to the audit trail, and no more.

Run it as the role that owns the tables, once, and again whenever the role or the owner changed.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError, transaction

from tenants.audit_rights import Unfit, restrict


class Command(BaseCommand):
    """Exit 0 when the role cannot change the trail, 1 when it could all the same; nothing is changed then."""

    help = "Give a database role what the site needs, and of the audit trail only the right to read and to add."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One role."""
        parser.add_argument("--role", required=True, metavar="NAME", help="the role that the site runs as")

    def handle(self, *args: Any, role: str, **options: Any) -> None:
        """Grant, revoke, and look whether it worked."""
        try:
            with transaction.atomic():
                restrict(role)
        except Unfit as fault:
            raise CommandError(str(fault)) from None
        except ProgrammingError as fault:
            said = str(fault).splitlines()[0]
            message = f"The database did not allow it ({said}). Run this as the owner of the tables."
            raise CommandError(message) from None
        self.stdout.write(
            f"Role {role} may read the audit trail and add to it, and no more; every other table is its to use. Name "
            "it in DATABASE_URL of web, worker and beat. Migrations and this command run as the owner."
        )
