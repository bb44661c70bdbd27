"""House rules that a machine can check: what is promised in one file is kept in the others (style rule 24)."""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import report
import yaml
from environment import LOCKS
from site_environment import procfile

from connector.environment import REQUIRED
from connector.stages import Stage
from tenants.documents import AvidXchangeDocument, EpicorDocument
from tenants.parsing import convert_fields

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("connector", "tenants", "syncjobs")
LONGEST_FILE = 300


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def python_files() -> list[Path]:
    return [path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]


def commands() -> list[Path]:
    return sorted(
        path
        for package in ("tenants", "syncjobs")
        for path in (ROOT / package / "management" / "commands").glob("*.py")
        if path.name != "__init__.py"
    )


# --- imports and files --------------------------------------------------------------------------------------------


def test_connector_stays_importable_without_django() -> None:
    assert (ROOT / "connector" / "__init__.py").read_text() == ""


def test_the_import_contract_names_every_border_of_the_design() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    by_kind = {"layers": [], "forbidden": []}
    for contract in linter["contracts"]:
        by_kind[contract["type"]].append(contract)
    assert linter["root_packages"] == ["connector", "tenants", "syncjobs"]
    assert [contract["layers"] for contract in by_kind["layers"]] == [
        ["syncjobs", "tenants", "connector"],
        ["translate", "epicor | avidxchange", "transport"],
        [
            "(management) | (admin) | (urls)",
            "(views)",
            "(tasks)",
            "(stages) | (selectors) | (forms)",
            "(engine)",
            "(models)",
            "(states)",
        ],
    ]
    pure = next(one for one in by_kind["forbidden"] if one["forbidden_modules"] == ["django", "celery"])
    assert set(pure["source_modules"]) == {
        f"connector.{name}" for name in ("transport", "epicor", "avidxchange", "translate", "sandbox", "stages")
    }


def test_no_module_is_called_after_nothing() -> None:
    assert [path for path in python_files() if path.name in {"utils.py", "helpers.py", "common.py"}] == []


def test_every_module_says_what_it_decides() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if path.read_text().strip() and not path.read_text().lstrip().startswith(('"""', 'r"""'))
    ]
    assert silent == []


def test_a_long_file_has_a_reason() -> None:
    long = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if len(path.read_text().splitlines()) > LONGEST_FILE and "one topic" not in path.read_text()[:2000]
    ]
    assert long == []


def test_no_machine_is_named_in_the_repository() -> None:
    """Paths of a person's or builder's machine, and package registries' hosts, stay out of what we publish."""
    sign = re.compile(r"/home/[a-z]|/Users/[a-z]|pythonhosted|pypi\.org/simple|--index-url|--extra-index-url")
    named = [
        str(path.relative_to(ROOT))
        for pattern in ("*.md", "docs/**/*.md", "requirements*", "Dockerfile", "docker-compose.yml", "bin/**/*")
        for path in ROOT.glob(pattern)
        if path.is_file() and path.suffix != ".pyc" and sign.search(path.read_text())
    ]
    assert named == []


# --- commands and tests -------------------------------------------------------------------------------------------


def test_every_management_command_has_a_test() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    untested = [path.stem for path in commands() if not re.search(rf"[\"']{path.stem}[\"']", tests)]
    assert untested == []


def test_every_stage_has_a_file_and_a_test_of_its_name() -> None:
    stages = ROOT / "syncjobs" / "stages"
    assert [stage for stage in Stage if not (stages / f"{stage}.py").exists()] == []
    assert [stage for stage in Stage if not list((ROOT / "tests").rglob(f"test_{stage}.py"))] == []


def test_the_demo_knows_every_stage() -> None:
    assert tuple(Stage) == report.STAGES


# --- packages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", sorted({lock for locks in LOCKS.values() for lock in locks}))
def test_every_locked_package_has_a_version_and_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if line and not line.startswith(("#", " "))]
    assert packages
    assert [line.split()[0] for line in packages if "==" not in line or "--hash=sha256:" not in line] == []


def test_the_lock_fits_what_was_asked_for() -> None:
    for lock in {lock for locks in LOCKS.values() for lock in locks}:
        source = f"{Path(lock).stem}.in"
        locked = {
            re.sub(r"[-_.]+", "-", line.split("==")[0].split("[")[0]).lower()
            for line in (ROOT / lock).read_text().splitlines()
            if "==" in line and line[0].isalnum()
        }
        asked = {
            re.sub(r"[-_.]+", "-", re.split(r"[\[=<>]", line)[0]).lower()
            for line in (ROOT / source).read_text().split("\n")
            if line and not line.startswith(("#", "-"))
        }
        assert asked - locked == set(), lock


def test_both_locks_agree_on_every_version() -> None:
    def versions(lock: str) -> dict[str, str]:
        lines = [line.split()[0] for line in (ROOT / lock).read_text().splitlines() if "==" in line]
        return dict(line.split("==") for line in lines if line[0].isalnum())

    runs, gate = versions("requirements.txt"), versions("requirements-dev.txt")
    assert {name: (runs[name], gate[name]) for name in runs.keys() & gate.keys() if runs[name] != gate[name]} == {}


# --- what runs the site -------------------------------------------------------------------------------------------


def test_compose_runs_what_the_demo_runs() -> None:
    services = compose()["services"]
    demo = {name: " ".join([Path(program).name, *rest]) for name, (program, *rest) in procfile().items()}
    assert {name: services[name]["command"] for name in demo} == demo
    assert set(demo) == {"web", "worker", "beat"}


def test_the_image_runs_the_site_by_default() -> None:
    last = (ROOT / "Dockerfile").read_text().strip().splitlines()[-1]
    assert shlex.split(last.removeprefix("CMD ").strip("[]").replace(",", " ")) == shlex.split(
        compose()["services"]["web"]["command"]
    )


def test_compose_gives_the_site_everything_it_requires() -> None:
    services = compose()["services"]
    for name in ("migrate", "web", "worker", "beat"):
        assert set(REQUIRED) - set(services[name]["environment"]) == set(), name
    for name in ("postgres", "redis", "web", "worker", "beat"):
        assert services[name]["healthcheck"]["test"][0] == "CMD", name


def test_the_image_is_built_from_files_that_exist_and_are_sent() -> None:
    copied = [
        source
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ")
        for source in line.split()[1:-1]
    ]
    assert [source for source in copied if not (ROOT / source).exists()] == []
    sent = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert set(copied) == sent


# --- what people read ---------------------------------------------------------------------------------------------


def shell_lines(document: Path) -> list[list[str]]:
    """The commands of a document's ``sh`` blocks, split into words."""
    blocks = re.findall(r"```sh\n(.*?)```", document.read_text(), flags=re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda p: p.name)
def test_commands_in_documents_exist(document: Path) -> None:
    known = {path.stem for path in commands()} | {"migrate", "createsuperuser", "runserver", "collectstatic", "check"}
    for words in shell_lines(document):
        command = words
        while command and re.fullmatch(r"[A-Z_]+=.*", command[0]):
            command = command[1:]
        if command[0].startswith("bin/") or command[0] == ".ci/run":
            assert os.access(ROOT / command[0], os.X_OK), command
        if "manage.py" in command:
            assert command[command.index("manage.py") + 1] in known, command


@pytest.mark.parametrize("document", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda p: p.name)
def test_links_in_documents_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())
    local = [link for link in links if not link.startswith(("http:", "https:", "mailto:"))]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_the_readme_shows_both_commands_and_every_stage() -> None:
    text = (ROOT / "README.md").read_text()
    assert "bin/demo" in text
    assert "bin/test" in text
    assert [stage for stage in Stage if f"`{stage}`" not in text] == []


def test_the_example_of_a_tenant_can_be_read() -> None:
    """Its keys are those that load_tenant knows; saving it is tested with the command."""
    document = json.loads((ROOT / "docs" / "tenant-example.json").read_text())
    assert set(document["stages"]) == set(Stage)
    assert set(document) == {"slug", "name", "time_zone", "currency", "epicor", "avidxchange", "stages"}
    for system, shape in (("epicor", EpicorDocument), ("avidxchange", AvidXchangeDocument)):
        assert convert_fields(shape, document[system])[1] == []


def test_the_environment_is_documented() -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    assert [
        name for name in (*REQUIRED, "DEBUG", "ALLOW_PRIVATE_HOSTS", "REQUIRE_SECOND_FACTOR") if f"`{name}`" not in text
    ] == []


@pytest.mark.parametrize("script", ["bin/demo", "bin/test", "bin/verify_story", ".ci/run", "manage.py"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


def test_ci_runs_the_gate() -> None:
    assert (ROOT / ".ci" / "run").read_text().strip().splitlines()[-1].endswith("exec bin/test")
