"""What the documents name exists: files, commands, settings with their defaults."""

import re
from pathlib import Path

import pytest
from typer.main import get_group

from llamalog_service.cli import app
from llamalog_service.settings import Settings, setting_name

CHECKOUT = Path(__file__).resolve().parents[3]
SERVICE = CHECKOUT / "service/src/llamalog_service"
KIT = CHECKOUT / "schemas/src/llamalog_schemas"
DOCUMENTS = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md")])
FILE_NAME = re.compile(r"`([\w./-]+(?:\.(?:py|sql|toml|md|yaml|yml|xml)|/))`")


def name_of(document: Path) -> str:
    return str(document.relative_to(CHECKOUT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_a_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    assert [link for link in links if not (document.parent / link).exists()] == []


def test_the_files_that_the_architecture_names_exist() -> None:
    named = FILE_NAME.findall((CHECKOUT / "ARCHITECTURE.md").read_text())
    assert len(set(named)) > 50
    assert [
        name for name in named if not any((top / name).exists() for top in (CHECKOUT, SERVICE, KIT))
    ] == []


def test_the_architecture_names_every_package_and_layer() -> None:
    architecture = (CHECKOUT / "ARCHITECTURE.md").read_text()
    packages = {f"{path.name}/" for path in SERVICE.iterdir() if (path / "__init__.py").exists()}
    modules = {path.name for path in SERVICE.glob("[!_]*.py")}
    assert {"kafka/", "retry.py"} <= packages | modules
    assert [name for name in sorted(packages | modules) if f"`{name}`" not in architecture] == []
    tests = {path.name for path in (CHECKOUT / "tests").iterdir() if any(path.rglob("*.py"))}
    assert [name for name in sorted(tests) if not re.search(rf"\b{name}\b", architecture)] == []


def test_every_flow_of_the_architecture_fits_a_page() -> None:
    sections = (CHECKOUT / "ARCHITECTURE.md").read_text().split("\n## ")
    assert {"Ingest flow", "Late parent", "Backfill", "Rebuild", "Read path", "Adoption", "Local stack"} <= {
        section.partition("\n")[0] for section in sections
    }
    prose = [re.sub(r"```mermaid.*?```", "", section, flags=re.DOTALL) for section in sections]
    assert [section.partition("\n")[0] for section in prose if section.count("\n") > 60] == []


def test_every_document_is_named_in_the_readme() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    assert [
        path.name for path in (CHECKOUT / "docs").glob("*.md") if f"](docs/{path.name})" not in readme
    ] == []


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\]\((docs/adr/[^)]+)\)", (CHECKOUT / "ARCHITECTURE.md").read_text())
    assert listed == [name_of(document) for document in DOCUMENTS if document.parent.name == "adr"]


def test_the_settings_are_documented_with_their_defaults() -> None:
    rows = re.findall(r"^\| `(LLAMALOG_\w+)` \|(.*?)\|", (CHECKOUT / "README.md").read_text(), re.MULTILINE)
    assert {name: default.strip() for name, default in rows} == {
        setting_name(name): "required" if field.is_required() else _shown(field.get_default())
        for name, field in Settings.model_fields.items()
    }


def _shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_commands_that_the_readme_names_exist() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))
    made = set(re.findall(r"(?:`|^    )make ([a-z-]+)", readme, re.MULTILINE))
    assert {"up", "test"} <= made <= targets
    named = set(re.findall(r"`(?:\.venv/bin/)?llamalog ([\w-]+)", readme))
    assert named
    assert named <= set(get_group(app).commands)
