"""Folders in memory for the data of a test run's servers, on a machine that has plenty of it.

A database of a test's own is a copy of 300 files: to make and drop it takes PostgreSQL 34 to 140 ms of CPU on
a disk's file system, and 22 ms in memory.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

import psutil

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_FREE: Final = 12 * 1024**3
"""Left by other programs, for the tests themselves and their data, a log of a million rows among it."""

_PREFIX: Final = "llamalog-tests-"


@contextmanager
def fast_folder(otherwise: Path) -> Iterator[Path]:
    """A new folder in memory, gone in the end; where memory is scarce, the given one."""
    if not _is_plenty():
        yield otherwise
        return
    _remove_abandoned()
    folder = Path(mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_plenty() -> bool:
    return (
        os.access(_MEMORY, os.W_OK)
        and shutil.disk_usage(_MEMORY).free >= _FREE
        and psutil.virtual_memory().available >= _FREE
    )


def _remove_abandoned() -> None:
    """Remove the folders of killed processes; no later run would."""
    for folder in _MEMORY.glob(f"{_PREFIX}*"):
        pid = int(folder.name.removeprefix(_PREFIX).partition("-")[0])
        if not psutil.pid_exists(pid):
            shutil.rmtree(folder, ignore_errors=True)
