"""Icons and colours of categories, the same on a terminal, in the service's log and in the admin UI."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from llamalog_schemas.events import Category


class Style(NamedTuple):
    """An icon of one cell, and one of a terminal's eight colours by name."""

    icon: str
    colour: str


STYLES: Final[Mapping[str, Style]] = {
    Category.CREATED: Style("+", "green"),
    Category.LINKED: Style("⇄", "cyan"),
    Category.ENRICHED: Style("↑", "blue"),
    Category.CORRECTED: Style("✎", "magenta"),
    Category.CACHED: Style("▣", "yellow"),
    Category.FAILED: Style("✗", "red"),
}
_UNKNOWN: Final = Style("?", "white")


def style_of(category: str) -> Style:
    """The style of a category; a legacy row may have an unknown one."""
    return STYLES.get(category, _UNKNOWN)


def printable(text: str, keep: str = "") -> str:
    """Text with control characters replaced, which a terminal would obey.

    Args:
        keep: control characters that may stay.
    """
    return "".join(
        character if character.isprintable() or character in keep else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
