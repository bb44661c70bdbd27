"""Which Epicor vendor and GL account is which over there, who decided it, and what was last sent."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from syncjobs.models.base import Outgoing, TenantRow
from syncjobs.states import MappingState

PROPOSALS = [("match", "Same vendor or account already there"), ("create", "New over there")]


class Mapping(Outgoing):
    """What vendor and GL account mappings share. ``evidence`` lists candidates:
    ``[{"avid_id", "name", "score", "reasons": [...]}, ...]``, best first."""

    company = models.CharField(max_length=20)
    name = models.CharField(max_length=500, blank=True, default="")
    active = models.BooleanField(default=True)
    state = models.CharField(max_length=12, choices=MappingState.choices, default=MappingState.PROPOSED)
    proposal = models.CharField(max_length=8, choices=PROPOSALS, blank=True, default="")
    score = models.PositiveSmallIntegerField(default=0)
    evidence = models.JSONField(default=list, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class VendorMapping(Mapping):
    """Epicor vendor ↔ AvidXchange vendor. ``vendor_num`` never changes, ``vendor_code`` (VendorID) may.

    ``external_id`` is what AvidXchange holds as VendorExternalSystemID; ``avid_id`` is its own id, "" until known.
    """

    vendor_num = models.IntegerField()
    vendor_code = models.CharField(max_length=60, blank=True, default="")
    external_id = models.CharField(max_length=100)
    avid_id = models.CharField(max_length=100, blank=True, default="")
    currency = models.CharField(max_length=10, blank=True, default="")
    terms_code = models.CharField(max_length=20, blank=True, default="")

    class Meta:
        ordering = ["vendor_num"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "company", "vendor_num"], name="vendormapping_epicor_once"),
            models.UniqueConstraint(fields=["tenant", "external_id"], name="vendormapping_external_once"),
            models.UniqueConstraint(
                fields=["tenant", "avid_id"], condition=~Q(avid_id=""), name="vendormapping_avid_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "state", "vendor_num"], name="vendormapping_queue")]

    def __str__(self) -> str:
        return f"{self.vendor_code} {self.name}"


class GLAccountMapping(Mapping):
    """Epicor GL account (internal string) ↔ AvidXchange account number (the chart's display form)."""

    coa_code = models.CharField(max_length=20)
    gl_account = models.CharField(max_length=200)
    avid_account = models.CharField(max_length=200, blank=True, default="")
    turns_on = models.DateField(
        null=True, blank=True, help_text="The day on which it starts or stops being effective, by the date alone."
    )

    class Meta:
        verbose_name = "GL account mapping"
        ordering = ["gl_account"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "company", "coa_code", "gl_account"], name="glaccountmapping_epicor_once"
            ),
            models.UniqueConstraint(
                fields=["tenant", "avid_account"], condition=~Q(avid_account=""), name="glaccountmapping_avid_once"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "state", "gl_account"], name="glaccountmapping_queue")]

    def __str__(self) -> str:
        return self.avid_account or self.gl_account


class AvidVendor(TenantRow):
    """A vendor as AvidXchange holds it: what matching and a person's search look at.

    ``tax_fingerprint`` is a keyed hash, so that equal tax ids are found without keeping them.
    """

    avid_id = models.CharField(max_length=100)
    external_id = models.CharField(max_length=255, blank=True, default="")
    name = models.CharField(max_length=500, blank=True, default="")
    name_key = models.CharField(max_length=500, blank=True, default="")
    tax_fingerprint = models.CharField(max_length=64, blank=True, default="")
    place_key = models.CharField(max_length=560, blank=True, default="")
    line1 = models.CharField(max_length=500, blank=True, default="")
    city = models.CharField(max_length=100, blank=True, default="")
    state = models.CharField(max_length=100, blank=True, default="")
    postal_code = models.CharField(max_length=40, blank=True, default="")
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "avid_id"], name="avidvendor_once")]
        indexes = [
            models.Index(fields=["tenant", "external_id"], name="avidvendor_external"),
            models.Index(fields=["tenant", "tax_fingerprint"], name="avidvendor_tax"),
            models.Index(fields=["tenant", "name_key"], name="avidvendor_name"),
            models.Index(fields=["tenant", "place_key"], name="avidvendor_place"),
        ]

    def __str__(self) -> str:
        return self.name


class AvidAccount(Outgoing):
    """An account number that AvidXchange has accepted from us, and the account it was accepted for last.

    When that account has another number now, this one is inactivated over there: ``desired`` is the item that does so.
    """

    company = models.CharField(max_length=20)
    number = models.CharField(max_length=200)
    mapping = models.ForeignKey(GLAccountMapping, on_delete=models.PROTECT, related_name="numbers")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="avidaccount_once")]

    def __str__(self) -> str:
        return self.number
