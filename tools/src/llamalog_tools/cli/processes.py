"""The API and the two consumers as child processes: started, watched, stopped in good order."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from llamalog_service.domain.errors import RESTART_CURES_NOTHING
from llamalog_service.settings import Settings, setting_name
from llamalog_tools.devstack.data_dir import RememberedPorts
from llamalog_tools.devstack.process import OwnedProcess
from llamalog_tools.devstack.restarts import Restarts

_STOP_SECONDS = 40.0
"""The batch in flight may take as long as its timeout with PostgreSQL and Kafka; then it is rolled back."""

_COMMANDS = {"API": "api", "provenance consumer": "consumer", "migration consumer": "migration-consumer"}


class ServiceProcesses:
    """The API, a provenance and a migration consumer; they end when this process does, however it ends.

    Args:
        logs: the folder for their log files, and a file with the pid of each.
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
        self._restarts = Restarts(notify, incurable=RESTART_CURES_NOTHING)

    def start(self) -> None:
        """Start all; they retry by themselves while something is away."""
        for name in _COMMANDS:
            self._start(name)

    def _start(self, name: str) -> None:
        words = [sys.executable, "-m", "llamalog_service", _COMMANDS[name]]
        process = OwnedProcess(f"The {name}", words, log=self.logs[name], env=_environment(self._settings))
        self._running[name] = process
        self._pid_file(name).write_text(f"{process.pid}\n")

    def _pid_file(self, name: str) -> Path:
        return self.logs[name].with_suffix(".pid")

    def restart_ended(self) -> None:
        """Start those again that have ended; do nothing while all run.

        Raises:
            ProcessEndedError: one has ended for a reason that a restart does not cure, or again and again;
                the message has the end of its log.
        """
        for name, process in list(self._running.items()):
            if not process.is_running():
                self._restarts.count(process)
                self._start(name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the migration consumer last: it still keeps the commands of the others."""
        for name, process in self._running.items():
            in_good_order = process.stop(signal.SIGTERM, _STOP_SECONDS)
            self._pid_file(name).unlink(missing_ok=True)
            self._notify(f"{process.name} {'has stopped' if in_good_order else 'had to be killed'}.")


def _environment(settings: Settings) -> dict[str, str]:
    """Ours with these settings, and no other ones, in it."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(setting_name(""))}
    return others | settings.as_environment()
