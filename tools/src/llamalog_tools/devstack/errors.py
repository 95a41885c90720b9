"""Errors of the local stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from llamalog_service.domain.errors import LlamalogError


class LocalStackError(LlamalogError):
    """A failure of the local stack; the message has the reason and what to do."""


class DataDirBusyError(LocalStackError):
    """The data in {folder} is in use by other processes, whose pids the message names."""

    def __init__(self, folder: Path, holders: Sequence[tuple[int, str]]) -> None:
        self.folder = folder
        self.pids = tuple(pid for pid, _ in holders)
        who = ", ".join(f"process {pid} ({name})" for pid, name in holders) or "a process that left no pid"
        first = f" (kill {self.pids[0]})" if self.pids else ""
        super().__init__(
            f"The data in {folder} is in use by {who}. Nothing was started or changed. "
            f"End it first{first}, or choose another data directory."
        )


class ApacheKafkaUnavailableError(LocalStackError):
    """Apache Kafka cannot run on this machine; the message is the reason, one sentence."""


class ProcessEndedError(LocalStackError):
    """A started program ended, or was not ready in time; the message carries the end of its log."""


def missing_package(package: str) -> LocalStackError:
    """The error for a package that comes with llamalog-tools and is not there."""
    return LocalStackError(
        f"The local stack needs the package {package}, which is not installed: pip install llamalog-tools."
    )
