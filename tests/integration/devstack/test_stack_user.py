"""The local stack under another user than root, and where root may not map users."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from llamalog_tools.devstack import ApacheKafkaUnavailableError, LocalPostgres, StackOptions
from llamalog_tools.devstack import postgres as postgres_module
from llamalog_tools.devstack.apache_kafka.jars import fetch_jars
from llamalog_tools.devstack.postgres import binaries

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

_UNPRIVILEGED = pwd.getpwnam("nobody")

_RUN = """
import asyncio, os, sys
from pathlib import Path
import asyncpg, psutil
from llamalog_tools.devstack import LocalStack
async def who(url):
    connection = await asyncpg.connect(url)
    print(await connection.fetchval("SELECT current_user"))
    await connection.close()
with LocalStack(Path(sys.argv[1]), fast=True) as stack:
    asyncio.run(who(stack.postgres.url))
    print({psutil.Process(server.pid).uids().real for server in (stack.postgres, stack.kafka)})
    print(stack.kafka.name)
print(psutil.Process().children(recursive=True))
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach (pytest's own are closed)."""
    with tempfile.TemporaryDirectory(prefix="llamalog-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def _as_unprivileged(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    home = folder / "home"
    home.mkdir(exist_ok=True)
    os.chown(home, _UNPRIVILEGED.pw_uid, _UNPRIVILEGED.pw_gid)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LLAMALOG_CACHE": str(folder / "cache"),
    }
    return subprocess.run(
        command,
        user=_UNPRIVILEGED.pw_uid,
        group=_UNPRIVILEGED.pw_gid,
        extra_groups=[],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )


def _python_for_unprivileged(folder: Path) -> str:
    same = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for candidate in (sys.executable, f"/usr/bin/{same}", f"/usr/local/bin/{same}"):
        try:
            if _as_unprivileged(folder, candidate, "-c", "import asyncpg, llamalog_service").returncode == 0:
                return candidate
        except OSError:
            continue
    pytest.skip("no Python here that an ordinary user can run with this environment's packages")


def test_an_ordinary_user_runs_it_under_the_users_own_id(open_folder: Path) -> None:
    python = _python_for_unprivileged(open_folder)
    with suppress(ApacheKafkaUnavailableError):  # then it is the embedded broker that runs
        jars = fetch_jars(StackOptions.from_environment().cache)
        shutil.copytree(jars, open_folder / "cache" / jars.name)

    done = _as_unprivileged(open_folder, python, "-c", _RUN, str(open_folder / "home" / "data"))

    assert done.returncode == 0, done.stderr
    database_user, uids, broker, left = done.stdout.splitlines()
    assert (database_user, uids, left) == ("llamalog", f"{{{_UNPRIVILEGED.pw_uid}}}", "[]")
    assert broker.startswith("Apache Kafka") or "embedded" in broker


async def test_root_without_user_namespaces_runs_postgres_as_unprivileged(
    open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    initdb = str(binaries() / "initdb")
    if _as_unprivileged(open_folder, "test", "-x", initdb).returncode != 0:
        pytest.skip("the environment is in a folder that only root can enter")
    monkeypatch.setattr(postgres_module, "_may_map_users", lambda: False)
    postgres = LocalPostgres(open_folder / "postgres", fast=True)
    postgres.start()
    try:
        assert psutil.Process(postgres.pid).uids().real == _UNPRIVILEGED.pw_uid
        connection = await asyncpg.connect(postgres.url)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
        monkeypatch.undo()
        postgres.restart()  # the folder belongs to that user now
        assert psutil.Process(postgres.pid).uids().real == _UNPRIVILEGED.pw_uid
    finally:
        postgres.stop()
