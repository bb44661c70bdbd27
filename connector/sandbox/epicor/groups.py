"""Groups of AP invoices and of payments: made, locked, posted; a group that a person holds refuses every write.

``ActiveUserID`` shows the holder. GetNew without ``NoLock`` takes the lock for the caller, who must give it back.
"""

from __future__ import annotations

from datetime import date

from connector.sandbox.epicor.calls import Body, Call, Dataset, add_new, edited, full_dataset, reply
from connector.sandbox.epicor.errors import business, not_found, stale
from connector.sandbox.epicor.state import EpicorState
from connector.sandbox.epicor.store import Database
from connector.sandbox.seed import Row

#: Longest GroupID (assumed: the schema shows no lengths, but the UI's field takes nine characters).
MAX_GROUP_ID = 9


def is_closed(state: EpicorState, day: str | None) -> bool:
    """Return whether a date lies in a closed fiscal period; no date counts as closed."""
    closed = state.options.closed_through
    return not day or (closed is not None and date.fromisoformat(day[:10]) <= closed)


def guard_group(database: Database, table: str, group: str, user: str) -> Row:
    """Return the group's row. Raises a 400 refusal if it does not exist or another user holds it."""
    row = database[table].get(group)
    if row is None:
        raise business(f"Group {group} is not valid.", table=table, field="GroupID")
    if row["ActiveUserID"] not in {"", user}:
        raise business(f"Group {group} is in use by user {row['ActiveUserID']}.", table=table, field="ActiveUserID")
    return row


def current(database: Database, table: str, sent: Row) -> Row:
    """Return the stored row behind a row sent with RowMod U or D.

    Raises 404 if it is gone and 409 if it was changed since it was read.
    """
    stored = database[table].get(*(sent.get(column) for column in database[table].columns))
    if stored is None:
        raise not_found()
    if stored["SysRevID"] != sent.get("SysRevID"):
        raise stale(table)
    return stored


def changes(stored: Row, sent: Row, *, fixed: tuple[str, ...] = ()) -> Row:
    """Return what a sent row changes in the stored one, leaving out what the server alone sets."""
    own = {"RowMod", "Company", "SysRevID", "SysRowID", "ChangeDate", "ChangedBy", *fixed}
    return {name: value for name, value in sent.items() if name not in own and stored.get(name) != value}


def plain(sent: Row) -> Row:
    """Return a dataset row as it is stored: without its mark."""
    return {name: value for name, value in sent.items() if name != "RowMod"}


def new_group(call: Call, table: str, *, lock: bool) -> Body:
    """Add a group's row to the dataset; with ``lock`` the caller will hold the group."""
    ds = call.ds
    values: Row = {"Company": call.database.company, "CreatedBy": call.user, "ActiveUserID": call.user if lock else ""}
    if table == "APInvGrp":
        today = call.state.today
        values |= {"ApplyDate": call.state.stamp, "FiscalYear": today.year, "FiscalPeriod": today.month}
    add_new(ds, table, **values)
    return reply(ds=ds)


def update_groups(call: Call, table: str) -> Body:
    """Save the edited groups of a dataset."""
    database = call.database
    saved: list[Row] = []
    for sent in edited(call.service, call.ds, table):
        if sent["RowMod"] == "A":
            saved.append(_add_group(call, table, sent))
            continue
        stored = current(database, table, sent)
        guard_group(database, table, stored["GroupID"], call.user)
        if sent["RowMod"] == "D":
            _drop_group(database, table, stored)
            continue
        changed = changes(stored, sent, fixed=("GroupID", "ActiveUserID", "PostErrorLog", "BaseTotal"))
        saved.append(database.change(table, stored, _checked(database, table, changed), **call.who))
    return reply(ds=full_dataset(call.service, {table: saved}))


def _add_group(call: Call, table: str, sent: Row) -> Row:
    group = sent["GroupID"].strip()
    if not group:
        raise business("Group is required.", table=table, field="GroupID")
    if len(group) > MAX_GROUP_ID:
        raise business(f"Group may have at most {MAX_GROUP_ID} characters.", table=table, field="GroupID")
    if call.database[table].get(group) is not None:
        raise business("The Group already exists.", table=table, field="GroupID")
    row = _checked(call.database, table, plain(sent))
    if table == "APChkGrp" and not row["BankAcctID"]:
        raise business("Bank account is required.", table=table, field="BankAcctID")
    return call.database.insert(table, row, **call.who)


def _checked(database: Database, table: str, values: Row) -> Row:
    """Return the values after checking the codes in them."""
    if table != "APChkGrp":
        return values
    if values.get("BankAcctID") and database["BankAcct"].get(values["BankAcctID"]) is None:
        raise business(f"Bank account {values['BankAcctID']} is not valid.", table=table, field="BankAcctID")
    if values.get("PMUID"):
        values = {**values, **pay_method(database, values["PMUID"], table=table)}
    return values


def pay_method(database: Database, pmuid: int, *, table: str) -> Row:
    """Return the columns that follow from an AP payment method. Raises a 400 refusal if it cannot be used."""
    found = database["PayMethod"].get(pmuid)
    if found is None or found["PMSource"] != 0 or found["Inactive"]:
        raise business(f"Payment method {pmuid} is not a valid AP payment method.", table=table, field="PMUID")
    return {"PMUID": pmuid, "PayMethodName": found["Name"], "PayMethodType": found["Type"]}


def _drop_group(database: Database, table: str, stored: Row) -> None:
    documents = database["APInvHed" if table == "APInvGrp" else "CheckHed"]
    if any(row["GroupID"] == stored["GroupID"] and not row["Posted"] for row in documents.all()):
        raise business("The group has unposted documents and cannot be deleted.", table=table)
    database.remove(table, stored)


def set_holder(call: Call, table: str, group: str, *, holder: str) -> Row:
    """Give a group to a holder, or to nobody. Raises a 400 refusal if another user holds it."""
    row = guard_group(call.database, table, group, call.user)
    return call.database.change(table, row, {"ActiveUserID": holder}, **call.who)


def entered(ds: Dataset, table: str) -> Row:
    """Return the row an OnChange method works on: the last one marked A or U. Raises a 400 refusal if there is none."""
    rows = [row for row in ds.get(table, []) if row.get("RowMod") in {"A", "U"}]
    if not rows:
        raise business(f"No {table} row of the dataset is marked A or U.", table=table)
    return rows[-1]
