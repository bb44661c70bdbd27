"""Everything of AvidXchange's interface that may turn out different, as data a tenant may override (contract 1).

AvidXchange's reference is read by its partners only, so no name, path or status below is built into the client. A
tenant's overrides are merged over the defaults, name by name, and refused with one line a fault; what the contract
tags assumed is listed by ``resources.RESOURCES`` and ``fields.ASSUMED``. The setting names are the contract's. Not
here: addresses, secrets and ``company_id`` (the connection's own), ``topology`` (which stages are switched on).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Annotated, Any, Literal, get_type_hints
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct, field

from connector.avidxchange import statuses
from connector.avidxchange.fields import FIELDS
from connector.avidxchange.records import PaymentMethod, PaymentStatus
from connector.avidxchange.resources import PARAMS, RESOURCES
from connector.transport.retry import RetryPolicy
from connector.zones import is_zone

HeaderName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]*$", max_length=100)]
Positive = Annotated[int, Meta(ge=1)]
ParamName = Annotated[str, Meta(pattern=r"^\$?[A-Za-z0-9_.-]+$")]
Tries = Annotated[int, Meta(ge=1, le=20)]
FirstPause = Annotated[float, Meta(gt=0, le=60)]
Healing = Literal["heals", "review"]

#: Settings that are tables: an override is merged into the default, name by name.
_TABLES = frozenset({"paths", "params", "fields", "status_map", "method_map", "exception_map"})
#: Tables whose names are wire texts: compared without case, any name may be added.
_BY_TEXT = frozenset({"status_map", "method_map", "exception_map"})
#: What a header template may name, for each of the templates.
_TEMPLATES = {"company_token_template": {"company_token"}, "user_token_template": {"user_token"}}


class Profile(Struct, frozen=True, kw_only=True):
    """The settings of contract section 1 that are not the connection's own, with its defaults.

    ``page_size`` and ``batch_max_items`` are counts, ``window_days_max`` days, ``*_s`` seconds, ``image_max_bytes``
    bytes. ``retry_*`` say how a read that failed is tried again and ``throttle_*`` how after "slow down" (contract 8):
    how many tries in all, and the first pause. ``accounting_system_id`` "" means the only one that AvidXchange lists.
    ``header_company_id`` is sent where the connection has a company id (its default is assumed; "" sends none).
    """

    environment: Literal["sandbox", "production"] = "sandbox"
    # Names of headers and templates, not tokens:
    header_company_token: HeaderName = "Authorization"  # noqa: S105
    company_token_template: str = "Bearer {company_token}"  # noqa: S105
    header_user_token: HeaderName = "AvidAuthorization"  # noqa: S105
    user_token_template: str = "Bearer {user_token}"  # noqa: S105
    header_company_id: HeaderName = "X-Company-Id"
    header_tenant: HeaderName = ""
    tenant: Annotated[str, Meta(max_length=200)] = ""
    header_request_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]+$")] = "X-Request-Id"
    header_idempotency: HeaderName = ""
    path_prefix: Annotated[str, Meta(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = "/v1"
    paths: dict[str, str] = field(default_factory=lambda: {name: row.path for name, row in RESOURCES.items()})
    page_param: ParamName = "pageNumber"
    page_size_param: ParamName = "pageSize"
    params: dict[str, str] = field(default_factory=lambda: {name: wire for name, (_tag, wire) in PARAMS.items()})
    page_size: Positive = 500
    date_format_query: str = "YYYY-MM-DD"
    timezone_assumed: str = "UTC"
    window_days_max: Positive = 30
    window_overlap_days: Annotated[int, Meta(ge=0, le=60)] = 2
    batch_max_items: Positive = 50
    ids_max: Positive = 50
    image_max_bytes: Positive = 10 * 1024 * 1024
    max_rps: Annotated[float, Meta(gt=0)] | None = 4
    retry_statuses: Annotated[tuple[Annotated[int, Meta(ge=400, le=599)], ...], Meta(min_length=1)] = (
        408, 425, 429, 500, 502, 503, 504,
    )  # fmt: skip
    retry_attempts: Tries = 5
    retry_first_s: FirstPause = 1
    throttle_attempts: Tries = 8
    throttle_first_s: FirstPause = 5
    retry_after_max_s: Annotated[float, Meta(ge=1, le=86_400)] = 900
    vendor_id_separator: Annotated[str, Meta(min_length=1, max_length=3)] = "|"
    accounting_system_id: str = ""
    fields: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {name: paths for name, (_tag, paths) in FIELDS.items()}
    )
    status_map: dict[str, PaymentStatus] = field(default_factory=lambda: dict(statuses.STATUS_MAP))
    method_map: dict[str, PaymentMethod] = field(default_factory=lambda: dict(statuses.METHOD_MAP))
    exception_map: dict[str, Healing] = field(default_factory=lambda: dict(statuses.EXCEPTION_MAP))

    @property
    def retry(self) -> RetryPolicy:
        """How a read is tried again."""
        return RetryPolicy(
            attempts=self.retry_attempts,
            base_s=self.retry_first_s,
            statuses=frozenset(self.retry_statuses),
            retry_after_cap_s=self.retry_after_max_s,
            throttle_attempts=self.throttle_attempts,
            throttle_base_s=self.throttle_first_s,
        )

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of timestamps that name none (contract 2.10)."""
        return ZoneInfo(self.timezone_assumed)

    @classmethod
    def from_overrides(cls, overrides: Mapping[str, Any]) -> Profile:
        """Return the default profile with a tenant's overrides merged in.

        Raises ``ValueError`` whose text has one line a fault: unknown keys, wrong types, values out of range.
        """
        faults: list[str] = []
        settings: dict[str, Any] = {}
        kinds = get_type_hints(cls, include_extras=True)
        for name, value in overrides.items():
            if name not in kinds:
                faults.append(f"{name}: unknown setting; known: {', '.join(sorted(kinds))}")
            elif name in _TABLES:
                settings[name] = _merged(cls(), name, value, faults)
            else:
                try:
                    settings[name] = msgspec.convert(value, kinds[name], strict=True)
                except msgspec.ValidationError as error:
                    faults.append(f"{name}: {_plain(error)}")
        faults += _odd(settings)
        if faults:
            raise ValueError("\n".join(faults))
        return cls(**settings)


def _merged(default: Profile, name: str, value: object, faults: list[str]) -> dict[str, Any]:
    """Return a table with overrides merged in; each bad row is a fault of its own."""
    table: dict[str, Any] = dict(getattr(default, name))
    if not isinstance(value, Mapping):
        faults.append(f"{name}: must be an object of names and values")
        return table
    for key, given in value.items():
        where = f"{name}.{key}"
        if name not in _BY_TEXT and key not in table:
            faults.append(f"{where}: unknown name; known: {', '.join(sorted(table))}")
            continue
        try:
            table[statuses.key(str(key)) if name in _BY_TEXT else key] = _row(name, str(key), given)
        except (msgspec.ValidationError, ValueError) as error:
            faults.append(f"{where}: {_plain(error)}")
    return table


def _row(table: str, key: str, given: object) -> Any:
    if table == "paths":
        return _path(key, msgspec.convert(given, str))
    if table == "params":
        return msgspec.convert(given, ParamName)
    if table == "fields":
        paths = (given,) if isinstance(given, str) else given
        places: tuple[str, ...] = msgspec.convert(paths, tuple[str, ...])
        if not places or not all(re.fullmatch(r"[^.\s]+(\.[^.\s]+)*", place) for place in places):
            raise ValueError("must be a dotted path or a list of them, such as Amounts.Net")
        return places
    kinds: dict[str, Any] = {"status_map": PaymentStatus, "method_map": PaymentMethod, "exception_map": Healing}
    if not key.strip():
        raise ValueError("an empty text cannot be mapped")
    return msgspec.convert(given, kinds[table])


def _path(name: str, path: str) -> str:
    """Return a path template after checking that it names what the default names."""
    if not path.startswith("/") or re.search(r"[\s?#]|/\.{1,2}(/|$)|//", path):
        raise ValueError("must begin with / and hold no blanks, query or dot segments")
    wanted, named = _placeholders(RESOURCES[name].path), _placeholders(path)
    if named != wanted:
        raise ValueError(f"must hold {', '.join(f'{{{item}}}' for item in sorted(wanted)) or 'no {placeholder}'}")
    return path


def _placeholders(template: str) -> set[str]:
    try:
        return {name for _text, name, _spec, _conversion in Formatter().parse(template) if name is not None}
    except ValueError:
        return {"?"}


def _odd(settings: Mapping[str, Any]) -> list[str]:
    """Return the faults that a type alone does not show."""
    faults = []
    for name, allowed in _TEMPLATES.items():
        if name in settings and _placeholders(settings[name]) != allowed:
            faults.append(f"{name}: must hold {{{', '.join(allowed)}}} and nothing else in braces")
    names = [settings.get(name, getattr(Profile(), name)) for name in ("header_company_token", "header_user_token")]
    if names[0] and names[0].lower() == names[1].lower():
        faults.append("header_user_token: is the name of header_company_token too")
    written = settings.get("date_format_query", "YYYYMMDD")
    if sorted(re.findall("YYYY|MM|DD", written)) != ["DD", "MM", "YYYY"] or re.search(r"[^YMD./-]", written):
        faults.append("date_format_query: must hold YYYY, MM and DD once each, such as YYYY-MM-DD")
    zone = settings.get("timezone_assumed", "UTC")
    if not is_zone(zone):
        faults.append("timezone_assumed: must be a time zone such as UTC or America/New_York")
    return faults


def _plain(error: Exception) -> str:
    """Return msgspec's sentence without its code quotes; it names types, never the value given."""
    return str(error).replace("`", "")
