"""Time zones are known by name, and the list is read once."""

from __future__ import annotations

import pytest

from connector import zones


@pytest.mark.parametrize(
    ("name", "known"),
    [("UTC", True), ("America/Chicago", True), ("Mars/Olympus", False), ("", False), ("../etc", False)],
)
def test_only_real_zones_are_known(name: str, known: bool) -> None:
    assert zones.is_zone(name) is known


def test_the_zone_database_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []
    zones._zones.cache_clear()
    monkeypatch.setattr(zones, "available_timezones", lambda: reads.append(1) or {"UTC"})
    assert zones.is_zone("UTC")
    assert zones.is_zone("UTC")
    assert len(reads) == 1
    zones._zones.cache_clear()
