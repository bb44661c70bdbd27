"""Logs: one line an event, whoever wrote it, and nothing secret on any of them."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from connector.logs import configure_structlog, logging_config, redact_event

CANARY = "canary-0123456789abcdef"


@pytest.fixture
def lines() -> Iterator[Any]:
    """A function that returns what was logged so far, formatted as production formats it."""
    output = io.StringIO()
    formatter = logging.config.DictConfigurator(logging_config(debug=False)).configure_formatter(
        logging_config(debug=False)["formatters"]["structured"]
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(formatter)
    logger = logging.getLogger("test_logs")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    configure_structlog()
    yield lambda: [json.loads(line) for line in output.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.propagate = True


def test_an_event_is_one_line_with_its_facts(lines: Any) -> None:
    structlog.get_logger("test_logs").info("stage ended", tenant="north", read=100)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "stage ended", "tenant": "north", "read": 100, "level": "info", "logger": "test_logs"}


def test_secrets_are_dropped_by_name_and_by_look(lines: Any) -> None:
    logger = structlog.get_logger("test_logs")
    logger.info("connecting", api_key=CANARY, headers={"Authorization": f"Bearer {CANARY}"})
    logger.info("sent Authorization: Bearer %s", CANARY)
    logging.getLogger("test_logs").warning("password=%s", CANARY, extra={"client_secret": CANARY})
    assert len(lines()) == 3
    assert CANARY not in json.dumps(lines())
    assert lines()[0]["api_key"] == "[redacted]"


def test_a_traceback_is_text_by_the_time_it_is_redacted(lines: Any) -> None:
    try:
        raise ValueError(f"token={CANARY}")
    except ValueError:
        structlog.get_logger("test_logs").exception("call failed")
        logging.getLogger("test_logs").exception("call failed")
    ours, foreign = lines()
    for line in (ours, foreign):
        assert line["event"] == "call failed"
        assert "ValueError: token=[redacted]" in line["exception"]
        assert CANARY not in json.dumps(line)


@pytest.mark.parametrize("debug", [True, False])
def test_redaction_is_the_last_step_before_rendering(debug: bool) -> None:
    assert logging_config(debug=debug)["formatters"]["structured"]["processors"][-2] is redact_event
