"""The machine beneath a bench: its load, and how much of its cores other programs take meanwhile."""

import os
import time
from typing import Any, Self

import psutil

_IDLE = ("idle", "iowait", "steal")


class OtherPrograms:
    """The cores that other programs than those of the bench keep busy, from now on."""

    def __init__(self, began: float, busy: float) -> None:
        self._began = began
        self._busy = busy

    @classmethod
    def watched(cls) -> Self:
        """Begin to watch."""
        return cls(time.monotonic(), _busy_seconds())

    def cores(self, own: float) -> float:
        """How many cores they kept busy, beside the bench's own processes.

        Args:
            own: CPU seconds that the bench's processes took.
        """
        busy = _busy_seconds() - self._busy - own
        return max(0.0, busy / (time.monotonic() - self._began))


def load() -> float:
    """The load of the last minute, as the kernel gives it: with the bench's own processes."""
    return os.getloadavg()[0]


def _busy_seconds() -> float:
    times: Any = psutil.cpu_times()
    idle = sum(getattr(times, name, 0.0) for name in _IDLE)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted as user time, too
    return float(sum(times) - idle - guests)
