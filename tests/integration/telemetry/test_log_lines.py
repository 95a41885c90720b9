"""What the provenance consumer writes to its log about what it recorded."""

from collections import Counter
from pathlib import Path
from typing import Literal
from uuid import UUID

from harness.service import ServiceProcess, running
from harness.topics import producing, publish
from harness.waiting import eventually
from histories import event
from llamalog_schemas.events import EntityLinked
from llamalog_service import kernels
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

ROOT = event(1, "root")
EVENTS = [ROOT, ROOT, *(event(number, f"job-{number}", "root", kind=EntityLinked) for number in (2, 3))]


async def consumed(settings: Settings, folder: Path, level: Literal["debug", "info"]) -> ServiceProcess:
    """A consumer that has read the events and a bad message, and has ended."""
    await publish(settings, EVENTS)
    async with producing(settings.kafka) as producer:
        await producer.send_and_wait(topics(settings.topic_prefix).entity_events.name, b"{")
    async with running("consumer", settings.model_copy(update={"log_level": level}), folder) as consumer:

        async def has_logged_all() -> bool:
            return sum(counts_of(consumer).values()) == len(EVENTS) + 1

        await eventually(has_logged_all)
        await consumer.stop()
        return consumer


def counts_of(consumer: ServiceProcess) -> Counter[str]:
    """The counts of its lines about batches, added up."""
    counts: Counter[str] = Counter()
    for line in consumer.logged("recorded"):
        assert line["rows"] == sum(line["categories"].values())
        counts.update(line["categories"])
        counts.update({name: line[name] for name in ("duplicates", "dead_letters") if name in line})
    return counts


async def test_the_consumer_logs_of_each_batch_what_it_recorded_by_category(
    settings: Settings, tmp_path: Path
) -> None:
    consumer = await consumed(settings, tmp_path, "info")
    assert counts_of(consumer) == {"CREATED": 1, "LINKED": 2, "duplicates": 1, "dead_letters": 1}
    assert {line["level"] for line in consumer.logged("recorded")} == {"info"}
    assert consumer.logged("row") == []


async def test_the_consumer_logs_at_its_start_which_form_of_its_steps_runs(
    settings: Settings, tmp_path: Path
) -> None:
    (line,) = (await consumed(settings, tmp_path, "info")).logged("starting")
    assert line["kernels"] == kernels.form()


async def test_each_row_is_logged_at_debug(settings: Settings, tmp_path: Path) -> None:
    consumer = await consumed(settings, tmp_path, "debug")
    rows = {UUID(line["id"]).int: line for line in consumer.logged("row")}
    assert {number: (row["category"], row["job"], row["root"]) for number, row in rows.items()} == {
        1: ("CREATED", "root", "root"),
        2: ("LINKED", "job-2", "root"),
        3: ("LINKED", "job-3", "root"),
    }
