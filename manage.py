#!/usr/bin/env python
"""Django's command line. A site that is not configured is told so in one sentence, not in a traceback."""

from __future__ import annotations

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run one management command; exit 2 when the environment is incomplete."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "connector.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as fault:
        sys.stderr.write(f"manage.py: {fault}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
