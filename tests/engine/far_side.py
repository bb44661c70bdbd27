"""An AvidXchange whose every answer a test decides: what it holds, and which call breaks in which way.

The engine's tests are about what is done after an answer, so the answers are made here, without HTTP; whole stories
over HTTP are in ``tests/stages``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from connector.avidxchange.records import BatchAnswer, BatchState, Verdict
from connector.transport.errors import ConnectorError, Rejected, Retry, System, Uncertain

AVID = System.AVIDXCHANGE


def lost(message: str = "The connection was reset.") -> Uncertain:
    return Uncertain(message, system=AVID, code="reset")


def busy(delay_s: float | None) -> Retry:
    return Retry("Slow down.", system=AVID, code="throttled", delay_s=delay_s)


def refused() -> Rejected:
    return Rejected("The batch makes no sense.", system=AVID, code="refused")


@dataclass
class FarSide:
    """``script`` is what the next submissions meet: "ok" (also when it is empty), "202" (verdicts when asked later),
    "lost before", "lost after", an error to raise, or a function of (external id) → verdict."""

    script: list[Any] = field(default_factory=list)
    batch_max_items: int = 50
    #: What is there: external id → (the payload last accepted, AvidXchange's id).
    there: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    #: Batches that were answered 202: their id → external ids, in the order sent.
    open_batches: dict[str, list[str]] = field(default_factory=dict)
    submissions: list[tuple[str, list[str]]] = field(default_factory=list)
    polls: list[str] = field(default_factory=list)
    #: What asking about a batch answers; None lets the usual happen.
    on_poll: Callable[[str, Sequence[str]], BatchAnswer] | None = None
    during_submit: Callable[[], None] = lambda: None

    @property
    def profile(self) -> Any:
        return SimpleNamespace(batch_max_items=self.batch_max_items)

    def submit(self, kind: str, batch_external_id: str, items: Sequence[tuple[str, bytes]]) -> BatchAnswer:
        self.submissions.append((batch_external_id, [external_id for external_id, _ in items]))
        self.during_submit()
        what = self.script.pop(0) if self.script else "ok"
        if isinstance(what, ConnectorError):
            raise what
        if what == "lost before":
            raise lost()
        if what == "202":
            self.open_batches[f"avid-{batch_external_id}"] = [external_id for external_id, _ in items]
            self._keep(items)
            return answer(batch_external_id, [], status="Processing")
        verdicts = [what(external_id) if callable(what) else accepted(external_id) for external_id, _ in items]
        good = {verdict.external_id for verdict in verdicts if verdict.successful}
        self._keep([item for item in items if item[0] in good])
        if what == "lost after":
            raise lost()
        return answer(batch_external_id, [verdict for verdict in verdicts if verdict.successful is not None])

    def batch(self, kind: str, avid_batch_id: str, external_ids: Sequence[str]) -> BatchAnswer:
        self.polls.append(avid_batch_id)
        if self.on_poll is not None:
            return self.on_poll(avid_batch_id, external_ids)
        known = self.open_batches[avid_batch_id]
        assert list(external_ids) == known, "asked with other items than were sent"
        return answer(avid_batch_id.removeprefix("avid-"), [accepted(external_id) for external_id in known])

    def look_up(self, external_ids: Sequence[str]) -> dict[str, Verdict]:
        return {name: accepted(name) for name in external_ids if name in self.there}

    def _keep(self, items: Sequence[tuple[str, bytes]]) -> None:
        for external_id, payload in items:
            self.there[external_id] = (payload, avid_id(external_id))

    def close(self) -> None:
        """Nothing to close."""


def avid_id(external_id: str) -> str:
    return f"id-of-{external_id}"


def accepted(external_id: str) -> Verdict:
    return Verdict(external_id=external_id, successful=True, avid_id=avid_id(external_id), status="Received")


def rejected(external_id: str, code: str = "vendor_not_found") -> Verdict:
    return Verdict(external_id=external_id, successful=False, code=code, message="There is no such vendor.")


def silent(external_id: str) -> Verdict:
    return Verdict(external_id=external_id, successful=None)


def answer(batch_external_id: str, verdicts: Sequence[Verdict], *, status: str = "", named: bool = True) -> BatchAnswer:
    return BatchAnswer(
        avid_batch_id=f"avid-{batch_external_id}" if named else "",
        external_id=batch_external_id,
        status_text=status,
        state=BatchState.PROCESSING,
        verdicts=tuple(verdicts),
    )
