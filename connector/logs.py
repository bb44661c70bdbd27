"""Structured logs: one JSON line an event in production, readable lines with DEBUG on.

Every line, whoever wrote it (ours, Django's, Celery's, a library's, a traceback), passes the same processors.
"""

from __future__ import annotations

from typing import Any

import structlog
from structlog.typing import Processor


def _shared() -> list[Processor]:
    """What happens to an event before it is rendered, for structlog's own and for foreign log records alike."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def configure_structlog() -> None:
    """Send structlog's loggers through the standard library's, so that there is one way out."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def logging_config(*, debug: bool) -> dict[str, Any]:
    """Return Django's ``LOGGING``: everything to standard error, formatted once."""
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False) if debug else structlog.processors.JSONRenderer(default=str)
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.StackInfoRenderer(),
                    structlog.processors.format_exc_info,
                    renderer,
                ],
            },
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            "django.db.backends": {"level": "WARNING"},
            "urllib3": {"level": "WARNING"},
            "requests_oauthlib": {"level": "WARNING"},
            "oauthlib": {"level": "WARNING"},
        },
    }
