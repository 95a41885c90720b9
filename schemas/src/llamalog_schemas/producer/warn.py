"""Say once where in the caller's code a job names a parent and no root."""

import sys
import warnings
from types import FrameType

Site = tuple[str, int]
"""A file and a line of it."""

_PACKAGE = __name__.rpartition(".")[0] + "."
_told: set[Site] = set()


class UnknownRootWarning(UserWarning):
    """A job has a parent and no known root: hand the root down, or the log waits for the parent's events."""


def warn_of_unknown_root(job_id: str | None, parent_id: str, site: Site | None = None) -> None:
    """Warn, once a call site; `PYTHONWARNINGS=ignore::UserWarning` silences it.

    Args:
        job_id: the child.
        parent_id: the job that started it.
        site: where in the caller's code it is named, if nothing of that is on the stack.
    """
    site = site or _call_site()
    if site in _told:
        return
    _told.add(site)
    file, line = site
    warnings.warn_explicit(
        f"job {job_id or '(none)'} was started by {parent_id}, whose root is not known here: its rows have "
        "no root until that job's own events are seen. Hand the root down: enter the parent with "
        "`with log.job(…)`, send `job.headers()`, or name `rootJobId` in the payload",
        UnknownRootWarning,
        file,
        line,
    )


def _call_site() -> Site:
    """The innermost frame that is not of this package."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith(_PACKAGE):
        frame = frame.f_back
    return ("<unknown>", 0) if frame is None else (frame.f_code.co_filename, frame.f_lineno)
