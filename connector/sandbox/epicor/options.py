"""What a test may switch, and the state of the world that is not rows: fiscal periods, prompts, rights."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any


@dataclass
class EpicorOptions:
    """Switches of the Epicor stand-in; all may be changed while it runs, also through ``/__sandbox__/edit``.

    ``closed_through`` closes every fiscal period up to that day (None: 120 days before the start). ``bpm_prompt`` is
    the text of a prompt that UpdateMaster raises. ``denied_methods`` and ``out_of_scope`` hold ``Service/Method``
    names refused for want of the user's security or by the key's access scope. ``emit_next_link`` is "", "relative"
    or "absolute". ``payment_entries`` is "all", "unposted" or "posted". ``failing_sets`` answer 500.
    """

    default_top: int = 100
    max_top: int = 1000
    emit_next_link: str = ""
    token_seconds: int = 3600
    closed_through: date | None = None
    bpm_prompt: str = ""
    payment_entries: str = "all"
    getrows_first_page: int = 1
    denied_methods: set[str] = field(default_factory=set)
    out_of_scope: set[str] = field(default_factory=set)
    failing_sets: set[str] = field(default_factory=lambda: {"APInvHedAttches"})

    def change(self, given: dict[str, Any]) -> None:
        """Change options from JSON values. Raises ``ValueError`` naming an unknown one."""
        known = {item.name for item in fields(self)}
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"unknown option {name!r}; known: {', '.join(sorted(known))}")
            setattr(self, name, self._typed(name, value))

    def _typed(self, name: str, value: Any) -> Any:
        if isinstance(getattr(self, name), set):
            return set(value)
        return date.fromisoformat(value) if name == "closed_through" and value else value
