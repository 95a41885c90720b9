"""A fault: a slip that a person could make, and the tests that have to catch it."""

from typing import Final, NamedTuple

SERVICE: Final = "service/src/llamalog_service/"
KIT: Final = "schemas/src/llamalog_schemas/"


class Fault(NamedTuple):
    """A slip to be planted.

    Attributes:
        name: the slip in a few words.
        file: of the checkout.
        old: a text that the file holds exactly once.
        new: the text in its place.
        tests: paths or node ids of pytest; at least one of these tests has to fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


def tests_of(file: str, *names: str) -> tuple[str, ...]:
    """The node ids of these tests of a file below `tests/`; without names the file."""
    path = f"tests/{file}"
    return tuple(f"{path}::{name}" for name in names) or (path,)
