"""Every switch of this stand-in, in one place: set by the constructor, by a test, or by ``/__sandbox__/edit``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

#: What happens to the n-th payment of a customer (``scripts.py`` says what each name means). The rest go straight.
DEFAULT_STORIES: dict[int, str] = {
    2: "partial",
    4: "card_to_check",
    6: "error_heals",
    8: "void_replaced",
    10: "refunded",
    12: "reissued",
    15: "partial",
}


@dataclass
class Options:
    """The switches. Limits are the contract's defaults; all of section 1's sizes are assumed or ours.

    ``awkward``: replies take every legal shape of contract 2.3 to 2.7; off = the plainest shape always.
    ``always_202`` / ``percent_202``: which batches are answered 202, their verdicts following at R10.
    ``capability_missing``: path templates without host and version ("/receipts/batches", "/invoices/{id}/images")
    that are not there, answered with ``capability_status`` (404, 405 or 501).
    ``foreign_next_link``: lists carry a next link to another host, which a client must refuse to follow.
    ``stories``: what happens to the n-th payment of a customer. ``discounts``: payments take an invoice's discount.
    ``auth_echoes_secret``: the token call answers 503 with the submitted secret in its body (facts 1.16).
    """

    awkward: bool = True
    always_202: bool = False
    percent_202: int = 20
    capability_missing: set[str] = field(default_factory=set)
    capability_status: int = 404
    foreign_next_link: bool = False
    stories: dict[int, str] = field(default_factory=lambda: dict(DEFAULT_STORIES))
    discounts: bool = False
    reject_percent: int = 3
    page_max: int = 500
    window_days_max: int = 30
    batch_max_items: int = 50
    ids_max: int = 50
    image_max_bytes: int = 10 * 1024 * 1024
    token_ttl_s: int = 600
    auth_echoes_secret: bool = False

    def change(self, values: Mapping[str, Any]) -> None:
        """Set several switches, with lists and text keys from JSON turned into sets and numbers.

        Raises ``ValueError`` naming the first switch that does not exist; nothing is changed then.
        """
        known = {item.name for item in fields(self)}
        for name in values:
            if name not in known:
                raise ValueError(f"no such option: {name}")
        for name, value in values.items():
            if name == "capability_missing":
                self.capability_missing = set(value)
            elif name == "stories":
                self.stories = {int(place): str(story) for place, story in dict(value).items()}
            else:
                setattr(self, name, value)

    def lacks(self, template: str) -> bool:
        """Return whether the path template is one of those that are not there."""
        return template in {_bare(path) for path in self.capability_missing}


def _bare(path: str) -> str:
    return path.removeprefix("/v1")
