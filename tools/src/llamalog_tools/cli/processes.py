"""The API and the two consumers as child processes: started, watched, stopped in good order."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from llamalog_service.domain.errors import RESTART_CURES
from llamalog_service.settings import Settings, setting_name
from llamalog_tools.devstack.data_dir import RememberedPorts
from llamalog_tools.devstack.process import OwnedProcess

_STOP_SECONDS = 40.0
"""The batch in flight may take as long as its timeout with PostgreSQL and Kafka; then it is rolled back."""

_COMMANDS = {"API": "api", "provenance consumer": "consumer", "migration consumer": "migration-consumer"}

_RESTART_SECONDS = 30.0
"""A process that ends again within so many seconds of a restart was not cured by it."""


class ServiceProcesses:
    """The API, a provenance and a migration consumer; they end when this process does, however it ends.

    Args:
        logs: the folder for their log files.
        settings: of the installation that they are part of.
        notify: gets a line when one is stopped, or restarted.

    Attributes:
        logs: the log file of each, by its name.
        addresses: the URLs of their health and metrics, by name.
        pages: the URL of the pages.
    """

    def __init__(self, logs: Path, settings: Settings, notify: Callable[[str], None]) -> None:
        self.logs = {name: logs.absolute() / f"{command}.log" for name, command in _COMMANDS.items()}
        ports = RememberedPorts(logs.absolute() / "ports.json", tuple(_COMMANDS.values())).take(notify)
        self._settings = settings.model_copy(
            update={f"{command.replace('-', '_')}_port": port for command, port in ports.items()}
        )
        hosts = dict.fromkeys(_COMMANDS.values(), settings.monitoring_host) | {"api": settings.api_host}
        self.addresses = {
            name: f"http://{hosts[command]}:{ports[command]}" for name, command in _COMMANDS.items()
        }
        self.pages = f"{self.addresses['API']}/ui"
        self._notify = notify
        self._running: dict[str, OwnedProcess] = {}
        self._restarted: dict[str, float] = {}

    def start(self) -> None:
        """Start all; they retry by themselves while something is away."""
        for name in _COMMANDS:
            self._start(name)

    def _start(self, name: str) -> None:
        words = [sys.executable, "-m", "llamalog_service", _COMMANDS[name]]
        self._running[name] = OwnedProcess(
            f"The {name}", words, log=self.logs[name], env=_environment(self._settings)
        )

    def check_running(self) -> None:
        """Do nothing while all run; restart one that ended for a reason which a restart cures.

        Raises:
            ProcessEndedError: one has ended otherwise, or again; the message has the end of its log.
        """
        for name, process in self._running.items():
            now = time.monotonic()
            is_cured = now - self._restarted.get(name, -_RESTART_SECONDS) >= _RESTART_SECONDS
            if process.exit_code in RESTART_CURES and is_cured:
                self._notify(
                    f"{process.name} ended with code {process.exit_code} and was started again; "
                    f"{self.logs[name]} has the reason."
                )
                self._restarted[name] = now
                self._start(name)
                return
            process.check_running()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the migration consumer last: it still keeps the commands of the others."""
        for process in self._running.values():
            in_good_order = process.stop(signal.SIGTERM, _STOP_SECONDS)
            self._notify(f"{process.name} {'has stopped' if in_good_order else 'had to be killed'}.")


def _environment(settings: Settings) -> dict[str, str]:
    """Ours with these settings, and no other ones, in it."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(setting_name(""))}
    return others | settings.as_environment()
