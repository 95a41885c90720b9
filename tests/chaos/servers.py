"""The servers that faults strike: one PostgreSQL and one broker, or what a fault needs instead."""

import errno
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from enum import Enum
from pathlib import Path

from llamalog_service.domain.errors import LlamalogError
from llamalog_tools.devstack import LocalStack, StackOptions

_DISK_MEGABYTES = 400
_BALLAST = "ballast"


class Servers(Enum):
    """The kinds of servers."""

    ONE_OF_EACH = "one broker, one PostgreSQL"
    PROXIED = "a broker that its clients reach by way of a wire"
    THREE_BROKERS = "three brokers: three copies of a message, two in sync"
    SMALL_DISKS = f"each of both on a file system of {_DISK_MEGABYTES} MB"


class NoSmallDisksError(LlamalogError):
    """This machine lets this user mount no file system."""


@contextmanager
def started(servers: Servers, folder: Path, notify: Callable[[str], None]) -> Iterator[LocalStack]:
    """Servers of a kind, with their data in a folder, until the context ends.

    Raises:
        LocalStackError: they could not be started.
        NoSmallDisksError: they need a file system, which this user may not mount.
    """
    options = replace(
        StackOptions.from_environment(),
        kafka=None,
        database_url=None,
        require_apache=True,
        replicated=servers is Servers.THREE_BROKERS,
        proxied=servers is Servers.PROXIED,
    )
    with ExitStack() as held:
        if servers is Servers.SMALL_DISKS:
            for name in ("postgres", "kafka"):
                held.enter_context(_small_disk(folder / name))
        yield held.enter_context(LocalStack(folder, options, notify=notify))


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "chaos", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        raise NoSmallDisksError(f"No file system can be mounted here: {mounted.stderr.strip()}.")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Leave no byte free in the file system of a folder; again, if some were freed meanwhile."""
    with (folder / _BALLAST).open("ab", buffering=0) as ballast:
        for size in (1024 * 1024, 4096):
            try:
                while ballast.write(bytes(size)) == size:
                    pass
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise


def empty(folder: Path) -> None:
    """Give the space back."""
    (folder / _BALLAST).unlink()
