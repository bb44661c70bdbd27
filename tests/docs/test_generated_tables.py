"""The set-up documents say what the code says: generated tables, names of settings, and every setting there is."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from connector import doc_tables
from connector.avidxchange.profile import Profile
from connector.avidxchange.resources import RESOURCES, Tag
from connector.epicor.scope import ACCESS_SCOPE
from connector.stages import Stage
from tenants.documents import AvidXchangeDocument, EpicorDocument, TenantDocument
from tenants.options import TenantOptions
from tenants.parsing import convert_fields

ROOT = Path(__file__).resolve().parents[2]
EPICOR, AVIDXCHANGE = (ROOT / "docs" / name for name in ("epicor-setup.md", "avidxchange-setup.md"))

#: Options that are about AvidXchange's side or about what a person decides, and change nothing in Epicor.
NOT_ABOUT_EPICOR = {
    "auto_approve_certain", "auto_approve_creations", "auto_create_gl_codes", "limits", "delta_overlap_days",
    "full_reconcile_every_days",
}  # fmt: skip
#: Words of the documents that look like keys and are none: hold codes, a sandbox's status and the like.
NO_KEYS = {"no_distribution", "check_connection", "load_tenant", "payment_id"}


def names(shape: type[msgspec.Struct]) -> set[str]:
    return {item.name for item in msgspec.structs.fields(shape)}


def quoted(document: Path) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", document.read_text()))


def test_the_tables_are_what_the_code_says() -> None:
    """If this fails: ``python -m connector.doc_tables``, and read what changed, because an administrator has to."""
    assert [path.name for path, _wanted in doc_tables.stale()] == []


def test_a_table_that_was_edited_by_hand_is_stale(tmp_path: Path) -> None:
    for document in (EPICOR, AVIDXCHANGE):
        (tmp_path / document.name).write_text(document.read_text())
    edited = tmp_path / EPICOR.name
    edited.write_text(edited.read_text().replace("| `UpdateMaster` |", "| `UpdateMinor` |"))
    assert list(doc_tables.stale(tmp_path)) == [(edited, EPICOR.read_text())]


PLACE = "<!-- table: {} x -->\n<!-- end of table -->\n"


@pytest.mark.parametrize("text", ["no place at all", PLACE.format("other"), PLACE.format("one") * 2])
def test_a_document_without_just_its_places_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="places"):
        doc_tables.filled(text, {"one": lambda: "| a |"})


def test_main_writes_what_is_stale_and_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for document in (EPICOR, AVIDXCHANGE):
        empty = re.sub(r"(<!-- table:[^\n]*\n).*?(<!-- end)", r"\1\2", document.read_text(), flags=re.DOTALL)
        (tmp_path / document.name).write_text(empty)
    again = doc_tables.stale
    monkeypatch.setattr(doc_tables, "stale", lambda: again(tmp_path))
    assert doc_tables.main() == 0
    assert capsys.readouterr().out == "epicor-setup.md: written anew\navidxchange-setup.md: written anew\n"
    assert [(tmp_path / one.name).read_text() for one in (EPICOR, AVIDXCHANGE)] == [
        EPICOR.read_text(), AVIDXCHANGE.read_text(),
    ]  # fmt: skip
    assert doc_tables.main() == 0
    assert capsys.readouterr().out == ""


def test_every_line_of_the_scope_is_one_row() -> None:
    rows = re.findall(r"^\| `(\w+\.\w+\.\w+)` \| `(\w+)` \|", EPICOR.read_text(), flags=re.MULTILINE)
    assert sorted(rows) == sorted((access.service, access.name) for access in ACCESS_SCOPE)


def test_every_assumed_call_is_labelled() -> None:
    text = AVIDXCHANGE.read_text()
    for name, row in RESOURCES.items():
        (line,) = re.findall(rf"^\| {row.row} \| .*$", text, flags=re.MULTILINE)
        assert f"`{name}`" in line
        assert ("**assumed**" in line) == (row.tag is Tag.ASSUMED)


def test_every_key_that_concerns_epicor_is_explained() -> None:
    wanted = names(EpicorDocument) | (names(TenantOptions) - NOT_ABOUT_EPICOR)
    assert wanted - quoted(EPICOR) == set()


def test_every_key_of_avidxchange_and_of_its_profile_is_explained() -> None:
    assert (names(AvidXchangeDocument) | names(Profile)) - {"profile"} - quoted(AVIDXCHANGE) == set()


@pytest.mark.parametrize("document", [EPICOR, AVIDXCHANGE], ids=lambda path: path.name)
def test_no_key_is_named_that_does_not_exist(document: Path) -> None:
    text = doc_tables._BLOCK.sub("", document.read_text())
    known = {*names(TenantDocument), *names(EpicorDocument), *names(AvidXchangeDocument), *names(TenantOptions)}
    known |= {*names(Profile), *Stage, *NO_KEYS, *RESOURCES, "stages"}
    known |= {"client_credentials", "epicor_token", "notify_only", "epicor_erp", "vendors_batches"}
    words = set(re.findall(r"`([a-z]+(?:_[a-z0-9]+)+)`", text))
    assert words - known == set()


def test_the_example_of_a_profile_is_accepted() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", AVIDXCHANGE.read_text(), flags=re.DOTALL)
    given = json.loads(f"{{{block}}}")["avidxchange"]
    assert convert_fields(AvidXchangeDocument, given)[1] == []
    profile = Profile.from_overrides(given["profile"])
    assert (profile.paths["vendors_batches"], profile.status_map["ach returned"]) == ("/suppliers/batches", "refunded")


def test_what_is_new_is_linked() -> None:
    for reader in ("README.md", "docs/onboarding.md"):
        text = (ROOT / reader).read_text()
        assert [one.name for one in (EPICOR, AVIDXCHANGE) if f"{one.name})" not in text] == []
