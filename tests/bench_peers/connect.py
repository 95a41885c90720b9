"""Kafka Connect with Debezium's JDBC sink: one JVM, drained cold, then warmed, then drained again.

It is given rows that are flat and have their roots already, without duplicates and bad messages: it writes
them into the table of the service, with all its indexes, and does nothing else.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import asyncpg
import httpx

from bench.backlog import Backlog
from bench.checks import differing_rows, shortened, table_of
from bench.costs import cpu_seconds, cpu_spent
from bench.drain import until
from bench.installation import Installation, new_installation
from bench.kafka import GroupWatch
from bench.servers import Servers, settle_disk
from bench_peers.flat import FlatMessage, all_recorded, schema_of, send_flat, without_producers
from bench_peers.outcome import MissingPeerError, Outcome
from harness.databases import run_sql
from llamalog_service.postgres.pool import prepare_connection
from llamalog_tools.devstack import ApacheKafkaUnavailableError
from llamalog_tools.devstack.apache_kafka import JarSet, fetch_jars, find_java
from llamalog_tools.devstack.data_dir import HOST, RememberedPorts
from llamalog_tools.devstack.process import OwnedProcess
from llamalog_tools.devstack.server import ignore

_FOLDER: Final = Path(__file__).with_name("connect_jars")
JARS: Final = JarSet("connect", "Kafka Connect", 64, _FOLDER / "pom.xml", _FOLDER / "jars.sha256")
_START_SECONDS: Final = 120.0
_STATE_SECONDS: Final = 60.0
_SLOWEST: Final = 200
_TYPES: Final = """
    SELECT DISTINCT format_type(a.atttypid, NULL) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = 'llama_logs'::regclass AND a.attnum > 0 AND NOT a.attisdropped
      AND t.typcategory NOT IN ('S', 'N', 'B') AND format_type(a.atttypid, NULL) NOT LIKE '%with time zone'
"""


class Tuning(NamedTuple):
    """How Connect is set up.

    Attributes:
        key: its name in topics and files.
        name: its name for people.
        jvm: options of Java.
        connector: settings of the sink beside those that it has to have.
    """

    key: str
    name: str
    jvm: tuple[str, ...]
    connector: Mapping[str, str]


BEST: Final = Tuning(
    "connect",
    "Kafka Connect + Debezium JDBC sink, tuned",
    ("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC"),
    {
        "tasks.max": "2",
        "batch.size": "3000",
        "consumer.override.max.poll.records": "3000",
        "dialect.postgres.unnest.insert.enabled": "true",
    },
)
DEFAULTS: Final = Tuning(
    "connect-defaults",
    "Kafka Connect + Debezium JDBC sink, its defaults",
    # Those of Kafka's own start script.
    (
        *("-Xms256m", "-Xmx2g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
        *("-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"),
    ),
    {},
)
_LOGGING: Final = """\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
"""


class Connect(NamedTuple):
    """What its rounds need.

    Attributes:
        warm_up: drains between the cold one and the warm one.
    """

    servers: Servers
    backlog: Backlog
    messages: list[FlatMessage]
    java: Path
    jars: Path
    folder: Path
    warm_up: int


def find_connect(cache: Path | None, notify: Any) -> tuple[Path, Path]:
    """A Java and the folder of jars.

    Raises:
        MissingPeerError: one of them cannot be had.
    """
    try:
        return find_java(), fetch_jars(cache, notify, JARS)
    except ApacheKafkaUnavailableError as reason:
        raise MissingPeerError(f"Kafka Connect is left out: {reason}") from reason


async def measure_connect(connect: Connect, tuning: Tuning, name: str) -> list[Outcome]:
    """Drain the messages with a cold JVM, as often as wanted to warm it, and once more."""
    servers = connect.servers
    async with new_installation(servers, name) as installation:
        await _add_casts(installation)
        database = await asyncpg.connect(installation.database_url)
        try:
            await prepare_connection(database)
            async with _worker(connect, tuning, installation) as worker:
                outcomes = []
                for turn in range(connect.warm_up + 2):
                    await worker.go_to("pause", "PAUSED")
                    await database.execute("TRUNCATE llama_logs")
                    topic = installation.topics.entity_events.name
                    last = await send_flat(installation.bootstrap, topic, connect.messages)
                    await settle_disk(servers.postgres)
                    pids = {"itself": worker.process.pid, **servers.pids()}
                    before, began = cpu_seconds(pids), time.time()
                    await worker.request("PUT", "/resume")
                    timeout = 60 + len(connect.messages) / _SLOWEST
                    ended = await all_recorded(database, last, worker.process, timeout)
                    spent = cpu_spent(before, cpu_seconds(pids))
                    if turn in (0, connect.warm_up + 1):
                        expected = without_producers(connect.backlog.rows.values())
                        wrong = shortened(differing_rows(expected, await table_of(database)))
                        label = f"{tuning.name}, {'warm' if turn else 'cold'} JVM"
                        outcomes.append(Outcome(label, len(connect.messages), ended - began, spent, wrong))
                return outcomes
        finally:
            await database.close()


async def _add_casts(installation: Installation) -> None:
    """Have PostgreSQL take text for every type of the table: the sink's UNNEST gives it nothing else."""
    types = [record[0] for record in await run_sql(installation.database_url, _TYPES)]
    await run_sql(
        installation.database_url,
        *(f"CREATE CAST (text AS {name}) WITH INOUT AS ASSIGNMENT" for name in types),
    )


class _Worker(NamedTuple):
    connector: str
    process: OwnedProcess
    client: httpx.AsyncClient

    async def request(self, method: str, path: str) -> Any:
        answer = await self.client.request(method, f"/connectors/{self.connector}{path}")
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def go_to(self, action: str, state: str) -> None:
        """Pause or resume the connector, and wait until every task has done so."""
        await self.request("PUT", f"/{action}")
        await until(lambda: self.all_are(state), [self.process], _STATE_SECONDS)

    async def all_are(self, state: str) -> bool:
        tasks = (await self.request("GET", "/status"))["tasks"]
        for task in tasks:
            if task["state"] == "FAILED":
                raise MissingPeerError(f"A task of Kafka Connect failed: {task['trace'][:2000]}")
        return bool(tasks) and all(task["state"] == state for task in tasks)


@asynccontextmanager
async def _worker(connect: Connect, tuning: Tuning, installation: Installation) -> AsyncIterator[_Worker]:
    """A worker whose sink has joined its group on an empty topic."""
    name = f"{installation.prefix}sink"
    folder = connect.folder / name
    folder.mkdir()
    port = RememberedPorts(folder / "ports.json", ["rest"]).take(ignore)["rest"]
    (folder / "log4j2.properties").write_text(_LOGGING)
    settings = {
        "bootstrap.servers": installation.bootstrap,
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "offset.storage.file.filename": str(folder / "offsets"),
        "listeners": f"http://{HOST}:{port}",
        "plugin.discovery": "hybrid_warn",
    }
    properties = folder / "worker.properties"
    properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    process = OwnedProcess(
        tuning.name,
        [
            str(connect.java),
            *tuning.jvm,
            "-Djava.awt.headless=true",
            f"-Djava.io.tmpdir={folder}",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
            *("-cp", f"{connect.jars}/*", "org.apache.kafka.connect.cli.ConnectStandalone", str(properties)),
        ],
        log=folder / "worker.log",
    )
    watch = await GroupWatch.connect(installation.bootstrap)
    try:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{port}", timeout=60) as client:
            await until(lambda: _serves(process, client, port), [process], _START_SECONDS)
            body = {"name": name, "config": _connector(connect, tuning, installation)}
            (await client.post("/connectors", json=body)).raise_for_status()
            worker = _Worker(name, process, client)
            await until(lambda: worker.all_are("RUNNING"), [process], _START_SECONDS)
            await until(lambda: watch.has_members(f"connect-{name}"), [process], _START_SECONDS)
            yield worker
    finally:
        await watch.close()
        await asyncio.to_thread(process.kill)


async def _serves(process: OwnedProcess, client: httpx.AsyncClient, port: int) -> bool:
    if not process.listens_on(port):
        return False
    try:
        return (await client.get("/connectors")).is_success
    except httpx.TransportError:
        return False


def _connector(connect: Connect, tuning: Tuning, installation: Installation) -> dict[str, str]:
    address = urlsplit(installation.database_url)
    parameters = "stringtype=unspecified&reWriteBatchedInserts=true"
    names = json.loads(connect.messages[0].value)
    return {
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "topics": installation.topics.entity_events.name,
        "consumer.override.auto.offset.reset": "earliest",
        "connection.url": f"jdbc:postgresql://{address.hostname}:{address.port}{address.path}?{parameters}",
        "connection.username": address.username or "",
        "connection.password": address.password or "",
        "insert.mode": "insert",
        "primary.key.mode": "none",
        "schema.evolution": "none",
        "collection.name.format": "llama_logs",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "value.converter.schema.content": json.dumps(schema_of(names)),
        **tuning.connector,
    }
