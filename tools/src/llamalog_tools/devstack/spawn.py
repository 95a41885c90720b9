"""Starting programs that cannot outlive their starter."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path

from llamalog_tools.devstack.account import SELF, Account

# Refuses to go on if the starter died before the kernel was told to watch it.
_STARTER_STILL_LIVES = '[ "$PPID" = "$1" ] || exit 1; shift; exec "$@"'

_ROTATE_BYTES = 5_000_000


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    account: Account = SELF,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    inherit: Sequence[int] = (),
    death_signal: str = "KILL",
) -> subprocess.Popen[bytes]:
    """Start a program whose output is appended to `log`, in a session of its own.

    On Linux the kernel sends it `death_signal` when this process dies, however it dies. The pid of the
    result is the program's own: what stands before it on the command line replaces itself.

    Args:
        command: the program and its arguments.
        log: the file for its output.
        account: as whom it runs.
        env: its environment; None: ours.
        stdin: as for subprocess.
        inherit: file descriptors that stay open in it.
        death_signal: name of the signal, without SIG.
    """
    words = [*account.prefix, *_tied_to_starter(death_signal), *command]
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
                user=account.uid,
                group=account.gid,
                extra_groups=None if account.uid is None else [],
            )
        )


def set_aside_if_long(log: Path) -> int:
    """Rename a log of over 5 MB; returns the bytes that the log has now, where the next output begins."""
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
