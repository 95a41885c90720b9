"""The codes that a command ends with which has waited for a run's end."""

from typing import Final

COMPLETED: Final = 0
ERROR: Final = 1
"""Nothing is known of the run's end: something was away, or it was asked for what can't be."""

USAGE: Final = 2
FAILED: Final = 3
"""The run failed: its counts were not as expected, or did not add up; the report says which."""

CANCELLED: Final = 4
INTERRUPTED: Final = 130
"""Ctrl-C, as shells tell it."""

_BY_STATUS: Final = {"completed": COMPLETED, "failed": FAILED, "cancelled": CANCELLED}


def code_of(status: str) -> int:
    """The code for a run that has ended."""
    return _BY_STATUS[status]
