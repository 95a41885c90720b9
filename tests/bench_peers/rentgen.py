"""data-rentgen: lineage of runs, from OpenLineage events, in an environment of its own.

It has other events and tables than the service: a run is two events, its start and its end. The figures say
what such an event costs, not what ours would.
"""

import asyncio
import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from bench.checks import shortened
from bench.costs import cpu_seconds, cpu_spent
from bench.drain import until
from bench.installation import new_installation
from bench.servers import Servers, settle_disk
from bench_peers.flat import FlatMessage, send_flat
from bench_peers.held import go_on, held
from bench_peers.outcome import MissingPeerError, Outcome
from llamalog_tools.devstack.apache_kafka.jars import one_at_a_time, user_cache
from llamalog_tools.devstack.data_dir import HOST, RememberedPorts
from llamalog_tools.devstack.errors import ProcessEndedError
from llamalog_tools.devstack.process import run_to_end
from llamalog_tools.devstack.server import ignore

REQUIREMENTS: Final = Path(__file__).with_name("rentgen_packages") / "requirements.txt"
RUNS_ONLY, WITH_DATASETS = "data-rentgen, runs only", "data-rentgen, runs with datasets"

_INSTALL_SECONDS: Final = 900.0
_SCRIPT_SECONDS: Final = 120.0
_SLOWEST: Final = 50
_POLL_SECONDS: Final = 0.1
_JOBS: Final = 50
_FIRST_JOB: Final = "schedule"
_TABLES: Final = 500
_FIRST: Final = datetime(2026, 2, 10, tzinfo=UTC)
_DONE: Final = "SELECT count(*) FROM run WHERE started_at IS NOT NULL AND ended_at IS NOT NULL"
_FOUND: Final = "SELECT id, parent_run_id, started_at, ended_at FROM run"


class Run(NamedTuple):
    """A run as it is stated and must be stored."""

    id: UUID
    parent: UUID | None
    started: datetime
    ended: datetime


class Rentgen(NamedTuple):
    """What its rounds need.

    Attributes:
        python: of the environment that it is installed in.
        runs: how many, by whether they have datasets.
    """

    servers: Servers
    python: Path
    runs: dict[bool, int]
    folder: Path


def find_rentgen(cache: Path | None, notify: Any) -> Path:
    """The Python of an environment with data-rentgen, from the cache or made in it.

    Raises:
        MissingPeerError: there is no Python for it, or it cannot be installed.
    """
    hashed = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = (cache or user_cache()).absolute() / f"rentgen-{hashed}"
    python, complete = folder / "bin" / "python", folder / "complete"
    with one_at_a_time(folder) as lock:
        if not complete.exists():
            _install(folder, python, lock, notify)
            complete.touch()
    return python


def _install(folder: Path, python: Path, lock: int, notify: Any) -> None:
    newer = _newer_python()
    notify(f"Installing data-rentgen, once, into {folder}.")
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_name(f"{folder.name}.log")
    install = ("-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(REQUIREMENTS))
    try:
        for words in ([newer, "-m", "venv", str(folder)], [str(python), *install]):
            run_to_end(
                "The installation of data-rentgen",
                words,
                log=log,
                seconds=_INSTALL_SECONDS,
                inherit=(lock,),
            )
    except ProcessEndedError as failed:
        raise MissingPeerError(f"data-rentgen is left out: {failed}") from failed


def _newer_python() -> str:
    """A Python that data-rentgen runs on: of the PATH, or one of pyenv's.

    Raises:
        MissingPeerError: there is none.
    """
    on_path = [shutil.which(f"python3.{minor}") for minor in (12, 13)]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    of_pyenv = [str(path / "bin" / "python") for path in sorted(pyenv.glob("3.1[23].*"))]
    for candidate in filter(None, [*on_path, *of_pyenv]):
        ran = subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False)
        if ran.returncode == 0:
            return candidate
    raise MissingPeerError("data-rentgen is left out: it needs Python 3.12 or 3.13, which is not here.")


def make_runs(count: int) -> list[Run]:
    """Runs one after the other, all but the first started by the first."""
    dice = random.Random(1)
    ids = [_uuid7(_FIRST + timedelta(milliseconds=number), dice) for number in range(count)]
    return [
        Run(
            run_id,
            ids[0] if number else None,
            _FIRST + timedelta(milliseconds=number),
            _FIRST + timedelta(milliseconds=number, seconds=1),
        )
        for number, run_id in enumerate(ids)
    ]


def _uuid7(when: datetime, dice: random.Random) -> UUID:
    stamp = int(when.timestamp() * 1000)
    value = stamp << 80 | 7 << 76 | dice.getrandbits(12) << 64 | 2 << 62 | dice.getrandbits(62)
    return UUID(int=value)


def messages_of(runs: list[Run], *, with_datasets: bool) -> Iterator[FlatMessage]:
    """The start and the end of every run."""
    for number, run in enumerate(runs):
        for kind, at in (("START", run.started), ("COMPLETE", run.ended)):
            event = {
                "eventTime": at.isoformat(),
                "eventType": kind,
                "producer": "llamalog-bench",
                "schemaURL": "llamalog-bench",
                "job": _job(f"job-{number % _JOBS}" if run.parent else _FIRST_JOB),
                "run": {"runId": str(run.id), "facets": _parent(run.parent)},
                "inputs": [_dataset(number)] if with_datasets else [],
                "outputs": [_dataset(number + 1)] if with_datasets else [],
            }
            yield FlatMessage(run.id, run.id.bytes, json.dumps(event).encode())


def _job(name: str) -> dict[str, Any]:
    return {"namespace": "local://catalogue", "name": name}


def _parent(run: UUID | None) -> dict[str, Any]:
    return {"parent": {"job": _job(_FIRST_JOB), "run": {"runId": str(run)}}} if run else {}


def _dataset(number: int) -> dict[str, Any]:
    fields = [{"name": f"column_{column}", "type": "text"} for column in range(5)]
    return {
        "namespace": "postgres://catalogue:5432",
        "name": f"catalogue.public.table_{number % _TABLES}",
        "facets": {"schema": {"fields": fields}},
    }


async def measure_rentgen(rentgen: Rentgen, *, with_datasets: bool, name: str) -> list[Outcome]:
    """Drain the events of the runs, and compare the runs that it stored."""
    servers, label = rentgen.servers, WITH_DATASETS if with_datasets else RUNS_ONLY
    runs = make_runs(rentgen.runs[with_datasets])
    messages = list(messages_of(runs, with_datasets=with_datasets))
    async with new_installation(servers, name) as installation:
        topic, group = installation.topics.entity_events.name, f"{name}.rentgen"
        url = await _own_database(installation.database_url)
        env = {
            "PATH": os.environ["PATH"],
            "DATA_RENTGEN__DATABASE__URL": url.replace("postgresql://", "postgresql+asyncpg://"),
            "DATA_RENTGEN__KAFKA__BOOTSTRAP_SERVERS": json.dumps([installation.bootstrap]),
            "DATA_RENTGEN__CONSUMER__TOPICS_LIST": json.dumps([topic]),
            "DATA_RENTGEN__CONSUMER__GROUP_ID": group,
            "DATA_RENTGEN__CONSUMER__AUTO_OFFSET_RESET": "earliest",
            "DATA_RENTGEN__CONSUMER__SESSION_TIMEOUT_MS": "120000",  # it is stopped for a while
            "DATA_RENTGEN__PRODUCER__MALFORMED_TOPIC": installation.topics.dead_letters.name,
        }
        log = rentgen.folder / f"{name}.log"
        for script in (
            ("data_rentgen.db.migrations", "upgrade", "head"),
            ("data_rentgen.db.scripts.create_partitions", "--start", _FIRST.strftime("%Y-%m-01")),
        ):
            words = [str(rentgen.python), "-m", *script]
            await asyncio.to_thread(run_to_end, script[0], words, log=log, seconds=_SCRIPT_SECONDS, env=env)
        database = await asyncpg.connect(url)
        try:
            port = RememberedPorts(rentgen.folder / f"{name}-ports.json", ["http"]).take(ignore)["http"]
            listens = ("--host", HOST, "--port", str(port))
            command = [str(rentgen.python), "-m", "data_rentgen.consumer", *listens]
            async with held(label, command, group, installation, log=log, env=env) as process:
                await send_flat(installation.bootstrap, topic, messages)
                await settle_disk(servers.postgres)

                async def done() -> bool:
                    return bool(await database.fetchval(_DONE) >= len(runs))

                pids = {"itself": process.pid, **servers.pids()}
                before, began = cpu_seconds(pids), go_on(process)
                timeout = 60 + len(messages) / _SLOWEST
                ended = await until(done, [process], timeout, every=_POLL_SECONDS)
                spent = cpu_spent(before, cpu_seconds(pids))
            stored = {record["id"]: Run(*record) for record in await database.fetch(_FOUND)}
        finally:
            await database.close()
    wrong = shortened(_differing(runs, stored))
    return [Outcome(label, len(messages), ended - began, spent, wrong)]


async def _own_database(beside: str) -> str:
    """An empty database beside one of ours, dropped with its server."""
    name = f"{urlsplit(beside).path[1:]}_rentgen"
    connection = await asyncpg.connect(beside)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return urlsplit(beside)._replace(path=f"/{name}").geturl()


def _differing(runs: list[Run], stored: dict[UUID, Run]) -> Iterator[str]:
    for run in runs:
        if run != stored.get(run.id):
            yield f"run {run.id} is {stored.get(run.id)}, not {run}"
    for extra in stored.keys() - {run.id for run in runs}:
        yield f"run {extra} comes from no event"
