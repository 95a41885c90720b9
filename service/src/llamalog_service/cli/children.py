"""The two consumers as processes of `llamalog up`: started, watched, and stopped in good order."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from llamalog_service.settings import Settings, setting_name
from llamalog_service.stack.process import OwnedProcess

_STOP_SECONDS = 40.0
"""The batch in hand may take as long as its patience with PostgreSQL and Kafka; then it is rolled back."""

_COMMANDS = {"provenance consumer": "consumer", "migration consumer": "migrator"}


class Consumers:
    """One provenance consumer and one migration consumer; they end when this process does, however it ends.

    Args:
        logs: the folder for their log files.
        settings: of the installation that they are part of.
        say: gets a line when one is stopped.
    """

    def __init__(self, logs: Path, settings: Settings, say: Callable[[str], None]) -> None:
        self.logs = {name: logs.absolute() / f"{command}.log" for name, command in _COMMANDS.items()}
        self._settings = settings
        self._say = say
        self._running: list[OwnedProcess] = []

    def start(self) -> None:
        """Start both; they wait by themselves for what is not there yet."""
        for name, command in _COMMANDS.items():
            words = [sys.executable, "-m", "llamalog_service", command]
            self._running.append(
                OwnedProcess(f"The {name}", words, log=self.logs[name], env=_environment(self._settings))
            )

    def check_running(self) -> None:
        """Do nothing while both run.

        Raises:
            ProcessEndedError: one has ended by itself; the message has the end of its log.
        """
        for process in self._running:
            process.check_running()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the provenance consumer first: what it asks for last, the other one still keeps."""
        for process in self._running:
            in_good_order = process.stop(signal.SIGTERM, _STOP_SECONDS)
            self._say(f"{process.name} {'has stopped' if in_good_order else 'had to be killed'}.")


def _environment(settings: Settings) -> dict[str, str]:
    """Ours with these settings, and no other ones, in it."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(setting_name(""))}
    return others | settings.as_environment()
