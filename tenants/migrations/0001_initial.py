"""Tenants, connections, memberships and the audit trail."""

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import tenants.fields


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Tenant",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        help_text="Short name in addresses, commands and logs. Lower-case letters, digits and hyphens; stays for ever.",
                        max_length=48,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?$", "Use lower-case letters, digits and hyphens."
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "time_zone",
                    models.CharField(default="UTC", help_text="IANA name, such as America/Chicago.", max_length=64),
                ),
                (
                    "currency",
                    models.CharField(
                        default="USD",
                        help_text="Base currency in Epicor, three-letter ISO code.",
                        max_length=3,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z]{3}$", "Use a three-letter ISO code, such as USD."
                            )
                        ],
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("setting_up", "Setting up"), ("live", "Live"), ("paused", "Paused")],
                        default="setting_up",
                        max_length=16,
                    ),
                ),
                ("options", models.JSONField(blank=True, default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "ordering": ["slug"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("status__in", ["setting_up", "live", "paused"])), name="tenant_status_known"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AvidXchangeConnection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("base_url", models.CharField(max_length=500, verbose_name="address")),
                (
                    "token_url",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Where OAuth2 tokens are fetched; blank: where the system usually issues them.",
                        max_length=500,
                        verbose_name="token address",
                    ),
                ),
                ("client_id", models.CharField(blank=True, default="", max_length=200, verbose_name="client id")),
                (
                    "max_concurrency",
                    models.PositiveSmallIntegerField(
                        default=2,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(16),
                        ],
                        verbose_name="calls at the same time",
                    ),
                ),
                (
                    "timeout_s",
                    models.PositiveSmallIntegerField(
                        default=60,
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(600),
                        ],
                        verbose_name="seconds to wait for an answer",
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "auth_mode",
                    models.CharField(
                        choices=[
                            ("tokens", "Company and user token"),
                            ("client_credentials", "OAuth2 client credentials"),
                        ],
                        default="tokens",
                        max_length=24,
                        verbose_name="sign in with",
                    ),
                ),
                ("company_token", tenants.fields.SecretField(blank=True, default=None, editable=False, null=True)),
                ("company_token_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("company_token_set_by", models.CharField(blank=True, default="", editable=False, max_length=150)),
                ("user_token", tenants.fields.SecretField(blank=True, default=None, editable=False, null=True)),
                ("user_token_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("user_token_set_by", models.CharField(blank=True, default="", editable=False, max_length=150)),
                ("client_secret", tenants.fields.SecretField(blank=True, default=None, editable=False, null=True)),
                ("client_secret_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("client_secret_set_by", models.CharField(blank=True, default="", editable=False, max_length=150)),
                ("company_id", models.CharField(blank=True, default="", max_length=100, verbose_name="company id")),
                (
                    "profile",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="Settings of this customer's API that differ from the usual ones.",
                    ),
                ),
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="avidxchange_connection",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "AvidXchange connection",
            },
        ),
        migrations.CreateModel(
            name="AuditHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField(default=0)),
                ("hash", models.CharField(default="", max_length=64)),
                ("signature", models.CharField(default="", max_length=64)),
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="audit_head", to="tenants.tenant"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="SharedToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("system", models.CharField(max_length=16)),
                ("key", models.CharField(max_length=200)),
                ("token", tenants.fields.SecretField(blank=True, default=None, editable=False, null=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="shared_tokens", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "system", "key"), name="shared_token_once")],
            },
        ),
        migrations.CreateModel(
            name="Membership",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("finance", "Finance"),
                            ("implementer", "Implementer"),
                            ("operator", "Operator"),
                            ("auditor", "Auditor"),
                            ("administrator", "Administrator"),
                        ],
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="memberships", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ["tenant", "user"],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "user"), name="membership_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("role__in", ["finance", "implementer", "operator", "auditor", "administrator"])
                        ),
                        name="membership_role_known",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="EpicorConnection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("base_url", models.CharField(max_length=500, verbose_name="address")),
                (
                    "token_url",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Where OAuth2 tokens are fetched; blank: where the system usually issues them.",
                        max_length=500,
                        verbose_name="token address",
                    ),
                ),
                ("client_id", models.CharField(blank=True, default="", max_length=200, verbose_name="client id")),
                (
                    "max_concurrency",
                    models.PositiveSmallIntegerField(
                        default=2,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(16),
                        ],
                        verbose_name="calls at the same time",
                    ),
                ),
                (
                    "timeout_s",
                    models.PositiveSmallIntegerField(
                        default=60,
                        validators=[
                            django.core.validators.MinValueValidator(5),
                            django.core.validators.MaxValueValidator(600),
                        ],
                        verbose_name="seconds to wait for an answer",
                    ),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "instance",
                    models.CharField(
                        help_text="Application name in Epicor's address, such as SaaS123 or KineticLive.",
                        max_length=100,
                    ),
                ),
                (
                    "company",
                    models.CharField(help_text="Company ID in Epicor, exactly as written there.", max_length=8),
                ),
                (
                    "auth_mode",
                    models.CharField(
                        choices=[
                            ("basic", "User name and password"),
                            ("oauth2", "OAuth2 client credentials"),
                            ("epicor_token", "Epicor token (TokenResource)"),
                        ],
                        default="basic",
                        max_length=16,
                        verbose_name="sign in with",
                    ),
                ),
                ("username", models.CharField(blank=True, default="", max_length=200, verbose_name="user name")),
                ("password", tenants.fields.SecretField(blank=True, default=None, editable=False, null=True)),
                ("password_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("password_set_by", models.CharField(blank=True, default="", editable=False, max_length=150)),
                ("client_secret", tenants.fields.SecretField(blank=True, default=None, editable=False, null=True)),
                ("client_secret_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("client_secret_set_by", models.CharField(blank=True, default="", editable=False, max_length=150)),
                ("scope", models.CharField(blank=True, default="epicor_erp", max_length=200)),
                (
                    "api_key",
                    tenants.fields.SecretField(
                        blank=True, default=None, editable=False, null=True, verbose_name="API key"
                    ),
                ),
                ("api_key_set_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("api_key_set_by", models.CharField(blank=True, default="", editable=False, max_length=150)),
                (
                    "page_size",
                    models.PositiveIntegerField(
                        default=100,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10000),
                        ],
                        verbose_name="rows a page",
                    ),
                ),
                (
                    "paging",
                    models.CharField(
                        choices=[("keyset", "By key (default)"), ("skip", "By $skip")], default="keyset", max_length=8
                    ),
                ),
                (
                    "license_guid",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Blank: no License header is sent.",
                        max_length=36,
                        verbose_name="licence type",
                    ),
                ),
                (
                    "plant",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Blank: the user's own site.",
                        max_length=8,
                        verbose_name="site",
                    ),
                ),
                (
                    "coa_code",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Needed when the company has several.",
                        max_length=20,
                        verbose_name="chart of accounts",
                    ),
                ),
                (
                    "bank_account_id",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="BankAcctID for payments in base currency.",
                        max_length=20,
                        verbose_name="bank account",
                    ),
                ),
                (
                    "payment_method_id",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="PMUID for every method that the options do not name.",
                        null=True,
                        verbose_name="payment method",
                    ),
                ),
                (
                    "ap_group_prefix",
                    models.CharField(
                        blank=True,
                        default="AVX",
                        help_text="Groups we make in Epicor begin with it.",
                        max_length=4,
                        verbose_name="AP group prefix",
                    ),
                ),
                (
                    "post_payments",
                    models.BooleanField(
                        default=False,
                        help_text="Off: payments are entered and wait unposted for a person in Epicor.",
                        verbose_name="post payments",
                    ),
                ),
                (
                    "void_mode",
                    models.CharField(
                        choices=[("notify_only", "Tell a person"), ("api", "Void in Epicor")],
                        default="notify_only",
                        max_length=16,
                        verbose_name="voids",
                    ),
                ),
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="epicor_connection",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "Epicor connection",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("company", ""), _negated=True), name="epicor_company_required"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("instance", ""), _negated=True), name="epicor_instance_required"
                    ),
                    models.CheckConstraint(condition=models.Q(("page_size__gte", 1)), name="epicor_page_size_positive"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sequence", models.BigIntegerField()),
                ("at", models.DateTimeField()),
                ("actor_id", models.BigIntegerField(blank=True, null=True)),
                ("actor_name", models.CharField(max_length=150, verbose_name="who")),
                ("action", models.CharField(max_length=80)),
                ("subject_kind", models.CharField(max_length=60)),
                ("subject_key", models.CharField(max_length=255)),
                ("run", models.CharField(blank=True, default="", max_length=36)),
                ("before", models.JSONField(blank=True, null=True)),
                ("after", models.JSONField(blank=True, null=True)),
                ("reason", models.TextField(blank=True, default="")),
                ("prev_hash", models.CharField(blank=True, default="", max_length=64)),
                ("hash", models.CharField(max_length=64)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="audit_events", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "ordering": ["tenant", "-sequence"],
                "indexes": [
                    models.Index(fields=["tenant", "subject_kind", "subject_key"], name="audit_event_subject"),
                    models.Index(
                        condition=models.Q(("run", ""), _negated=True), fields=["tenant", "run"], name="audit_event_run"
                    ),
                    models.Index(fields=["tenant", "action", "-sequence"], name="audit_event_action"),
                    models.Index(fields=["tenant", "-at"], name="audit_event_at"),
                ],
                "constraints": [models.UniqueConstraint(fields=("tenant", "sequence"), name="audit_event_once")],
            },
        ),
    ]
