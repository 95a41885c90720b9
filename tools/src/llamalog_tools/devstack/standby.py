"""A streaming replica of a local PostgreSQL, which can take its place."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import ClassVar

from llamalog_tools.devstack.postgres import LocalPostgres
from llamalog_tools.devstack.server import Notify, ignore

STANDBY = "standby"
"""The replica's name in the primary's `synchronous_standby_names` and `pg_stat_replication`."""


class PostgresStandby(LocalPostgres):
    """A hot standby on 127.0.0.1 that follows a running primary until it is promoted.

    Its first start copies the primary, which takes about a second; user, password and databases are the same.

    Args:
        folder: for its data and log.
        primary: running; it is asked for the log from then on.
        notify: gets a line whenever there is something for people to know.
    """

    name = "PostgreSQL's standby"
    ready_states: ClassVar[frozenset[str]] = frozenset({"ready", "standby"})

    def __init__(self, folder: Path, primary: LocalPostgres, notify: Notify = ignore) -> None:
        super().__init__(folder, fast=primary.fast, notify=notify)
        self._primary = primary

    def promote(self) -> None:
        """Make it a primary of its own; returns once it takes writes.

        Raises:
            ProcessEndedError: it could not be promoted.
        """
        self._run("pg_ctl", "promote", "--pgdata", str(self._data), "--wait")

    def _make_password(self) -> None:
        shutil.copy2(self._primary.folder / self.password_file.name, self.password_file)

    def _make_cluster(self) -> None:
        half = self.folder / "data.half"
        shutil.rmtree(half, ignore_errors=True)
        self._run(
            "pg_basebackup",
            *("--dbname", f"{self._primary.url}?application_name={STANDBY}"),
            *("--pgdata", str(half), "--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream"),
            *(("--no-sync",) if self.fast else ()),
        )
        half.rename(self._data)
