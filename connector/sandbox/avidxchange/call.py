"""One authorised call: whose it is, when, and with which switches; plus the filters that lists share."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, date, datetime
from urllib.parse import unquote_plus

from werkzeug.wrappers import Request

from connector.sandbox.avidxchange.customer import Customer
from connector.sandbox.avidxchange.options import Options
from connector.sandbox.avidxchange.wire import gateway


@dataclass(frozen=True)
class Call:
    """What a view needs to know."""

    request: Request
    customer: Customer
    options: Options
    now: datetime
    salt: int

    @property
    def base_url(self) -> str:
        """The address the caller used, up to and with the version segment."""
        return f"{self.request.host_url}v1"

    def day(self, name: str) -> date | None:
        """Return a date filter, None if it is absent. Days only (facts 3.2.3): anything else is refused (400)."""
        value = self.request.args.get(name)
        if value is None:
            return None
        try:
            if len(value) != len("YYYY-MM-DD"):
                raise ValueError(value)
            return date.fromisoformat(value)
        except ValueError:
            raise gateway(400, f"{name} must be YYYY-MM-DD") from None

    def window(self, first: str, last: str, *, limited: bool) -> tuple[date, date] | None:
        """Return a range of days, both included; the end is today if it is absent, None without a beginning.

        Raises ``RefusalError`` (400) for a range that ends before it begins or, if ``limited``, is too long.
        """
        start, end = self.day(first), self.day(last) or self.now.astimezone(UTC).date()
        if start is None:
            return None
        if end < start:
            raise gateway(400, f"{last} is before {first}")
        if limited and (end - start).days > self.options.window_days_max:
            raise gateway(400, f"At most {self.options.window_days_max} days at once")
        return start, end

    def names(self, name: str, known: Container[str] = ()) -> list[str] | None:
        """Return a comma-separated filter, None if it is absent; too many values are refused (400).

        The list is split before it is decoded, so a ``known`` value may hold a comma of its own as %2C; any other
        %2C is a separator that the caller escaped.
        """
        raw = dict(part.partition("=")[::2] for part in self.request.query_string.decode("ascii").split("&")).get(name)
        if raw is None:
            return None
        parts = [unquote_plus(part) for part in raw.split(",")]
        values = [value for part in parts for value in ([part] if part in known else part.split(",")) if value]
        if len(values) > self.options.ids_max:
            raise gateway(400, f"At most {self.options.ids_max} values in {name}")
        return values


def within(moment: datetime, days: tuple[date, date]) -> bool:
    """Return whether a moment's UTC day is in the range, both ends included."""
    return days[0] <= moment.astimezone(UTC).date() <= days[1]
