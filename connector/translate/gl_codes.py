"""GL accounts, Epicor to AvidXchange, where they are read-only (avidxchange.md R5; nothing is ever written back).

AvidXchange's account number is the chart's display string, ``GLAcctDispGLAcctDisp``: it is what people know an account
by, and its segments stand in display order, which can differ from the internal string's (epicor.md 4.4). An account
that is inactive or not effective today is inactivated over there, never deleted.
"""

from __future__ import annotations

from datetime import date

from connector.avidxchange.records import GLAccountItem
from connector.epicor.records import GLAccount, text
from connector.translate.codebook import Rules
from connector.translate.holds import dated, holding, required, same_company


@holding
def to_avidxchange(account: GLAccount, *, today: date, rules: Rules) -> GLAccountItem:
    """Return the item that keeps an account current over there, or a ``Hold`` if it has no display string.

    ``today`` is the tenant's day: effective dates are inclusive, and an empty one is open.
    """
    same_company(account.company, rules.company, what=f"GL account {account.gl_account}")
    number = required(
        "AccountNumber",
        text(account.display),
        limits=rules.limits,
        what=f"display form of GL account {account.gl_account}",
        hint="Epicor: General Ledger Account, save the account again so that its display form is built.",
    )
    starts = dated(account.effective_from, what=f"first effective day of GL account {number}", field="EffFrom")
    ends = dated(account.effective_to, what=f"last effective day of GL account {number}", field="EffTo")
    active = account.active and (starts is None or starts <= today) and (ends is None or today <= ends)
    return GLAccountItem(
        account_number=number,
        description=text(account.description),
        is_active=active,
        operation="Upsert" if active else "Inactivate",
    )
