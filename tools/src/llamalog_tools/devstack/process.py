"""Programs of our own as child processes that cannot outlive their starter."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from llamalog_tools.devstack.errors import ProcessEndedError


@dataclass(frozen=True)
class OsUser:
    """The user that a program runs as.

    Attributes:
        prefix: words before the program's command line.
        uid, gid: the ids that it changes to; None: it keeps ours.
    """

    prefix: tuple[str, ...] = ()
    uid: int | None = None
    gid: int | None = None


SAME_USER = OsUser()

# Refuses to go on if the starter died before the kernel watched it.
_STARTER_STILL_LIVES = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"'

_ROTATE_BYTES = 5_000_000


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    user: OsUser = SAME_USER,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    inherit: Sequence[int] = (),
    death_signal: str = "KILL",
) -> subprocess.Popen[bytes]:
    """Start a program whose output is appended to `log`, in a session of its own.

    On Linux the kernel sends it `death_signal` when this process dies, however it dies. The pid of the
    result is the program's own: the programs before it on the command line replace themselves by it.

    Args:
        command: the program and its arguments.
        log: the file for its output.
        user: as whom it runs.
        env: its environment; None: ours.
        stdin: as for subprocess.
        inherit: file descriptors that stay open in it.
        death_signal: name of the signal, without SIG.
    """
    words = [*user.prefix, *_tied_to_starter(death_signal), *command]
    with log.open("ab") as output:
        return _on_lasting_thread(
            lambda: subprocess.Popen(
                words,
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd="/",
                start_new_session=True,
                pass_fds=tuple(inherit),
                user=user.uid,
                group=user.gid,
                extra_groups=None if user.uid is None else [],
            )
        )


def rotate_log(log: Path) -> int:
    """Rename a log of over 5 MB; returns the size of the log now, where the next output begins."""
    if not log.exists():
        return 0
    if log.stat().st_size > _ROTATE_BYTES:
        log.replace(log.with_name(log.name + ".1"))
        return 0
    return log.stat().st_size


def dies_with_starter() -> bool:
    """False where the system has no means for it (no Linux, no util-linux)."""
    return _setpriv() is not None


def _tied_to_starter(death_signal: str) -> list[str]:
    setpriv = _setpriv()
    if setpriv is None:
        return []
    watch = [setpriv, "--pdeathsig", death_signal]
    return [*watch, "/bin/sh", "-c", _STARTER_STILL_LIVES, "sh", str(os.getpid())]


def _setpriv() -> str | None:
    return shutil.which("setpriv")


# The kernel watches the *thread* that started a program. So all programs are started by one thread that
# lives as long as the process: a stack may then be started in a worker thread that ends.
_Job = tuple[Callable[[], subprocess.Popen[bytes]], "Future[subprocess.Popen[bytes]]"]
_jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
_thread_of_pid: dict[int, threading.Thread] = {}
_making_thread = threading.Lock()


def _on_lasting_thread(start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    with _making_thread:
        if os.getpid() not in _thread_of_pid:
            thread = threading.Thread(target=_work, name="llamalog-stack-spawner", daemon=True)
            thread.start()
            _thread_of_pid[os.getpid()] = thread
    started: Future[subprocess.Popen[bytes]] = Future()
    _jobs.put((start, started))
    return started.result()


def _work() -> None:
    while True:
        start, started = _jobs.get()
        try:
            started.set_result(start())
        except BaseException as failure:
            started.set_exception(failure)


_POLL_SECONDS = 0.02
_TAIL_LINES = 12


class OwnedProcess:
    """A program that runs until it is ended here, with a log file whose end goes into error messages."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        log: Path,
        user: OsUser = SAME_USER,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        inherit: Sequence[int] = (),
        death_signal: str = "KILL",
    ) -> None:
        """Start the program; the arguments are those of `spawn`."""
        self.name = name
        self.log = log
        self._log_start = rotate_log(log)
        self._popen = spawn(
            command,
            log=log,
            user=user,
            env=env,
            stdin=stdin,
            inherit=inherit,
            death_signal=death_signal,
        )
        self.pid = self._popen.pid

    def is_running(self) -> bool:
        """True until the program has ended."""
        return self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while the program runs."""
        return self._popen.poll()

    def check_running(self) -> None:
        """Do nothing while the program runs.

        Raises:
            ProcessEndedError: it has ended; the message has the end of its log.
        """
        if not self.is_running():
            raise self.error()

    @property
    def ending(self) -> str:
        """The program's name and how it ended, the beginning of a sentence; only after its end."""
        code = self._popen.returncode
        by = f" ({signal.Signals(-code).name})" if code < 0 else ""
        return f"{self.name} ended with code {code}{by}"

    def error(self, remark: str | None = None) -> ProcessEndedError:
        """The error that the program has ended, with a remark and the end of its log."""
        return ProcessEndedError(self._with_log(f"{self.ending}; {remark}" if remark else self.ending))

    def output(self) -> str:
        """The output of the program since its start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def listens_on(self, port: int) -> bool:
        """True if this very process owns the socket that listens on the port.

        A port that answers proves nothing: another user's server may be behind it.
        """
        try:
            sockets = psutil.Process(self.pid).net_connections(kind="tcp")
        except psutil.NoSuchProcess:
            return False
        return any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets)

    def wait_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Wait until `is_ready()`.

        Raises:
            ProcessEndedError: the program ended first, or was not ready in time and was killed.
        """
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.check_running()
            if time.monotonic() > deadline:
                self.kill()
                raise ProcessEndedError(
                    self._with_log(f"{self.name} was not ready after {seconds:.0f} s and was ended")
                )
            time.sleep(_POLL_SECONDS)

    def wait_until_ended(self, seconds: float) -> None:
        """Wait until the program has ended well.

        Raises:
            ProcessEndedError: it failed, or still runs after `seconds`.
        """
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessEndedError(
                self._with_log(f"{self.name} was not done after {seconds:.0f} s")
            ) from None
        if code != 0:
            raise ProcessEndedError(self._with_log(f"{self.name} failed with code {code}"))

    def stop(self, by: signal.Signals, seconds: float) -> bool:
        """Stop the program, and kill it after `seconds`; True if it ended by itself."""
        if self.is_running():
            self._popen.send_signal(by)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and then to everything it started."""
        for member in self._family():
            with suppress(psutil.NoSuchProcess):
                member.send_signal(number)

    def kill(self) -> None:
        """End the program and everything it started, at once; returns when all of it is gone."""
        family = self._family()
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        self._popen.wait()
        while any(_lives(member) for member in family):
            time.sleep(_POLL_SECONDS)

    def _family(self) -> list[psutil.Process]:
        if not self.is_running():
            return []  # its pid may be another program's by now
        try:
            program = psutil.Process(self.pid)
            return [program, *program.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _with_log(self, sentence: str) -> str:
        tail = "\n".join(self.output().splitlines()[-_TAIL_LINES:])
        return f"{sentence}. The end of its log, {self.log}:\n{tail}"


def run_to_end(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    seconds: float,
    user: OsUser = SAME_USER,
    env: Mapping[str, str] | None = None,
    inherit: Sequence[int] = (),
    stdin: Path | None = None,
) -> None:
    """Run a program to its end, with the contents of `stdin` as its input.

    Raises:
        ProcessEndedError: it failed, or was still running after `seconds` and was killed.
    """
    with (stdin or Path(os.devnull)).open("rb") as source:
        program = OwnedProcess(
            name, command, log=log, user=user, env=env, stdin=source.fileno(), inherit=inherit
        )
    try:
        program.wait_until_ended(seconds)
    except BaseException:
        program.kill()
        raise


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
