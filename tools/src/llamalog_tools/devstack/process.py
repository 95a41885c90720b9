"""A started program: wait until it is ready, prove that it is the one that listens, end it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from llamalog_tools.devstack.account import SELF, Account
from llamalog_tools.devstack.errors import ProcessEndedError
from llamalog_tools.devstack.spawn import set_aside_if_long, spawn

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
        account: Account = SELF,
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        inherit: Sequence[int] = (),
        death_signal: str = "KILL",
    ) -> None:
        """Start the program; the arguments are those of `spawn`."""
        self.name = name
        self._log = log
        self._log_start = set_aside_if_long(log)
        self._popen = spawn(
            command,
            log=log,
            account=account,
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
            raise ProcessEndedError(self._told(f"ended with code {self._popen.returncode}"))

    def output(self) -> str:
        """What the program wrote since it was started."""
        with self._log.open("rb") as log:
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
                raise ProcessEndedError(self._told(f"was not ready after {seconds:.0f} s and was ended"))
            time.sleep(_POLL_SECONDS)

    def wait_until_ended(self, seconds: float) -> None:
        """Wait until the program has ended well.

        Raises:
            ProcessEndedError: it failed, or still runs after `seconds`.
        """
        try:
            code = self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ProcessEndedError(self._told(f"was not done after {seconds:.0f} s")) from None
        if code != 0:
            raise ProcessEndedError(self._told(f"failed with code {code}"))

    def stop(self, by: signal.Signals, seconds: float) -> bool:
        """Ask the program to end, and kill it after `seconds`; True if it ended by itself."""
        if self.is_running():
            self._popen.send_signal(by)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

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
            return []  # its pid may be somebody else's by now
        try:
            program = psutil.Process(self.pid)
            return [program, *program.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _told(self, what: str) -> str:
        tail = "\n".join(self.output().splitlines()[-_TAIL_LINES:])
        return f"{self.name} {what}. The end of its log, {self._log}:\n{tail}"


def run_to_end(
    name: str,
    command: Sequence[str],
    *,
    log: Path,
    seconds: float,
    account: Account = SELF,
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
            name, command, log=log, account=account, env=env, stdin=source.fileno(), inherit=inherit
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
