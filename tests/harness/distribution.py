"""Files of a test run that need the same costly servers, given to one worker, which starts them once.

Else six workers start six browsers with an installation each, or five brokers to be killed, and keep them.
"""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

_TESTS = Path(__file__).parents[1]
_BROWSER = "tests/browser"
_BREAKABLE = "breakable"


class FilesByServers(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """pytest's `--dist loadfile`, but all files of the browser are as one, and those that break servers."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(super()._split_scope(nodeid))


@cache
def group_of(file: str) -> str:
    """The group that a test file belongs to, by a name: mostly its own.

    Args:
        file: its path from the checkout.
    """
    if file.startswith(f"{_BROWSER}/"):
        return _BROWSER
    path = _TESTS.parent / file
    if _BREAKABLE in path.read_text(encoding="utf-8"):
        return _BREAKABLE
    return file
