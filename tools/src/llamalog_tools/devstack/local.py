"""PostgreSQL and Kafka together, on one's own machine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from llamalog_tools.devstack.choose import Broker, choose_kafka
from llamalog_tools.devstack.errors import LocalStackError
from llamalog_tools.devstack.given import GivenPostgres
from llamalog_tools.devstack.options import StackOptions
from llamalog_tools.devstack.postgres import LocalPostgres
from llamalog_tools.devstack.service import OwnedService, Say, silent


class LocalStack:
    """A PostgreSQL and a Kafka, started together and stopped together.

    Use it as a context manager, or call `start` and `stop`. Whatever happens to this process, what it
    started ends with it; what was given stays.

    Args:
        data_dir: for the data of both; a second stack on the same data works on what the first left.
        options: what to use instead; None: what the environment says.
        fast: for tests, PostgreSQL does not wait for the disk.
        say: gets the lines for people as they arise; `notes` keeps them.
    """

    def __init__(
        self,
        data_dir: Path,
        options: StackOptions | None = None,
        *,
        fast: bool = False,
        say: Say = silent,
    ) -> None:
        self.notes: list[str] = []
        self._tell = say
        self._kafka: Broker | None = None
        self._data_dir = data_dir.absolute()
        self._options = options if options is not None else StackOptions.from_environment()
        url = self._options.database_url
        self.postgres: LocalPostgres | GivenPostgres = (
            GivenPostgres(url) if url else LocalPostgres(self._data_dir / "postgres", fast, self._say)
        )

    @property
    def kafka(self) -> Broker:
        """The broker that was chosen.

        Raises:
            LocalStackError: the stack was never started.
        """
        if self._kafka is None:
            raise LocalStackError(f"The local stack in {self._data_dir} is not started.")
        return self._kafka

    def start(self) -> None:
        """Choose a broker and start both servers; all or nothing.

        Raises:
            LocalStackError: one of them could not be started, and why.
        """
        kafka = self._kafka = choose_kafka(self._data_dir, self._options, self._say)
        with ThreadPoolExecutor(1) as other_thread:
            postgres = other_thread.submit(self.postgres.start)
            try:
                kafka.start()
                postgres.result()
            except BaseException:
                postgres.exception()
                self.stop()
                raise

    def check_running(self) -> None:
        """Do nothing while what was started here runs; what was given is not looked at.

        Raises:
            ProcessEndedError: one of the servers has ended by itself.
        """
        for server in (self._kafka, self.postgres):
            if isinstance(server, OwnedService):
                server.check_running()

    def stop(self) -> None:
        """Stop what was started here, Kafka first: nothing may arrive that cannot be written down."""
        try:
            if self._kafka is not None:
                self._kafka.stop()
        finally:
            self.postgres.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _say(self, line: str) -> None:
        self.notes.append(line)
        self._tell(line)
