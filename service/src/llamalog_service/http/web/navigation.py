"""The pages that the bar leads to."""

from typing import Final, NamedTuple


class Item(NamedTuple):
    """A link in the bar.

    Attributes:
        page: what a page passes as ``page`` to be marked as the current one.
    """

    page: str
    href: str
    label: str


NAVIGATION: Final = (
    Item("roots", "/ui", "Root jobs"),
    Item("logs", "/ui/logs", "Logs"),
    Item("unknown-origins", "/ui/unknown-origins", "Unknown origins"),
    Item("waiting-jobs", "/ui/waiting-jobs", "Waiting jobs"),
    Item("conflicts", "/ui/conflicts", "Conflicts"),
    Item("dead-letters", "/ui/dead-letters", "Dead letters"),
    Item("backfills", "/ui/backfills", "Backfills"),
    Item("health", "/ui/health", "Health"),
)
