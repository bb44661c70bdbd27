"""The entry group of a run: one for all the AP invoices it writes, named after the run and made when it is needed."""

from __future__ import annotations

from connector.epicor import ap_invoice_entry
from syncjobs.engine.context import StageContext

#: Longest GroupID that Epicor's field takes (assumed: the schema shows no lengths).
LONGEST = 9
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Group:
    """A run's group. ``id`` is the connection's prefix and the run's number, in base 36 to fit."""

    def __init__(self, ctx: StageContext) -> None:
        self._ctx = ctx
        self._ready = False
        self.id = named(ctx.tenant.epicor_connection.ap_group_prefix, ctx.run.pk)

    def ensure(self) -> str:
        """Return the group's id, having made the group if it is not there. Raises ``Held`` if somebody holds it."""
        if not self._ready:
            ap_invoice_entry.ensure_group(self._ctx.epicor, self.id)
            self._ready = True
        return self.id


def named(prefix: str, run: int) -> str:
    """Return the id of a run's group; of a run number that does not fit the last digits are taken."""
    written = ""
    while run or not written:
        run, digit = divmod(run, 36)
        written = _DIGITS[digit] + written
    return prefix + written[-(LONGEST - len(prefix)) :]
