"""Restarts of programs that ended by themselves, bounded within a time."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection

from llamalog_tools.devstack.process import OwnedProcess

_RESTARTS = 5
_SECONDS = 60.0


class Restarts:
    """Decides whether programs that ended are started again: each five times within a minute at most.

    Args:
        notify: gets a line before each restart.
        incurable: exit codes after which a program is not started again.
    """

    def __init__(self, notify: Callable[[str], None], incurable: Collection[int] = ()) -> None:
        self._notify = notify
        self._incurable = incurable
        self._times: defaultdict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_RESTARTS))

    def count(self, ended: OwnedProcess) -> None:
        """Count a restart that follows, and announce it.

        Raises:
            ProcessEndedError: the program is not to be started again; the message has the end of its log.
        """
        if ended.exit_code in self._incurable:
            raise ended.error("a restart does not cure that")
        times, now = self._times[ended.name], time.monotonic()
        if len(times) == _RESTARTS and now - times[0] < _SECONDS:
            raise ended.error(f"it was restarted {_RESTARTS} times within {_SECONDS:.0f} s")
        times.append(now)
        self._notify(f"{ended.ending} and is started again. Its log: {ended.log}")
