"""One owner at a time for a data directory, also after the owner was killed."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import psutil

from llamalog_tools.devstack.errors import DataDirBusyError, LocalStackError

# How long the programs of a starter that was killed may take to die before they count as left behind.
_DYING_SECONDS = 8.0
_GONE = "-"


class DataDirLock:
    """A lock file in `folder`, locked by flock and inherited by every program started on the data.

    Because the programs inherit it, the lock is free only when the last of them has ended: a starter that
    was killed cannot leave a database behind which a second start would not notice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "lock"
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """The descriptor that programs inherit."""
        if self._fd is None:
            raise LocalStackError(f"The lock of {self._folder} is not held.")
        return self._fd

    def acquire(self) -> None:
        """Take the lock; if it is held here already, wait until nobody else holds it too.

        Raises:
            DataDirBusyError: another process holds it, named by pid.
        """
        was_ours = self._fd is not None
        self.release()
        fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._flock(fd, was_ours)
        except BaseException:
            os.close(fd)
            raise
        os.ftruncate(fd, 0)
        self._fd = fd
        self.note(os.getpid(), "its starter")

    def note(self, pid: int, name: str) -> None:
        """Write down a process that works on the data, for the message of a second start."""
        os.pwrite(self.fd, f"{pid} {_born(pid)} {name}\n".encode(), os.fstat(self.fd).st_size)

    def release(self) -> None:
        """Let go; the programs must have ended."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _flock(self, fd: int, was_ours: bool) -> None:
        deadline = time.monotonic() + _DYING_SECONDS
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                starter_lives, holders = self._holders()
                if (starter_lives and not was_ours) or time.monotonic() > deadline:
                    raise DataDirBusyError(self._folder, holders) from None
                time.sleep(0.05)
            else:
                return

    def _holders(self) -> tuple[bool, list[tuple[int, str]]]:
        starter_lives = False
        holders: list[tuple[int, str]] = []
        for place, line in enumerate(self._file.read_text().splitlines()):
            pid, born, name = line.split(" ", 2)
            if _born(int(pid)) == born != _GONE:
                holders.append((int(pid), name))
                starter_lives = starter_lives or place == 0
        return starter_lives, holders


def _born(pid: int) -> str:
    """When the process began, as text: a pid with it names one process for good. `_GONE` if it has ended."""
    try:
        process = psutil.Process(pid)
        return _GONE if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return _GONE
