"""The three flows, each executed once under the recorder."""

import asyncio
import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from llamalog_schemas import EntityCreated, EntityData, EntityType, Status, encode, lineage_key
from llamalog_schemas.codec import STRUCTURED_HEADERS
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings
from llamalog_tools.devstack import LocalStack
from llamalog_tools.flow_files.recorder import Call

_IDLE_SECONDS: Final = 12.0
"""Longer than the period of anything that runs beside a flow."""

_TIMEOUT: Final = 60.0
_POLL_SECONDS: Final = 0.1
_ROOT, _CHILD, _ROW = "import-1", "enrich-1", "track-1"


class FlowError(Exception):
    """A flow did not come to its end; the message has the end of the process's log."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow as it was executed.

    Attributes:
        name: what flows.
        bar: the most files that it should need.
        functions: those that were executed, by file (relative to its distribution's source folder).
    """

    name: str
    bar: int
    functions: Mapping[str, list[str]]


class Flows:
    """Executes flows in an installation of their own.

    Args:
        stack: running servers.
        folder: for reports and logs.
    """

    def __init__(self, stack: LocalStack, folder: Path) -> None:
        prefix = f"flow-files-{os.getpid()}."
        self._folder = folder
        self._settings = Settings(
            database_url=SecretStr(stack.postgres.url),
            kafka=stack.kafka.bootstrap,
            kafka_durable=stack.kafka.durable,
            topic_prefix=prefix,
            consumer_group=f"{prefix}provenance",
            migration_group=f"{prefix}migration",
            consumer_port=0,
            api_port=_free_port(),
        )
        self._topic = topics(prefix).entity_events.name
        self._published = 0

    async def prepare(self) -> None:
        """Migrate the database and create the topics."""
        for words in (["migrate"], ["topics", "create"]):
            await self._run([sys.executable, "-m", "llamalog_service", *words])

    async def ingest(self) -> Flow:
        """An event of a job whose parent was recorded before."""
        async with self._recorded("consumer") as process:
            await self._publish([_event(1, _ROOT, None), _event(2, _CHILD, _ROOT)])
            await process.idle()
            await process.open("flow")
            await self._publish([_event(3, _ROW, _CHILD)])
            await process.open("after")
        return Flow("an event, from Kafka's bytes to its committed offset", 18, process.functions())

    async def timeline(self) -> Flow:
        """The timeline of the entity of that event."""
        base = f"http://{self._settings.api_host}:{self._settings.api_port}"
        url = f"{base}/timelines/{EntityType.TRACK}/{_entity(3)}"
        async with self._recorded("api") as process:
            await _eventually(lambda: _answers(f"{base}/readyz"))
            await asyncio.to_thread(_get, url)
            await process.idle()
            await process.open("flow")
            answer = json.loads(await asyncio.to_thread(_get, url))
            await process.open("after")
        if not answer["entries"]:
            raise FlowError(f"the timeline is empty: {answer}")
        return Flow("a timeline, over HTTP", 12, process.functions())

    async def rebuild(self) -> Flow:
        """A table of which one row is lost, one has another root, and one came from no event."""
        connection = await asyncpg.connect(self._settings.database_url.get_secret_value())
        try:
            await connection.execute("DELETE FROM llama_logs WHERE id = $1", UUID(int=3))
            await connection.execute(
                "UPDATE llama_logs SET root_job_id = 'another' WHERE id = $1", UUID(int=2)
            )
            await connection.execute(
                "INSERT INTO llama_logs (id, operation, category, status, created_at, job_id, origin, "
                "root_job_id) VALUES ($1, 'forged', 'CREATED', 'SUCCESS', now(), 'x', 'ROOT', 'x')",
                UUID(int=4),
            )
        finally:
            await connection.close()
        report = self._folder / "rebuild.json"
        words = ["rebuild", "--repair"]
        await self._run(_recording(report, "rebuild", *words))
        return Flow("a rebuild with repair", 25, functions_of_flow(json.loads(report.read_text())))

    async def _publish(self, events: Iterable[EntityCreated]) -> None:
        """Publish events and wait until the consumer group has committed the offsets after them."""
        messages = [(encode(event), lineage_key(event)) for event in events]
        async with AIOKafkaProducer(bootstrap_servers=self._settings.kafka) as producer:
            for value, key in messages:
                await producer.send_and_wait(self._topic, value, key, headers=STRUCTURED_HEADERS)
        self._published += len(messages)
        await _eventually(self._is_committed)

    async def _is_committed(self) -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._settings.kafka)
        await admin.start()
        try:
            offsets = await admin.list_consumer_group_offsets(self._settings.consumer_group)
        except KafkaError:  # the group's coordinator is still being chosen
            return False
        finally:
            await admin.close()
        return bool(sum(max(at.offset, 0) for at in offsets.values()) >= self._published)

    @asynccontextmanager
    async def _recorded(self, command: str) -> AsyncIterator["_Recorded"]:
        report = self._folder / f"{command}.json"
        with self._log(command) as log:
            process = await asyncio.create_subprocess_exec(
                *_recording(report, "-", command),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=self._environment,
                cwd=self._folder,
            )
        recorded = _Recorded(process, report)
        try:
            yield recorded
        except TimeoutError:
            raise FlowError(self._end_of_log(command)) from None
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await process.wait()

    async def _run(self, words: list[str]) -> None:
        with self._log("command") as log:
            process = await asyncio.create_subprocess_exec(
                *words, stdout=log, stderr=log, env=self._environment, cwd=self._folder
            )
        if await process.wait():
            raise FlowError(self._end_of_log("command"))

    def _log(self, command: str) -> BinaryIO:
        return (self._folder / f"{command}.log").open("wb")

    def _end_of_log(self, command: str) -> str:
        return (self._folder / f"{command}.log").read_text(errors="replace")[-4000:]

    @property
    def _environment(self) -> dict[str, str]:
        others = {name: value for name, value in os.environ.items() if not name.startswith("LLAMALOG_")}
        return others | self._settings.as_environment()


class _Recorded:
    def __init__(self, process: asyncio.subprocess.Process, report: Path) -> None:
        self._process = process
        self._report = report

    async def open(self, window: str) -> None:
        """Have further calls noted under another window."""
        if self._process.stdin is not None:
            self._process.stdin.write(f"{window}\n".encode())
            await self._process.stdin.drain()
            await _eventually(lambda: self._is_open(window))

    async def _is_open(self, window: str) -> bool:
        return _content(Path(f"{self._report}.window")) == window

    async def idle(self) -> None:
        """Record what runs while nothing is to be done."""
        await asyncio.sleep(1)
        await self.open("idle")
        await asyncio.sleep(_IDLE_SECONDS)

    def functions(self) -> dict[str, list[str]]:
        return functions_of_flow(json.loads(self._report.read_text()))


def _recording(report: Path, first: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "llamalog_tools.flow_files.recorder", str(report), first, *words]


def functions_of_flow(windows: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, list[str]]:
    """The functions of the flow by file: those of each task that did something it does not do while idle."""
    idle = {Call(*call) for call in windows.get("idle", ())}
    flow = {Call(*call) for call in windows["flow"]}
    tasks = {call.task for call in flow - idle}
    functions: dict[str, set[str]] = defaultdict(set)
    for call in flow:
        if call.task in tasks:
            functions[call.file.rpartition("/src/")[2]].add(call.function)
    return {file: sorted(names) for file, names in sorted(functions.items())}


def _event(number: int, job: str, parent: str | None) -> EntityCreated:
    return EntityCreated(
        id=str(UUID(int=number)),
        source="/flow-files",
        time=datetime(2026, 2, 10, 12, tzinfo=UTC) + timedelta(seconds=number),
        specversion="1.0",
        data=EntityData(
            entity_type=EntityType.TRACK,
            entity_id=_entity(number),
            operation="track:created:enrichment",
            status=Status.SUCCESS,
            job_id=job,
            parent_job_id=parent,
            root_job_id=_ROOT,
        ),
    )


def _entity(number: int) -> UUID:
    return UUID(int=1000 + number)


def _content(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # noqa: S310 -- of the process started here
        content: bytes = answer.read()
        return content


async def _answers(url: str) -> bool:
    try:
        await asyncio.to_thread(_get, url)
    except (urllib.error.URLError, OSError):
        return False
    return True


async def _eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(_TIMEOUT):
        while not await holds():  # noqa: ASYNC110 -- another process makes it so
            await asyncio.sleep(_POLL_SECONDS)
