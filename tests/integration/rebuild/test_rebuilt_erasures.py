"""A rebuild honours erasures: of the events as they were sent, and of rewritten ones."""

from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import differences, empty_tables, stored_rows
from harness.rebuilding import Installation
from histories import chains, erasure
from llamalog_schemas.events import Event, UserErased, is_override
from llamalog_service.domain.erasures import Erasures, erased_event, erasure_of
from llamalog_service.log.erasures import Eraser

ADA, BOB = "7c1f", "9a02"
ERASURES = [erasure(90, ADA, keys=("editor",)), erasure(91, ADA, keys=("mail",))]
EVENTS: list[Event] = [
    replace(
        one,
        data=replace(
            one.data, user_id=(ADA, BOB, None)[number % 3], metadata={"editor": "E", "mail": "m", "n": 1}
        ),
    )
    for number, one in enumerate(chains(9))
]
ALL: list[Event] = [*EVENTS, *ERASURES]


@pytest.fixture
async def installation(pool: asyncpg.Pool) -> Installation:
    """The events ingested, then the erasures; no row is erased yet."""
    installation = Installation(pool)
    installation.publish(EVENTS)
    await installation.ingest_all()
    installation.publish(ERASURES)
    await installation.ingest_all()
    return installation


async def erase(pool: asyncpg.Pool) -> None:
    while await Eraser(pool).erase_next():
        pass


async def test_an_erased_table_equals_its_topics(installation: Installation) -> None:
    await erase(installation.pool)
    report = await installation.rebuilt()
    assert (report.differences.rows, report.overrides_differing) == (0, 0)
    assert report.live == report.rebuilt
    assert (await installation.repaired()).repaired == 0
    assert differences(await stored_rows(installation.pool), ALL) == []


async def test_rows_that_no_pass_has_erased_yet_are_differences_that_a_repair_erases(
    installation: Installation,
) -> None:
    report = await installation.rebuilt()
    assert report.differences.by_column == {"user_id": 3, "metadata": 3, "erased": 3}
    await installation.repaired()
    assert differences(await stored_rows(installation.pool), ALL) == []
    assert installation.kept.provenance[UUID(str(EVENTS[0].id))].user_id is None


async def test_an_empty_table_is_loaded_without_the_person_and_erases_what_comes_after(
    installation: Installation,
) -> None:
    await empty_tables(installation.pool)
    report = await installation.rebuilt(initial_load=True)
    assert report.loaded
    assert differences(await stored_rows(installation.pool), ALL) == []
    assert await installation.pool.fetchval("SELECT count(*) FROM erasures WHERE applied_at IS NOT NULL") == 2
    await erase(installation.pool)
    assert len({row.revision for row in (await stored_rows(installation.pool)).values()}) == 1


async def test_a_lost_erasure_is_a_difference_that_a_repair_brings_back_and_a_pass_applies(
    installation: Installation,
) -> None:
    await installation.pool.execute("DELETE FROM erasures")
    assert (await installation.rebuilt()).overrides_differing == 2
    await installation.repaired()
    await erase(installation.pool)
    assert (await installation.rebuilt()).overrides_differing == 0
    assert differences(await stored_rows(installation.pool), ALL) == []


async def test_a_topic_that_was_rewritten_gives_the_same_table(installation: Installation) -> None:
    await erase(installation.pool)
    known = Erasures().with_all(erasure_of(one) for one in ERASURES if isinstance(one, UserErased))
    for messages in installation.topic.partitions.values():
        messages.clear()
    installation.publish([erased_event(one, known) for one in EVENTS if not is_override(one)])
    report = await installation.rebuilt()
    assert (report.differences.rows, report.overrides_differing) == (0, 0)
