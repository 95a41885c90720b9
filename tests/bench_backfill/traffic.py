"""Live traffic, a process of its own: small batches through the ingest, at a steady pace, each timed.

`python -m bench_backfill.traffic URL BATCHES_PER_SECOND FILE` writes until it is interrupted, then leaves the
seconds that each batch took in the file, as JSON.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from uuid import uuid4

from bench.beside import working_beside
from harness.writers import KeptMessages, Writer
from llamalog_schemas.events import EntityCreated, EntityData, EntityEvent, EntityType, Status
from llamalog_service.backfill.recomputes import QueuedRecompute, RecomputeQueue
from llamalog_service.postgres.pool import create_pool

PER_BATCH = 10


@contextmanager
def live_traffic(url: str, batches_per_second: float, folder: Path, latencies: list[float]) -> Iterator[None]:
    """Another process inserts while the context lasts; the seconds of each of its batches are added."""
    file = folder / "latencies.json"
    try:
        with working_beside("bench_backfill.traffic", url, str(batches_per_second), str(file)):
            yield
    finally:
        latencies += json.loads(file.read_text())
        file.unlink()


async def write(url: str, batches_per_second: float) -> list[float]:
    """Write until interrupted; the seconds of each batch.

    Half of the new rows hang off rows that stand, the others off each other.
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    latencies: list[float] = []
    async with create_pool(
        url,
        min_size=1,
        max_size=4,
        server_settings={"enable_seqscan": "off", "jit": "off"},
    ) as pool:
        dice, kept = Random(1), KeptMessages()
        jobs = [record["job_id"] for record in await pool.fetch("SELECT job_id FROM llama_logs LIMIT 5000")]
        writer, due = Writer(pool, kept), time.monotonic()
        print("writing", flush=True)
        while not stop.is_set():
            events = [_event(dice, jobs) for _ in range(PER_BATCH)]
            began = time.perf_counter()
            await writer.write(*events)
            latencies.append(time.perf_counter() - began)
            kept.by_topic.pop("tests.provenance", None)
            recomputes = [QueuedRecompute(uuid4(), named, "root-disagrees") for named in kept.take_commands()]
            if recomputes:
                await RecomputeQueue(pool).enqueue(recomputes)
            due = max(due + 1 / batches_per_second, time.monotonic() - 1)
            await asyncio.sleep(due - time.monotonic())
    return latencies


def _event(dice: Random, jobs: list[str]) -> EntityEvent:
    job = f"live-{uuid4()}"
    parent = dice.choice(jobs)
    jobs[dice.randrange(len(jobs))] = job if dice.random() < 0.5 else parent
    return EntityCreated(
        id=str(uuid4()),
        source="/bench",
        time=datetime.now(UTC),
        specversion="1.0",
        data=EntityData(
            entity_type=EntityType.TRACK,
            entity_id=uuid4(),
            operation="track:created:bench",
            status=Status.SUCCESS,
            job_id=job,
            parent_job_id=parent,
            metadata={"title": "Song", "trackNumber": 4},
        ),
    )


if __name__ == "__main__":
    Path(sys.argv[3]).write_text(json.dumps(asyncio.run(write(sys.argv[1], float(sys.argv[2])))))
