"""Loads, for the records of one page, what translation may know: approved mappings, terms and the tenant's rules.

A mapping counts only when a person (or the tenant's rule) approved it *and* AvidXchange has accepted it: before that
the vendor or account may not exist over there, and a line that names it would be refused.
"""

from __future__ import annotations

from collections.abc import Collection

from connector.epicor import records as epicor
from connector.translate.codebook import AccountEntry, Codebook, Rules, VendorEntry
from syncjobs.engine import account_numbers
from syncjobs.engine.context import StageContext
from syncjobs.models import GLAccountMapping, VendorMapping
from syncjobs.states import MappingState
from tenants.models import Tenant
from tenants.rules import rules


def rules_for(tenant: Tenant) -> Rules:
    """Return the tenant's translation rules from its options and its connections."""
    return rules(tenant)


def terms(ctx: StageContext) -> dict[str, str]:
    """Return every purchase term's description by its code, read from Epicor once a run (a few dozen rows)."""
    found = ctx.epicor.find(epicor.PUR_TERMS, "")
    return {row.terms_code: epicor.text(row.description) for row in found if isinstance(row, epicor.PurTerms)}


def load(
    ctx: StageContext,
    *,
    vendor_nums: Collection[int] = (),
    external_ids: Collection[str] = (),
    gl_accounts: Collection[str] = (),
    avid_accounts: Collection[str] = (),
    term_names: dict[str, str] | None = None,
) -> Codebook:
    """Return the codebook for the records that name these keys: two queries, whatever the page's size."""
    vendors = _vendors(ctx, vendor_nums, external_ids)
    accounts = _accounts(ctx, gl_accounts, avid_accounts)
    return Codebook(
        company=ctx.company,
        vendors={entry.vendor_num: entry for entry in vendors},
        vendors_by_external={entry.external_id: entry for entry in vendors},
        accounts={entry.gl_account: entry for entry in accounts},
        accounts_by_avid={entry.avid_account: entry for entry in accounts},
        terms=term_names or {},
    )


def _vendors(ctx: StageContext, numbers: Collection[int], external_ids: Collection[str]) -> list[VendorEntry]:
    there = VendorMapping.objects.filter(tenant=ctx.tenant, company=ctx.company, state=MappingState.APPROVED).exclude(
        sent_hash=""
    )
    rows = there.filter(vendor_num__in=numbers) if numbers else there.none()
    if external_ids:
        rows = rows | there.filter(external_id__in=external_ids)
    return [
        VendorEntry(
            vendor_num=row.vendor_num,
            vendor_id=row.vendor_code,
            external_id=row.external_id,
            avid_id=row.avid_id,
            name=row.name,
            currency=row.currency,
            terms_code=row.terms_code,
        )
        for row in rows.defer("desired", "evidence")
    ]


def _accounts(ctx: StageContext, internal: Collection[str], avid: Collection[str]) -> list[AccountEntry]:
    there = GLAccountMapping.objects.filter(
        tenant=ctx.tenant, company=ctx.company, state=MappingState.APPROVED, active=True
    ).exclude(sent_hash="")
    # Empty trailing segments are written by some calls and not by others (codebook.account).
    wanted = set(internal) | {account.rstrip("|") for account in internal}
    rows = there.filter(gl_account__in=wanted) if wanted else there.none()
    if avid:
        rows = rows | there.filter(avid_account__in=avid)
    entries = [
        AccountEntry(coa_code=row.coa_code, gl_account=row.gl_account, avid_account=row.avid_account)
        for row in rows.defer("desired", "evidence")
    ]
    unknown = set(avid) - {entry.avid_account for entry in entries}
    old = account_numbers.outdated(ctx, unknown).filter(mapping__in=there) if unknown else ()
    # Present numbers last: they are what an account goes out under.
    return [
        *(
            AccountEntry(coa_code=row.mapping.coa_code, gl_account=row.mapping.gl_account, avid_account=row.number)
            for row in old
        ),
        *entries,
    ]
