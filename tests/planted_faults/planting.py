"""A copy of the checkout in which one fault at a time is planted, and tests are run."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from planted_faults.fault import Fault

CHECKOUT: Final = Path(__file__).resolve().parents[2]
_SOURCES: Final = ("schemas/src", "service/src", "tools/src", "tests")
_PLUGIN: Final = "planted_faults.unshrunk"
_SECONDS: Final = 1_200
"""For the tests of one fault; each test has its own limit besides."""
_PASSED, _FAILED = 0, 1
_FAILED_TEST: Final = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
"""In the summary of pytest; blanks in the name of a parameter end it."""


class Outcome(StrEnum):
    """The outcome of the tests of a fault."""

    CAUGHT = "caught"
    MISSED = "missed"
    BROKEN = "broken"
    """The tests could not be run: neither passed nor failed."""


class Verdict(NamedTuple):
    """The outcome of a fault.

    Attributes:
        printed: the end of what pytest printed.
        failed: the first test that failed, if one did.
    """

    outcome: Outcome
    printed: str
    failed: str = ""


class FaultNotFoundError(Exception):
    """The text that a fault replaces is not in its file exactly once: the list is out of date."""


def check_found(fault: Fault, checkout: Path = CHECKOUT) -> Path:
    """The file of a fault.

    Raises:
        FaultNotFoundError: the file does not hold the old text exactly once, or a test is missing.
    """
    file = checkout / fault.file
    if not file.is_file():
        raise FaultNotFoundError(f'"{fault.name}": there is no {fault.file}')
    if (found := file.read_text(encoding="utf-8").count(fault.old)) != 1:
        raise FaultNotFoundError(f'"{fault.name}": {fault.file} holds its old text {found} times, not once')
    if fault.old == fault.new:
        raise FaultNotFoundError(f'"{fault.name}" changes nothing')
    for test in fault.tests:
        path, _, name = test.partition("::")
        if not (checkout / path).is_file() or f"def {name}" not in (checkout / path).read_text(
            encoding="utf-8"
        ):
            raise FaultNotFoundError(f'"{fault.name}": there is no test {test}')
    return file


@contextmanager
def copied(checkout: Path, folder: Path) -> Iterator[Path]:
    """A copy of the files that git knows of, as they are in the working tree."""
    listed = subprocess.run(
        ["git", "-C", str(checkout), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    copy = folder / "checkout"
    for name in listed.stdout.decode().split("\0"):
        if name and (checkout / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(checkout / name, copy / name)
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


def plant(fault: Fault, copy: Path) -> Verdict:
    """Plant a fault in a copy, run its tests there, and take it out again.

    Raises:
        FaultNotFoundError: its old text is not there.
    """
    file = check_found(fault, copy)
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    try:
        return run_tests(fault.tests, copy)
    finally:
        file.write_text(text, encoding="utf-8")


def run_tests(tests: Sequence[str], copy: Path) -> Verdict:
    """Run tests in a copy until the first failure, on the copy's sources."""
    sources = [str(copy / source) for source in _SOURCES]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", _PLUGIN, *tests]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(
            command, cwd=copy, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict(Outcome.BROKEN, f"the tests did not end within {_SECONDS} s")
    printed = ran.stdout + ran.stderr
    outcome = {_PASSED: Outcome.MISSED, _FAILED: Outcome.CAUGHT}.get(ran.returncode, Outcome.BROKEN)
    failed = _FAILED_TEST.search(printed)
    return Verdict(outcome, printed[-4_000:], failed[1] if failed else "")
