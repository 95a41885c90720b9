"""The examples of the kit's documents run unchanged, and print the output in the documents."""

import asyncio
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from harness.document_examples import Example, examples_in
from harness.provenance_messages import publish_rows, row
from harness.topics import producing
from harness.waiting import TIMEOUT
from llamalog_schemas.provenance import Origin
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

pytestmark = pytest.mark.apache_kafka

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENTS = ("first-hour", "kit", "producers", "consumers")
EXAMPLES = [example for name in DOCUMENTS for example in examples_in(DOCS / f"{name}.md")]
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:")
"""FastStream logs to standard output."""


def on_this_broker(program: str, settings: Settings) -> str:
    """The program on the test's own broker and topics."""
    wanted = topics(settings.topic_prefix)
    for written, meant in [
        ('"localhost:9092"', repr(settings.kafka)),
        ('source="/catalogue/albums"', f'source="/catalogue/albums", topic={wanted.entity_events.name!r}'),
        ('group="album-pages"', f"group={settings.consumer_group!r}, topic={wanted.provenance.name!r}"),
        ('"enrichments"', repr(wanted.backfill_events.name)),
    ]:
        program = program.replace(written, meant)
    return program


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
async def test_an_example_prints_the_output_in_the_document(example: Example, settings: Settings) -> None:
    runs_on = "consumer" in example.program
    row_id, wanted = uuid4(), topics(settings.topic_prefix)
    async with producing(settings.kafka) as producer:
        first = row(row_id, root_job_id=None, origin=Origin.PENDING)
        await publish_rows(producer, wanted.provenance.name, [first, first, row(row_id, 2)])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", on_this_broker(example.program, settings)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONWARNINGS": "error::UserWarning", "LLAMALOG_KAFKA": settings.kafka},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    printed: list[str] = []
    try:
        with suppress(TimeoutError):  # what is missing shows below
            async with asyncio.timeout(TIMEOUT):
                while len(printed) < example.prints.count("\n"):
                    line = (await process.stdout.readline()).decode()
                    if not line:
                        break
                    if not LOG_LINE.match(line):
                        printed.append(line)
                if not runs_on:
                    assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        complaints = (await process.stderr.read()).decode()
        await process.wait()
    assert "".join(printed) == example.prints, complaints[-3000:]


@pytest.mark.parametrize("name", ["producers", "consumers"])
def test_a_document_begins_with_ten_lines_that_work(name: str) -> None:
    first = examples_in(DOCS / f"{name}.md")[0].program
    assert (DOCS / f"{name}.md").read_text().index("```python") < 40
    assert len([line for line in first.splitlines() if line.strip()]) <= 10
