"""The cost of publishing an event for its caller, beside a bare `send` of the same bytes: `make bench-kit`.

A round publishes a share of events and sends a share of their bytes, turn about, each call timed by itself;
between the shares all is acknowledged, so that neither pays for the other.
"""

import asyncio
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Annotated, NamedTuple
from uuid import uuid4

import typer
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from llamalog_schemas.codec import STRUCTURED_HEADERS
from llamalog_schemas.producer import AiokafkaTransport, Limits, LlamaLogger, OutgoingMessage
from llamalog_service.kafka.topics import create_topics, topics
from llamalog_tools.devstack import LocalStack, StackOptions

MICROSECONDS_BAR = 25.0
RATIO_BAR = 2.5
IMPORT_SECONDS_BAR = 0.4

_SHARE = 500
MODULES = ("llamalog_schemas", "llamalog_schemas.producer", "llamalog_schemas.consumer")


class Figures(NamedTuple):
    """Medians of microseconds a call, the value's bytes, and seconds of a processor to import each module."""

    publishing: float
    sending: float
    value_bytes: int
    importing: dict[str, float]

    @property
    def ratio(self) -> float:
        return self.publishing / self.sending

    @property
    def bars_kept(self) -> bool:
        quick = all(seconds <= IMPORT_SECONDS_BAR for seconds in self.importing.values())
        return quick and self.publishing <= MICROSECONDS_BAR and self.ratio <= RATIO_BAR


class _Recording(AiokafkaTransport):
    """Also keeps what it sends."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        super().__init__(producer)
        self.sent: list[OutgoingMessage] = []

    async def send(self, message: OutgoingMessage) -> Awaitable[object]:
        self.sent.append(message)
        return await super().send(message)


async def measure(kafka: str, prefix: str, rounds: int) -> Figures:
    """Time calls against a broker; the topic is made under the prefix."""
    wanted = topics(prefix)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await create_topics(admin, wanted)
    finally:
        await admin.close()
    publishing: list[int] = []
    sending: list[int] = []
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        transport = _Recording(producer)
        log = LlamaLogger(
            transport, source="/catalogue/enrichment", topic=wanted.entity_events.name, limits=Limits()
        )
        album = uuid4()

        async def publish() -> None:
            await log.created(
                "TRACK",
                uuid4(),
                operation="track:created:enrichment",
                album_id=album,
                sources=["MUSICBRAINZ"],
                fields_enriched=["title", "trackNumber"],
                data_quality_after="HIGH",
                metadata={"title": "Formation", "trackNumber": 12, "discNumber": 1},
            )

        with log.job("album-create-1"), log.job("enrich-7"):
            for _ in range(rounds):
                transport.sent.clear()
                for _ in range(_SHARE):
                    await _time(publish, publishing)
                await log.flush()
                await _send_again(producer, transport.sent, sending)
        value_bytes = len(transport.sent[0].value)
        account = await log.close()
    if not account.everything_delivered:
        raise RuntimeError(f"not all was delivered: {account}")
    return Figures(
        median(publishing) / 1000,
        median(sending) / 1000,
        value_bytes,
        {module: await asyncio.to_thread(import_seconds, module) for module in MODULES},
    )


async def _send_again(
    producer: AIOKafkaProducer, messages: Sequence[OutgoingMessage], into: list[int]
) -> None:
    acknowledged: list[Awaitable[object]] = []
    for topic, key, value in messages:
        began = perf_counter_ns()
        acknowledged.append(await producer.send(topic, value, key, headers=STRUCTURED_HEADERS))
        into.append(perf_counter_ns() - began)
    await asyncio.gather(*acknowledged)


async def _time(call: Callable[[], Awaitable[None]], into: list[int]) -> None:
    began = perf_counter_ns()
    await call()
    into.append(perf_counter_ns() - began)


def import_seconds(module: str) -> float:
    """The best of five fresh interpreters, their own start not counted: of a processor, so that who else
    is busy on the machine does not count either.
    """
    program = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        for _ in range(5)
    ]
    return min(float(run.stdout) for run in runs)


def main(
    rounds: Annotated[int, typer.Option(min=1, help=f"Each times {_SHARE} calls of either kind.")] = 40,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Measure what publishing an event costs its caller. Exit code 1: a bar was missed."""
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    options = replace(StackOptions.from_environment(), kafka=None, database_url=None)
    with (
        tempfile.TemporaryDirectory(prefix="llamalog-bench-kit-") as folder,
        LocalStack(Path(folder), options, fast=True) as stack,
    ):
        figures = asyncio.run(measure(stack.kafka.bootstrap, "bench.", rounds))
        broker = stack.kafka.name
    print(f"broker: {broker}; a value of {figures.value_bytes} bytes; medians of {rounds * _SHARE} calls")
    print(f"creating and buffering an event  {figures.publishing:6.1f} µs   bar {MICROSECONDS_BAR}")
    print(f"a bare send of the same bytes    {figures.sending:6.1f} µs")
    print(f"ratio                            {figures.ratio:6.2f}      bar {RATIO_BAR}")
    for module, seconds in figures.importing.items():
        print(f"import {module:25} {seconds:6.2f} s CPU  bar {IMPORT_SECONDS_BAR}")
    if json_file is not None:
        json_file.write_text(json.dumps(figures._asdict() | {"ratio": figures.ratio}))
    raise typer.Exit(0 if figures.bars_kept else 1)


if __name__ == "__main__":
    typer.run(main)
