"""One version and one license for the wheels, the image and the notes."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from llamalog_tools.release import CHECKOUT, notes_of, places, version

DISTRIBUTIONS = ("schemas", "service", "tools")


def test_every_place_states_the_version_of_the_checkout() -> None:
    assert {found for stated in places().values() for found in stated} == {version()}
    assert {name: len(stated) for name, stated in places().items()} == {
        "VERSION": 1,
        "schemas/pyproject.toml": 1,
        "service/pyproject.toml": 2,
        "tools/pyproject.toml": 3,
        "Dockerfile": 1,
        "docker-compose.yml": 1,
    }


def test_the_notes_of_a_version_have_each_heading_once_and_under_it_changes() -> None:
    headings = re.findall(r"^### (\w+)$", notes_of(version()), re.MULTILINE)
    assert "Added" in headings
    assert len(headings) == len(set(headings))
    assert [part for part in notes_of(version()).split("### ")[1:] if "\n- " not in part] == []
    assert notes_of("99.0.0") == ""


def test_changes_before_the_first_release_are_notes_of_its_version() -> None:
    versions = re.findall(r"^## (.+)$", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE)
    current = next(title for title in versions if title.startswith(version()))
    assert versions[0] == (current if "not yet released" in current else "Unreleased")


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_carries_the_license(name: str) -> None:
    project = tomllib.loads((CHECKOUT / name / "pyproject.toml").read_text())["project"]
    assert project["license"] == "Apache-2.0"
    assert (CHECKOUT / name / "LICENSE").read_bytes() == (CHECKOUT / "LICENSE").read_bytes()
    assert b"Apache License" in (CHECKOUT / "LICENSE").read_bytes()


def test_the_hooks_of_pre_commit_are_local_and_run_what_the_checks_have() -> None:
    (repository,) = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local"
    assert {hook["language"] for hook in repository["hooks"]} == {"system"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in repository["hooks"])


@pytest.mark.parametrize(
    "form", sorted((CHECKOUT / ".github/ISSUE_TEMPLATE").glob("[bp]*.yml")), ids=lambda form: form.stem
)
def test_an_issue_form_has_fields_with_distinct_ids(form: Path) -> None:
    content = yaml.safe_load(form.read_text())
    assert content["name"]
    assert content["description"]
    ids = [field["id"] for field in content["body"]]
    assert len(ids) == len(set(ids)) > 0
