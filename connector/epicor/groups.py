"""Entry groups of AP invoices and of payments: there or not, and held by somebody or not.

One person's lock blocks every write into the group, so a locked group is ``Held`` with the holder's name: the engine
goes on with other work and a person asks that colleague to leave the group.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import field

from connector.epicor import odata
from connector.epicor.client import EpicorClient
from connector.epicor.records import EntitySet, Row, Text, text
from connector.transport.errors import Held, Rejected, System


class InvoiceGroup(Row, frozen=True, kw_only=True, rename="pascal"):
    """APInvGrp: unposted AP invoices that are posted together."""

    group_id: str = field(name="GroupID")
    active_user_id: Text = field(name="ActiveUserID", default=None)
    post_error_log: Text = None
    post_in_process: bool = False


class CheckGroup(Row, frozen=True, kw_only=True, rename="pascal"):
    """APChkGrp: unposted AP payments from one bank account that are posted together."""

    group_id: str = field(name="GroupID")
    active_user_id: Text = field(name="ActiveUserID", default=None)
    bank_acct_id: Text = field(name="BankAcctID", default=None)
    currency_code: Text = None
    pmuid: int | None = field(name="PMUID", default=None)
    post_error_log: Text = None
    post_in_process: bool = False


INVOICE_GROUPS = EntitySet("Erp.BO.APInvGrpSvc", "APInvGrps", ("GroupID",), InvoiceGroup)
CHECK_GROUPS = EntitySet("Erp.BO.APChkGrpSvc", "APChkGrps", ("GroupID",), CheckGroup)

G = TypeVar("G", InvoiceGroup, CheckGroup)


def find_group(client: EpicorClient, entity: EntitySet, group_id: str, kind: type[G]) -> G | None:
    """Return the group, or None if there is none."""
    found = [row for row in client.find(entity, odata.eq("GroupID", group_id)) if isinstance(row, kind)]
    return found[0] if found else None


def require_free(client: EpicorClient, group: InvoiceGroup | CheckGroup) -> None:
    """Raise ``Held`` if a person has the group open or it is being posted."""
    holder = text(group.active_user_id)
    if holder and holder.lower() != client.user.lower():
        raise Held(
            f"Group {group.group_id} is held by {holder} in Epicor.",
            system=System.EPICOR,
            code="group_locked",
            hint=f"Ask {holder} to leave the group, or unlock it in Epicor; work goes on by itself after that.",
        )
    if group.post_in_process:
        raise Held(
            f"Group {group.group_id} is being posted in Epicor.",
            system=System.EPICOR,
            code="group_posting",
            hint="Wait for the posting to end; if it is stuck, clear it in Epicor.",
        )


def find_or_make(
    client: EpicorClient, entity: EntitySet, group_id: str, kind: type[G], *, make: Callable[[], None]
) -> G | None:
    """Return the group if it is there and free, else call ``make`` and return None. Somebody else may be quicker in
    making it: then theirs is taken."""
    group = find_group(client, entity, group_id, kind)
    if group is None:
        try:
            make()
        except Rejected as error:
            if error.code not in {"group_exists", "duplicate"}:
                raise
            group = find_group(client, entity, group_id, kind)
        else:
            return None
    if group is not None:
        require_free(client, group)
    return group
