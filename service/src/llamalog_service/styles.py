"""How things look to people, the same on a terminal, in the service's log and in the admin UI."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from llamalog_schemas.events import Category


class Look(NamedTuple):
    """An icon of one cell, and one of a terminal's eight colours by name."""

    icon: str
    colour: str


LOOKS: Final[Mapping[str, Look]] = {
    Category.CREATED: Look("+", "green"),
    Category.LINKED: Look("⇄", "cyan"),
    Category.ENRICHED: Look("↑", "blue"),
    Category.CORRECTED: Look("✎", "magenta"),
    Category.CACHED: Look("▣", "yellow"),
    Category.FAILED: Look("✗", "red"),
}
_UNKNOWN: Final = Look("?", "white")


def look_of(category: str) -> Look:
    """How a category looks; a legacy row may bear one that nobody knows."""
    return LOOKS.get(category, _UNKNOWN)


def printable(text: str, keep: str = "") -> str:
    """What others say may hold control characters: a terminal would obey them.

    Args:
        keep: control characters that may stay.
    """
    return "".join(
        character if character.isprintable() or character in keep else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
