"""`llamalog logs --follow`: rows as they stand, then rows as they come; no gap, no repetition at the seam."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from harness.environments import environment_of
from harness.service import running
from harness.settled import wait_until_settled
from harness.started_commands import StartedCommand, started
from harness.topics import publish
from harness.waiting import TIMEOUT, eventually
from histories import chains, event
from llamalog_service.settings import Settings
from llamalog_tools.devstack.apache_kafka import ApacheKafka

LONG_AGO = "2020-01-01"


class Follower:
    """A command that follows, and what it has printed so far."""

    def __init__(self, command: StartedCommand) -> None:
        self.command = command
        self.rows: list[Any] = []
        self.complaints: list[str] = []
        self._reading = [asyncio.create_task(self._read_rows()), asyncio.create_task(self._read_complaints())]

    async def _read_rows(self) -> None:
        assert self.command.process.stdout is not None
        async for line in self.command.process.stdout:
            self.rows.append(json.loads(line))

    async def _read_complaints(self) -> None:
        assert self.command.process.stderr is not None
        async for line in self.command.process.stderr:
            self.complaints.append(line.decode().rstrip())

    async def interrupt(self) -> int:
        """Press Ctrl-C; the code with which it ends."""
        self.command.process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(self.end(), TIMEOUT)

    async def end(self) -> int:
        await asyncio.gather(*self._reading)
        return await self.command.process.wait()


@asynccontextmanager
async def following(settings: Settings, *options: str) -> AsyncIterator[Follower]:
    words = ("logs", "--follow", "--json", *options)
    follower = Follower(await started(*words, environment=environment_of(settings)))
    try:
        yield follower
    finally:
        if follower.command.process.returncode is None:
            follower.command.process.kill()
        await follower.end()


async def until_recorded(pool: asyncpg.Pool, rows: int) -> None:
    async def are_recorded() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM llama_logs") == rows)

    await eventually(are_recorded)


async def until(condition: Any, within: float = TIMEOUT) -> None:
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 -- another process makes it so
            await asyncio.sleep(0.05)


@pytest.mark.apache_kafka
async def test_every_row_and_every_correction_is_shown_once_whenever_the_following_begins(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    settings = settings.model_copy(update={"batch_records": 50})
    events = chains(3000)
    children_first = sorted(events, key=lambda one: one.data.parent_job_id is None)
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        publishing = asyncio.create_task(publish(settings, children_first))
        async with following(settings, "--limit", "1000000", "--since", LONG_AGO) as follower:
            await publishing
            await wait_until_settled(settings, pool)
            stored = await pool.fetch("SELECT id, revision, root_job_id FROM llama_logs")
            in_table = {row["id"]: (row["revision"], row["root_job_id"]) for row in stored}
            assert len(in_table) == len(events)

            def shown() -> dict[UUID, tuple[int, str]]:
                return {UUID(row["id"]): (row["revision"], row["rootJobId"]) for row in follower.rows}

            await until(lambda: shown() == in_table)
            assert await follower.interrupt() == 130
        seen = [(row["id"], row["revision"]) for row in follower.rows]
        assert len(seen) == len(set(seen)), "a revision was shown twice"
        assert len(seen) > len(events), "no correction came: nothing was tested"
        assert [line for line in follower.complaints if "Looking" not in line] == []


async def test_only_rows_that_are_requested_are_shown_the_last_ones_first(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with running("consumer", settings, tmp_path):
        await publish(settings, [event(number, f"job-{number}") for number in range(1, 10)])
        await until_recorded(pool, 9)
        async with following(
            settings, "--limit", "2", "--operation", "track:*", "--until", "2026-03-01"
        ) as it:
            await until(lambda: len(it.rows) == 2)
            await publish(settings, [event(20, "job-20", at=10**11), event(21, "job-21")])
            await until(lambda: len(it.rows) == 3)
            assert [UUID(row["id"]).int for row in it.rows] == [8, 9, 21]
            assert await it.interrupt() == 130


async def test_a_reader_that_has_had_enough_ends_the_following_at_the_next_row(
    settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with running("consumer", settings, tmp_path):
        await publish(settings, [event(1, "job-1")])
        await until_recorded(pool, 1)
        command = await started("logs", "--follow", environment=environment_of(settings))
        assert command.process.stdout is not None
        assert command.process.stderr is not None
        await command.process.stdout.readline()
        command.process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
        await publish(settings, [event(2, "job-2")])
        assert await asyncio.wait_for(command.process.wait(), TIMEOUT) == 141
        assert await command.process.stderr.read() == b""


@pytest.mark.apache_kafka
async def test_while_kafka_is_away_it_prints_so_and_goes_on_later(
    breakable: Settings, breakable_kafka: ApacheKafka, tmp_path: Path
) -> None:
    await publish(breakable, [event(1, "job-1")])
    async with running("consumer", breakable, tmp_path), following(breakable) as follower:
        await until(lambda: follower.rows)
        await asyncio.to_thread(breakable_kafka.kill)
        await until(lambda: follower.complaints)
        await asyncio.to_thread(breakable_kafka.start)
        await publish(breakable, [event(2, "job-2")])
        await until(lambda: len(follower.rows) == 2)
        assert await follower.interrupt() == 130
    assert [UUID(row["id"]).int for row in follower.rows] == [1, 2]
    waiting, *rest = follower.complaints
    assert waiting.startswith("Waiting for Kafka: Kafka")
    assert rest in ([], ["Kafka is back."])
