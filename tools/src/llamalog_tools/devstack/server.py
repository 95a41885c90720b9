"""The life of a program that keeps data in a folder: start, stop, kill, restart. The same for all of them."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from llamalog_tools.devstack.data_dir import DataDirLock, RememberedPorts, is_free
from llamalog_tools.devstack.errors import LocalStackError, ProcessEndedError
from llamalog_tools.devstack.process import SAME_USER, OsUser, OwnedProcess, dies_with_starter
from llamalog_tools.devstack.restarts import Restarts

Notify = Callable[[str], None]

_PORT_ATTEMPTS = 3


def ignore(_: str) -> None:
    """The default `notify`: drops the line."""


@dataclass(frozen=True)
class Command:
    """The command line of the program on its ports."""

    words: Sequence[str]
    env: Mapping[str, str] | None = None
    user: OsUser = SAME_USER


class OwnedService(ABC):
    """A server of our own on 127.0.0.1, whose data is in `folder` and which no second starter can touch.

    Subclasses define how it is prepared, started, recognised as ready, and stopped.
    """

    name: str
    durable: ClassVar[bool]
    port_names: tuple[str, ...]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    death_signal: ClassVar[str] = "KILL"
    start_seconds: ClassVar[float] = 180.0
    stop_seconds: ClassVar[float] = 20.0

    def __init__(self, folder: Path, notify: Notify = ignore) -> None:
        self.folder = folder.absolute()
        self._notify = notify
        self._lock = DataDirLock(self.folder)
        self._remembered = RememberedPorts(self.folder / "ports.json", self.port_names)
        self._ports: dict[str, int] = {}
        self._process: OwnedProcess | None = None
        self._restarts = Restarts(notify)

    @property
    def pid(self) -> int:
        """The pid of the running server.

        Raises:
            LocalStackError: it does not run.
        """
        if self._process is None:
            raise LocalStackError(f"{self.name} in {self.folder} is not started.")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """True from its start until it is ended, or ends by itself."""
        return self._process is not None and self._process.is_running()

    def restart_ended(self) -> None:
        """Start the server on its data again if it has ended by itself; else do nothing.

        Raises:
            ProcessEndedError: it ended again and again, or its data ended with it.
            LocalStackError: it could not be started at its address.
        """
        ended = self._process
        if ended is None or ended.is_running():
            return
        if not self.durable:
            raise ended.error("what it held in memory is gone with it, so that all has to begin anew")
        self._restarts.count(ended)
        ports = self._ports
        self.start()
        self._notify(f"{self.name} serves again.")
        if self._ports != ports:
            raise LocalStackError(
                f"{self.name} was started again, at another port, which its clients do not know. "
                "Start all of them again."
            )

    def port(self, name: str) -> int:
        """One of the server's ports, once started.

        Raises:
            LocalStackError: it was never started.
        """
        if name not in self._ports:
            raise LocalStackError(f"{self.name} in {self.folder} is not started.")
        return self._ports[name]

    @property
    def log(self) -> Path:
        """The file that the server writes its log to."""
        return self.folder / "server.log"

    def start(self) -> None:
        """Start the server on its data and wait until it serves; does nothing if it runs.

        Raises:
            DataDirBusyError: an earlier start's processes, or another starter, still use the data.
            LocalStackError: it could not be started; the message has the end of its log.
        """
        if self.is_running:
            return
        self._take_folder()
        try:
            self._prepare()
            self._start_on_free_ports()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the server in good order; does nothing if it does not run."""
        if self._process is not None and not self._process.stop(self.stop_signal, self.stop_seconds):
            self._notify(f"{self.name} did not end within {self.stop_seconds:.0f} s and was killed.")
        self._forget()

    def kill(self) -> None:
        """End the server as a crash would (SIGKILL), with everything that it started."""
        if self._process is not None:
            self._process.kill()
        self._forget()

    def freeze(self) -> None:
        """Suspend the server with everything that it started: it keeps its ports and answers nothing."""
        if self._process is not None:
            self._process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        if self._process is not None:
            self._process.signal(signal.SIGCONT)

    def restart(self) -> None:
        """Stop and start, on the same data and, if it is still free, the same port."""
        self.stop()
        self.start()

    @abstractmethod
    def _prepare(self) -> None:
        """Make what the first start needs; the lock is held."""

    @abstractmethod
    def _command(self, ports: Mapping[str, int]) -> Command: ...

    @abstractmethod
    def _is_ready(self, process: OwnedProcess, ports: Mapping[str, int]) -> bool:
        """True when this very process serves; never true for another's listener on the port."""

    def _take_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except OSError as refused:
            raise LocalStackError(
                f"{self.name} cannot keep its data in {self.folder}: {refused.strerror}. "
                "Choose another data directory, or make this one yours."
            ) from refused

    def _start_on_free_ports(self) -> None:
        if not dies_with_starter():
            self._notify(
                f"{self.name} would go on running if this process were killed: `setpriv` is missing."
            )
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            ports = self._take_ports()
            try:
                self._start_on(ports)
            except ProcessEndedError:
                self._process = None
                lost_a_race = not all(is_free(port) for port in ports.values())
                if not lost_a_race or attempt == _PORT_ATTEMPTS:
                    raise
            else:
                self._ports = ports
                return

    def _take_ports(self) -> dict[str, int]:
        return self._remembered.take(self._notify)

    def _start_on(self, ports: Mapping[str, int]) -> None:
        command = self._command(ports)
        process = self._process = OwnedProcess(
            self.name,
            command.words,
            log=self.log,
            user=command.user,
            env=command.env,
            inherit=(self._lock.fd,),
            death_signal=self.death_signal,
        )
        self._lock.note(process.pid, self.name)
        process.wait_until(lambda: self._is_ready(process, ports), self.start_seconds)

    def _forget(self) -> None:
        self._process = None
        self._lock.release()
