"""``manage.py reset_second_factor NAME --reason TEXT``: the last way in, when no administrator can help any more."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.audit import Actor
from tenants.sign_in import factors


class Command(BaseCommand):
    """Exit 0 when the person sets up a new app at the next sign-in, 1 when there is no such account."""

    help = "Take a person's authenticator app and recovery codes away, so that a new app is set up at the next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        """Name the person, and say why."""
        parser.add_argument("name", help="the name with which the person signs in")
        parser.add_argument("--reason", required=True, help="why; it is kept in the audit trail")

    def handle(self, *args: Any, **options: Any) -> None:
        """Reset and say what comes next."""
        person = User.objects.filter(username=options["name"]).first()
        if person is None:
            raise CommandError(f"There is no account {options['name']!r}.")
        factors.reset(person, actor=Actor.system("reset_second_factor"), reason=options["reason"])
        self.stdout.write(f"{person.get_username()} sets up a new app at the next sign-in.")
