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


def test_the_changelog_has_notes_for_the_version_and_no_empty_section() -> None:
    assert "###" in notes_of(version())
    assert notes_of("99.0.0") == ""
    assert re.findall(r"^## (\S+)", (CHECKOUT / "CHANGELOG.md").read_text(), re.MULTILINE) == [
        "Unreleased",
        version(),
    ]


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
