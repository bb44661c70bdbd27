"""How likely two vendor records mean the same vendor, with the reasons in words.

A score proposes, a person or a tenant's rule approves. The weights say what convinces an AP clerk: the same tax id
(60), the same name (25), the same place to pay (15); two different tax ids keep any score at 40 or less, however
alike the names are. Masked tax ids and fillers (all one digit) count as none.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from rapidfuzz import fuzz

from connector.avidxchange.records import Address, Vendor, VendorItem

TAX_ID_POINTS, NAME_POINTS, POSTAL_POINTS, STREET_POINTS = 60, 25, 7, 8
DIFFERENT_TAX_ID_CAP = 40
#: Below these likenesses (percent) two unrelated texts are as alike as any two texts are: no points.
NAME_FLOOR, STREET_FLOOR = 60, 80
#: Names this alike (percent) differ by a typing error or an abbreviation.
SAME_NAME = 90

_LEGAL = frozenset({
    "ag", "bv", "co", "company", "corp", "corporation", "cv", "gmbh", "inc", "incorporated", "limited", "llc", "llp",
    "lp", "ltd", "ltda", "nv", "oy", "plc", "pllc", "pty", "sa", "sarl", "spa", "srl", "ulc",
})  # fmt: skip
_STREET = {
    "avenue": "ave", "boulevard": "blvd", "drive": "dr", "east": "e", "highway": "hwy", "lane": "ln", "north": "n",
    "parkway": "pkwy", "place": "pl", "road": "rd", "south": "s", "street": "st", "suite": "ste", "west": "w",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    """``score`` is 0 to 100; ``reasons`` are plain phrases such as "same tax id" or "name 94 %"; ``name`` is how alike
    the two names are, in percent, and ``same_tax_id`` whether the tax ids are equal, None if one is not known."""

    score: int
    reasons: tuple[str, ...]
    name: int = field(default=0, compare=False)
    same_tax_id: bool | None = field(default=None, compare=False)

    @property
    def resembles(self) -> bool:
        """Whether a person should look before a new vendor is made: the same tax id, nearly the same name (unless the
        tax ids say otherwise), or so much else in common."""
        if self.same_tax_id is False:
            return self.name >= SAME_NAME and self.score >= DIFFERENT_TAX_ID_CAP
        return bool(self.same_tax_id) or self.name >= SAME_NAME or self.score >= DIFFERENT_TAX_ID_CAP


def words(value: str) -> list[str]:
    """Return a text's words without case, accents or punctuation; dots and apostrophes join what they part."""
    plain = unicodedata.normalize("NFKD", value.replace("&", " and ")).casefold()
    plain = unicodedata.normalize("NFKD", plain)
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"[\W_]+", " ", re.sub(r"[.'’`´]", "", letters)).split()


def name_key(name: str) -> str:
    """Return the form of a vendor's name by which candidates are looked up: no case, accents, punctuation, leading
    "the" or trailing legal form ("Inc", "S.A. de C.V."), unless nothing else would be left."""
    found = words(name)
    kept = list(found)
    while len(kept) > 1 and (kept[-1] in _LEGAL or kept[-2:] == ["sa", "de"]):
        kept = kept[:-2] if kept[-2:] == ["sa", "de"] and len(kept) > 2 else kept[:-1]
    while len(kept) > 1 and kept[0] == "the":
        kept = kept[1:]
    return " ".join(kept)


def tax_key(tax_id: str) -> str:
    """Return a tax id's digits if they can tell vendors apart: at least nine, and not one digit throughout."""
    digits = "".join(char for char in tax_id if char in "0123456789")
    return digits if len(digits) >= 9 and len(set(digits)) > 1 else ""


def postal_key(postal_code: str) -> str:
    """Return a postal code's letters and digits; of a US ZIP+4 the first five."""
    code = "".join(words(postal_code)).upper()
    return code[:5] if re.fullmatch(r"[0-9]{9}", code) else code


def score(item: VendorItem, candidate: Vendor, *, same_tax_id: bool | None = None) -> Match:
    """Score how likely an AvidXchange vendor is the Epicor vendor that ``item`` was made from.

    ``same_tax_id`` is for a caller that kept only fingerprints of the candidates' tax ids and has compared those:
    None says that one of the two has no tax id, as far as anyone knows.
    """
    points, reasons = 0, []
    ours, theirs = tax_key(item.tax_id), tax_key(candidate.tax_id)
    if same_tax_id is None and ours and theirs:
        same_tax_id = ours == theirs
    if same_tax_id:
        points += TAX_ID_POINTS
        reasons.append("same tax id")
    likeness = _name_likeness(item.vendor_name, candidate.name)
    if likeness >= NAME_FLOOR:
        points += NAME_POINTS * likeness // 100
        reasons.append("same name" if likeness == 100 else f"name {likeness} %")
    for more, reason in _place(item, candidate):
        points += more
        reasons.append(reason)
    if same_tax_id is False:
        points = min(points, DIFFERENT_TAX_ID_CAP)
        reasons.append("different tax ids")
    return Match(min(points, 100), tuple(reasons), likeness, same_tax_id)


def _name_likeness(ours: str, theirs: str) -> int:
    left, right = name_key(ours), name_key(theirs)
    return int(fuzz.token_sort_ratio(left, right)) if left and right else 0


def _place(item: VendorItem, candidate: Vendor) -> list[tuple[int, str]]:
    """Return the points of the address that is most alike: where it is paid, or where it is."""
    addresses = [address for address in (item.remit_to_address, item.address) if address is not None]
    return max((_address(address, candidate) for address in addresses), key=lambda p: sum(n for n, _ in p), default=[])


def _address(address: Address, candidate: Vendor) -> list[tuple[int, str]]:
    points = []
    code = postal_key(address.postal_code)
    if code and code == postal_key(candidate.postal_code):
        points.append((POSTAL_POINTS, "same postal code"))
    left, right = _street(address.line1), _street(candidate.line1)
    likeness = int(fuzz.token_sort_ratio(left, right)) if left and right else 0
    if likeness >= STREET_FLOOR:
        points.append((STREET_POINTS * likeness // 100, "same street" if likeness == 100 else f"street {likeness} %"))
    return points


def place_key(postal_code: str, line1: str) -> str:
    """Return the form of an address by which candidates are looked up: postal code and street, "" without both."""
    code, street = postal_key(postal_code), _street(line1)
    return f"{code}|{street}" if code and street else ""


def _street(line: str) -> str:
    return " ".join(_STREET.get(word, word) for word in words(line))
