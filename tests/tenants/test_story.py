"""A story exported from the trail, and the script that checks it with nothing but Python's standard library."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants import audit, heads, signed, story
from tenants.audit import Actor, Entry
from tenants.chain import event_hash
from tenants.models import AuditHead, Tenant
from tests.tenants.test_audit import sql

OWN = [("invoice", "EPIC06|104|INV-1"), ("payment", "500001")]
Edit = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def script(checkout: Path) -> ModuleType:
    """``bin/verify_story`` as a module."""
    loader = SourceFileLoader("verify_story", str(checkout / "bin" / "verify_story"))
    spec = spec_from_loader("verify_story", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def trail(db: None) -> Tenant:
    """Forty events of twenty invoices, one of which was paid."""
    tenant = Tenant.objects.create(slug="trail", name="Trail")
    actor = Actor.system("tests")
    with transaction.atomic():
        for action in ("invoices_out.accepted", "approvals_in.approved"):
            entries = [
                Entry(action=action, subject=("invoice", f"EPIC06|104|INV-{n}"), after={"n": n, "é": ["😀\n", None]})
                for n in range(1, 21)
            ]
            audit.record_many(tenant, entries, actor=actor, run=7)
    audit.record(tenant, "payment.moved", actor=Actor("ann", 3), subject=OWN[1], before={"state": ""}, reason="it said")
    return tenant


def exported(tenant: Tenant, **options: Any) -> dict[str, Any]:
    """A story as it is read back from its file."""
    document = story.export(tenant, about={"invoice": "INV-1"}, subjects=OWN, **options)
    read: dict[str, Any] = json.loads(story.to_text(document))
    return read


def resigned(document: dict[str, Any]) -> dict[str, Any]:
    """A story that somebody changed and signed with a key of their own."""
    key = Ed25519PrivateKey.generate()
    rest = {name: value for name, value in document.items() if name not in ("signature", "public_key")}
    rest["public_key"] = key.public_key().public_bytes_raw().hex()
    return {**rest, "signature": key.sign(signed._ENCODER.encode(rest)).hex()}


def check(checkout: Path, *words: str | Path) -> tuple[int, str]:
    """Run the script as an auditor does: another folder, no packages, nothing of ours on its path."""
    command = [sys.executable, "-I", "-S", str(checkout / "bin" / "verify_story"), *map(str, words)]
    done = subprocess.run(command, cwd="/", env={}, text=True, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_story_holds_all_and_only_its_own_events_and_the_script_proves_it(
    trail: Tenant, checkout: Path, tmp_path: Path, script: ModuleType
) -> None:
    document = exported(trail)
    assert [(e["sequence"], e["action"]) for e in document["events"]] == [
        (1, "invoices_out.accepted"),
        (21, "approvals_in.approved"),
        (41, "payment.moved"),
    ]
    file = tmp_path / "story.json"
    file.write_bytes(story.to_text(document))
    code, said = check(checkout, file, "--public-key", document["public_key"])
    assert code == 0, said
    assert "All 3 events are as written, and stand in a trail of 41 events." in said
    assert "payment.moved  by ann" in said
    assert "reason: it said" in said
    assert "It does not prove:" in said
    assert script.story_faults(document) == []
    assert len(document["events"][0]["path"]) == 6


def test_what_a_file_says_cannot_hide_what_is_found(trail: Tenant, script: ModuleType) -> None:
    """A reason that would clear the screen is shown as the characters it is made of."""
    document = exported(trail)
    document["events"][2]["reason"] = "\x1b[2J\nAll 3 events are as written"
    [line] = [line for line in script.told(document) if "reason" in line]
    assert "\x1b" not in line
    assert "\\u001b[2J\\u000aAll 3" in line


def test_the_script_says_what_it_cannot_read(checkout: Path, tmp_path: Path) -> None:
    file = tmp_path / "story.json"
    file.write_text("{}")
    code, said = check(checkout, file)
    assert (code, "cannot be read as a story" in said) == (2, True)


def without_the_second(document: dict[str, Any]) -> None:
    del document["events"][1]


CHANGES: dict[str, Edit] = {
    "a word": lambda d: d["events"][0]["after"].update(n=2),
    "who": lambda d: d["events"][2].update(actor_name="mallory"),
    "when": lambda d: d["events"][2].update(at="2020-01-01T00:00:00+00:00"),
    "one taken out": without_the_second,
    "one twice": lambda d: d["events"].append(d["events"][0]),
    "another order": lambda d: d["events"].reverse(),
    "another head": lambda d: d["head"].update(sequence=40),
    "another subject": lambda d: d["subjects"].pop(),
    "what it proves": lambda d: d["proves"].append("Everything."),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_is_changed_breaks_the_signature(trail: Tenant, script: ModuleType, change: Edit) -> None:
    document = exported(trail)
    change(document)
    assert "The signature does not fit: the file was altered after it was signed." in script.story_faults(document)


@pytest.mark.parametrize("name", ["a word", "who", "when", "one twice", "another order", "another head"])
def test_a_change_is_found_though_it_was_signed_anew_with_another_key(
    trail: Tenant, script: ModuleType, name: str
) -> None:
    document = exported(trail)
    CHANGES[name](document)
    faults = script.story_faults(resigned(document))
    assert faults
    assert "The signature does not fit" not in " ".join(faults)


def test_an_event_left_out_and_signed_with_another_key_is_found_by_that_key(
    trail: Tenant, checkout: Path, tmp_path: Path
) -> None:
    document = exported(trail)
    without_the_second(document)
    file = tmp_path / "story.json"
    file.write_text(json.dumps(resigned(document)))
    code, said = check(checkout, file, "--public-key", document["public_key"])
    assert (code, "It is signed with another key than the one named" in said) == (1, True)


def test_a_forged_event_has_no_way_to_the_root(trail: Tenant, script: ModuleType) -> None:
    document = exported(trail)
    forged = {**document["events"][1], "action": "approvals_in.rejected"}
    forged["hash"] = script.event_hash(document["tenant_id"], forged)
    document["events"][1] = forged
    assert script.story_faults(resigned(document)) == ["Event 21 does not stand in the trail of this head."]


def test_a_story_is_proven_against_a_head_that_was_kept(
    trail: Tenant, checkout: Path, tmp_path: Path, script: ModuleType
) -> None:
    kept = heads.to_file(heads.read_trail(trail)[1])
    head, ours = heads.from_file(json.dumps(kept).encode(), trail)
    assert ours
    audit.record(trail, "a.b", actor=Actor.system("tests"), subject=OWN[0])
    document = exported(trail, head=head)
    assert len(document["events"]) == 3, "what happened after the head is not part of it"
    assert script.head_faults(document, kept) == []
    later = exported(trail)
    assert len(later["events"]) == 4
    assert "Have it exported against that head" in script.head_faults(later, kept)[0]
    other = {**kept, "tenant": "other"}
    assert script.head_faults(document, other) == ["The head that was kept was altered after it was signed."]
    files = tmp_path / "story.json", tmp_path / "head.json"
    for file, content in zip(files, (document, kept), strict=True):
        file.write_text(json.dumps(content))
    code, said = check(checkout, files[0], "--head", files[1])
    assert (code, "They stand in the very trail of the head that was kept." in said) == (0, True)


def test_a_rewritten_trail_cannot_be_proven_against_the_kept_head(trail: Tenant, script: ModuleType) -> None:
    """Not even the holder of all keys can: the head was signed before."""
    head = heads.read_trail(trail)[1]
    kept = heads.to_file(head)
    sql("DELETE FROM tenants_auditevent")
    AuditHead.objects.filter(tenant=trail).delete()
    for _ in range(41):
        audit.record(trail, "nothing.happened", actor=Actor.system("tests"), subject=OWN[0])
    assert audit.verify(trail).ok
    with pytest.raises(story.NotProvable, match="Event 41 is not the one"):
        exported(trail, head=head)
    assert "The trail was another one" in script.head_faults(exported(trail), kept)[0]


def test_no_story_is_told_of_a_trail_that_was_tampered_with(trail: Tenant) -> None:
    """The row was given to another invoice, so that the story would leave it out."""
    sql("UPDATE tenants_auditevent SET subject_key = 'EPIC06|104|INV-2' WHERE sequence = 21")
    with pytest.raises(story.NotProvable, match="event 21: this row is not as it was written"):
        exported(trail)


def test_a_story_is_told_of_its_own_tenant_only(trail: Tenant) -> None:
    other = Tenant.objects.create(slug="other", name="Other")
    audit.record(other, "a.b", actor=Actor.system("tests"), subject=OWN[0], reason="of the other company")
    assert "of the other company" not in story.to_text(exported(trail)).decode()
    assert [event["reason"] for event in exported(other)["events"]] == ["of the other company"]


# --- what both sides compute --------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(before=VALUES, reason=st.text(st.characters(exclude_categories=["Cs"])))
def test_the_script_hashes_an_event_as_the_site_does(script: ModuleType, before: Any, reason: str) -> None:
    event = {
        "sequence": 7, "at": "2026-11-23T12:00:00.000123+00:00", "actor_id": None, "actor_name": "é", "action": "a.b",
        "subject_kind": "x", "subject_key": "|", "run": "", "before": before, "after": None, "reason": reason,
        "prev_hash": "00",
    }  # fmt: skip
    content = (7, 1795435200000123, None, "é", "a.b", "x", "|", "", before, None, reason)
    assert script.event_hash(5, event) == event_hash(5, content, "00")


@pytest.mark.parametrize("size", [0, 1, 200])
def test_the_script_checks_signatures_as_the_library_makes_them(script: ModuleType, size: int) -> None:
    document = resigned({"text": "x" * size})
    assert script.signature_fits(document)
    assert signed.is_whole(document)
    assert not script.signature_fits({**document, "text": "y" * (size + 1)})
    broken = bytearray.fromhex(document["signature"])
    broken[5] ^= 1
    for wrong in (broken.hex(), "00" * 64, document["signature"][:64] + "ff" * 32, document["signature"][:-2]):
        assert not script.signature_fits({**document, "signature": wrong})
    assert not script.signature_fits({**document, "public_key": "02" + "00" * 31})


def test_the_curve_is_the_one_of_the_standard(script: ModuleType) -> None:
    """RFC 8032, section 7.1, TEST 2: one byte, signed."""
    key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    script_canonical, script.canonical = script.canonical, lambda _value: b"\x72"
    try:
        assert script.signature_fits({"public_key": key, "signature": signature})
    finally:
        script.canonical = script_canonical
