"""A data directory's lock, held by one owner at a time and its programs, and the ports of its servers."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import psutil

from llamalog_tools.devstack.errors import DataDirBusyError, LocalStackError

HOST = "127.0.0.1"

# Below the range from which the kernel takes the ports of outgoing connections: a client that keeps trying
# to reach a broker which is down could otherwise be given the broker's own port, and hold it.
_LOWEST, _HIGHEST = 20_000, 31_999
_TRIES = 200


def is_free(port: int) -> bool:
    """True if a server could listen on the port now (connections in TIME_WAIT don't hinder one)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def is_reachable(host: str, port: int, timeout: float = 5.0) -> bool:
    """True if something accepts connections at host:port within `timeout` seconds."""
    try:
        with socket.create_connection((host, port), timeout=timeout):
            return True
    except OSError:
        return False


class RememberedPorts:
    """Named ports, kept in a small JSON file so that printed addresses go on working after a restart."""

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        self._file = file
        self._names = tuple(names)

    def take(self, notify: Callable[[str], None]) -> dict[str, int]:
        """The ports by name: those of the last time where they are free, new ones where they aren't."""
        last = self._load()
        ports: dict[str, int] = {}
        for name in self._names:
            known = last.get(name)
            if known is not None and is_free(known):
                ports[name] = known
                continue
            ports[name] = _new_port(taken=ports.values())
            if known is not None:
                notify(f"Port {known} ({name}) is taken by another process; using {ports[name]} from now on.")
        self._file.write_text(json.dumps(ports))
        return ports

    def _load(self) -> dict[str, int]:
        try:
            return {name: int(port) for name, port in json.loads(self._file.read_text()).items()}
        except (OSError, ValueError, AttributeError):
            return {}


def _new_port(taken: Collection[int]) -> int:
    for _ in range(_TRIES):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST + 1)
        if port not in taken and is_free(port):
            return port
    raise LocalStackError(f"No free port was found on {HOST} between {_LOWEST} and {_HIGHEST}.")


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
        """Take the lock; if it is held here already, wait until it is held by no other process too.

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
        for number, line in enumerate(self._file.read_text().splitlines()):
            pid, born, name = line.split(" ", 2)
            if _born(int(pid)) == born != _GONE:
                holders.append((int(pid), name))
                starter_lives = starter_lives or number == 0
        return starter_lives, holders


def _born(pid: int) -> str:
    """The start time of a process, as text: with the pid it names one process. `_GONE` if it has ended."""
    try:
        process = psutil.Process(pid)
        return _GONE if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.Error:
        return _GONE
