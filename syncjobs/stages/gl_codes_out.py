"""GL accounts from Epicor to AvidXchange, where they are read-only; nothing is ever written back.

The account number over there is the chart's display string, so equal numbers are the same account and nothing has to
be matched: a tenant lets new ones pass alone, or reviews them. Only active, effective accounts are brought there; one
that stops being either is inactivated where it is. An account can become effective by the date alone, without its row
changing in Epicor, so the day of that is kept and the account is read again when it comes. One that is renumbered is
sent under its new number, and its old one is inactivated (``engine/account_numbers.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import F, Q

from connector.avidxchange.client import BatchKind
from connector.avidxchange.records import GLAccountItem
from connector.epicor import odata
from connector.epicor import records as epicor
from connector.epicor.client import Page
from connector.translate import gl_codes
from connector.translate.codebook import Hold, Rules
from connector.transport.errors import Misconfigured, System
from syncjobs.engine import account_numbers, batches, codebook, reading, refusals
from syncjobs.engine.context import StageContext
from syncjobs.engine.matching import RULE
from syncjobs.engine.outbox import Outbox, tally, wanted
from syncjobs.engine.problems import Finding
from syncjobs.engine.storing import LEFT_OUT, report_gone, store_page
from syncjobs.models import BatchItem, GLAccountMapping
from syncjobs.states import MappingState
from tenants import audit

ACCOUNTS = reading.Stream("gl_accounts", epicor.GL_ACCOUNTS, epicor.GLAccount, "SysRevID")
TAKEN = "account_number_taken"
#: Accounts asked for by key in one request; their keys are long, and addresses are not.
KEYS_A_REQUEST = 20

Key = tuple[str, str]


def run(ctx: StageContext) -> None:
    """Bring AvidXchange's chart up to Epicor's."""
    rules, today = codebook.rules_for(ctx.tenant), ctx.now().astimezone(ctx.tenant.zone).date()
    chart = ctx.tenant.epicor_connection.coa_code
    where = odata.and_(odata.eq("COACode", chart) if chart else "", ctx.options.gl_filter)
    known = GLAccountMapping.objects.filter(tenant=ctx.tenant, company=ctx.company)
    charts = {chart} if chart else set(known.values_list("coa_code", flat=True).distinct())
    listed: set[Key] = set()
    for page in reading.changed(ctx, ACCOUNTS, where=where):
        listed |= {(account.coa_code, account.gl_account) for account in page.rows}
        charts |= {account.coa_code for account in page.rows}
        _one_chart(charts, chart)
        with ctx.commit():
            _store(ctx, page.rows, rules=rules, today=today)
            page.place()
    for accounts in _waiting(ctx, today):
        with ctx.commit():
            _store(ctx, accounts, rules=rules, today=today)
    if ctx.run.full_read:
        _report_gone(ctx, listed)
    _decide(ctx)
    batches.push(ctx, OUTBOX)
    batches.push(ctx, account_numbers.OLD_NUMBERS)
    tally(ctx, GLAccountMapping, OUTCOMES)


def _one_chart(charts: Collection[str], chart: str) -> None:
    """Refuse to mix charts: with several in the company, the connection has to say which (epicor-unknowns C5)."""
    if not chart and len(charts) > 1:
        raise Misconfigured(
            f"The company has several charts of accounts ({', '.join(sorted(charts))}), and none is chosen.",
            system=System.EPICOR,
            code="chart_not_chosen",
            hint="Set the chart of accounts on the tenant's Epicor connection.",
        )


def _waiting(ctx: StageContext, today: date) -> Iterator[list[epicor.GLAccount]]:
    """Read again the accounts that today's date makes effective, or ends, and those whose number was taken: that ends
    with a change of another account."""
    waiting = GLAccountMapping.objects.filter(
        Q(turns_on__lte=today) | Q(hold_code=TAKEN), tenant=ctx.tenant, company=ctx.company
    )
    for page in _by_key(ctx, list(waiting.order_by("pk").values_list("coa_code", "gl_account"))):
        # One that cannot be read is told about when it is read for its own sake.
        yield [account for account in page.rows if isinstance(account, epicor.GLAccount)]


def _by_key(ctx: StageContext, keys: Sequence[Key]) -> Iterator[Page]:
    for start in range(0, len(keys), KEYS_A_REQUEST):
        wanted = [
            odata.and_(odata.eq("COACode", coa), odata.eq("GLAccount1", account))
            for coa, account in keys[start : start + KEYS_A_REQUEST]
        ]
        yield from ctx.epicor.pages(epicor.GL_ACCOUNTS, where=odata.or_(*wanted))


def _report_gone(ctx: StageContext, listed: set[Key]) -> None:
    """Tell about accounts over there that Epicor does not have any more; one that a filter leaves out is only left."""
    there = GLAccountMapping.objects.filter(tenant=ctx.tenant, company=ctx.company, active=True).exclude(sent_hash="")
    rows = there.values_list("coa_code", "gl_account", "pk")
    missing = {(coa, account): pk for coa, account, pk in rows if (coa, account) not in listed}
    for page in _by_key(ctx, sorted(missing)):
        found = {(row.coa_code, row.gl_account) for row in page.rows if isinstance(row, epicor.GLAccount)}
        found |= {(str(bad.at[0]), str(bad.at[1])) for bad in page.bad if bad.at is not None}
        missing = {key: pk for key, pk in missing.items() if key not in found}
    gone = {"|".join((ctx.company, *key)): pk for key, pk in missing.items()}
    report_gone(ctx, "gl_account", gone, words="GL account")


def _store(ctx: StageContext, page: Sequence[epicor.GLAccount], *, rules: Rules, today: date) -> None:
    """Translate and merge accounts, holding one whose number another account already has."""
    owners = _owners(ctx, page)
    rows: list[dict[str, Any]] = []
    for account in page:
        own = (account.company, account.coa_code, account.gl_account)
        item = gl_codes.to_avidxchange(account, today=today, rules=rules)
        if isinstance(item, GLAccountItem) and owners.setdefault(item.account_number, own) != own:
            item = _taken(item.account_number, owners[item.account_number][-1])
        rows.append(
            {
                "tenant_id": ctx.tenant.pk,
                "company": account.company,
                "coa_code": account.coa_code,
                "gl_account": account.gl_account,
                "avid_account": "" if isinstance(item, Hold) else item.account_number,
                "name": epicor.text(account.description),
                "active": not isinstance(item, Hold) and item.is_active,
                "turns_on": _turns_on(account, today),
                **wanted(item),
                "row_rev": account.sys_rev_id,
                "seen_run": ctx.run.pk,
                "outcome": "",
                "_hold": Finding.of(item) if isinstance(item, Hold) else None,
            }
        )
    store_page(
        ctx,
        GLAccountMapping,
        rows,
        subject_kind="gl_account",
        key=("company", "coa_code", "gl_account"),
        changed=("avid_account", "name", "active", "turns_on", "desired_hash", "hold_code"),
    )


def _owners(ctx: StageContext, page: Sequence[epicor.GLAccount]) -> dict[str, tuple[str, str, str]]:
    """Return which account already has each account number that this page shows."""
    numbers = [epicor.text(account.display) for account in page]
    mapped = GLAccountMapping.objects.filter(tenant=ctx.tenant, avid_account__in=numbers)
    columns = mapped.values_list("avid_account", "company", "coa_code", "gl_account")
    return {number: (company, coa, account) for number, company, coa, account in columns}


def _taken(number: str, owner: str) -> Hold:
    return Hold(
        TAKEN,
        f"Two accounts of Epicor show the same number {number}; account {owner} has it.",
        field="AccountNumber",
        hint="Epicor: General Ledger Account, give the accounts different display forms, or leave one out by a filter.",
    )


def _turns_on(account: epicor.GLAccount, today: date) -> date | None:
    """Return the next day on which the date alone changes whether the account is effective."""
    if not account.active:
        return None
    try:
        starts, ends = epicor.day(account.effective_from), epicor.day(account.effective_to)
    except ValueError:
        return None  # an unreadable date holds the account; correcting it changes its row
    if starts is not None and starts > today:
        return starts
    return ends + timedelta(days=1) if ends is not None and ends >= today else None


def _decide(ctx: StageContext) -> None:
    """Propose new accounts to the reviewer, or let them pass alone where the tenant's options say so."""
    waiting = GLAccountMapping.objects.filter(tenant=ctx.tenant, state=MappingState.PROPOSED, active=True, proposal="")
    keys = list(waiting.order_by("pk").values_list("pk", "company", "coa_code", "gl_account"))
    passes = ctx.options.auto_create_gl_codes
    with ctx.commit():
        proposed: dict[str, Any] = {"proposal": "create"}
        if passes:
            proposed |= {"state": MappingState.APPROVED, "decided_by": RULE, "decided_at": ctx.now()}
        GLAccountMapping.objects.filter(pk__in=[key[0] for key in keys]).update(**proposed)
        if passes:
            entries = [
                audit.Entry(
                    action="mapping.approved",
                    subject=("gl_account", "|".join(key[1:])),
                    after={"state": str(MappingState.APPROVED), "by": RULE},
                )
                for key in keys
            ]
            audit.record_many(ctx.tenant, entries, actor=ctx.actor, run=ctx.run.pk)


def _decided(ctx: StageContext, items: Sequence[BatchItem]) -> None:
    refusals.tell("gl_account", "GL account")(ctx, items)
    account_numbers.accepted(ctx, items)


KNOWN_THERE = ~Q(sent_hash="")

OUTBOX = Outbox(
    kind=BatchKind.GL_ACCOUNTS,
    model=GLAccountMapping,
    subject_kind="gl_account",
    may_send=Q(state=MappingState.APPROVED) & (Q(active=True) | KNOWN_THERE),
    external_id=lambda row: row.avid_account,
    key=lambda row: f"{row.company}|{row.coa_code}|{row.gl_account}",
    decided=_decided,
)

#: What becomes of an account that was read but not sent in this run, in this order.
OUTCOMES = {
    "held": (~Q(hold_code="") & ~Q(state__in=LEFT_OUT)) | Q(state=MappingState.PROPOSED, active=True),
    "rejected": Q(state=MappingState.APPROVED, refused_hash=F("desired_hash")),
    # Only a rehearsal leaves approved accounts unsent; it counts what it would have done.
    "created": Q(state=MappingState.APPROVED, sent_hash="", active=True),
    "updated": Q(state=MappingState.APPROVED) & ~Q(sent_hash=F("desired_hash")) & KNOWN_THERE,
}
