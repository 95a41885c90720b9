"""One version and one license for the wheels, the image and the notes."""

import re
import tomllib

import pytest

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
