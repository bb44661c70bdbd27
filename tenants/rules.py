"""One tenant's ``translate.Rules``: its options, its company and currency, and its Epicor connection's defaults."""

from __future__ import annotations

from connector.avidxchange.profile import Profile
from connector.translate.codebook import Rules
from connector.translate.holds import LIMITS
from tenants.models import AvidXchangeConnection, EpicorConnection, Tenant
from tenants.options import TenantOptions

METHODS = ("check", "ach", "card")


def rules(tenant: Tenant) -> Rules:
    """Return the rules a tenant's records are translated by.

    Raises ``EpicorConnection.DoesNotExist`` for a tenant without one and ``ValueError`` for options that cannot work.
    """
    avidxchange = AvidXchangeConnection.objects.filter(tenant=tenant).first()
    profile = Profile.from_overrides(avidxchange.profile if avidxchange else {})
    return build(tenant, tenant.epicor_connection, options=tenant.typed_options, separator=profile.vendor_id_separator)


def build(tenant: Tenant, connection: EpicorConnection, *, options: TenantOptions, separator: str) -> Rules:
    """Return rules made of a tenant's parts, saved or not.

    The connection's bank account serves the base currency and its payment method every method, unless the options
    name others; ``limits`` replace the contract's one by one.
    """
    banks = {tenant.currency: connection.bank_account_id} if connection.bank_account_id else {}
    every = connection.payment_method_id
    methods = {} if every is None else dict.fromkeys(METHODS, every)
    return Rules(
        company=connection.company,
        base_currency=tenant.currency,
        currencies=frozenset((tenant.currency, *options.currencies)),
        separator=separator,
        tax_gl_account=options.tax_gl_account,
        receipt_gl_account=options.receipt_gl_account,
        limits={**LIMITS, **options.limits},
        po_match_mode=options.po_match_mode,
        default_line_description=options.default_line_description,
        discounts=options.discounts,
        discount_semantics=options.discount_semantics,
        allow_credit_rows=options.allow_credit_rows,
        payment_ref_field=options.payment_ref_field,
        external_ref_field=options.external_ref_field,
        apply_date_rule=options.apply_date_rule,
        check_num_source=options.check_num_source,
        bank_accounts={**banks, **options.bank_accounts},
        payment_methods={**methods, **{str(method): pmuid for method, pmuid in options.payment_methods.items()}},
        country_codes=options.country_codes,
        time_zone=tenant.time_zone,
    )
