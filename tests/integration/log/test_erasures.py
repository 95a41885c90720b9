"""A person is erased from rows in any order of arrival, however writers interleave: the table is the fold."""

import asyncio
import json
from collections.abc import Sequence
from itertools import permutations
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from harness.log_table import differences, empty_tables, stored_rows
from harness.writers import GROUP, NAMES, KeptMessages, Recomputer, Writer
from histories import erasure, event
from llamalog_schemas import EntityEvent, Event, LegacyRow, decode_event, is_erased, is_override
from llamalog_service.adoption.legacy_events import row_message
from llamalog_service.domain.erasures import Erasures, erased_event, erasure_of
from llamalog_service.domain.fold import fold
from llamalog_service.ingest.ingest import Ingest, JobCache
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.erasures import Eraser
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.unsourced_rows import UnsourcedRowStore

ADA, BOB = "7c1f", "9a02"


def of_user(number: int, user: str | None, job: str = "job", **metadata: object) -> EntityEvent:
    made = event(number, job)
    return replace(made, data=replace(made.data, user_id=user, metadata=metadata or None))


HISTORY: list[Event] = [
    of_user(1, ADA, editor="Ada", mail="a@b.c", track=3),
    of_user(2, BOB, editor="Bob"),
    erasure(3, ADA, keys=("editor",)),
    erasure(4, ADA, keys=("mail",)),
]


@pytest.fixture
def writer(pool: asyncpg.Pool) -> Writer:
    return Writer(pool, KeptMessages())


async def erase(pool: asyncpg.Pool, page: int = 5_000) -> None:
    eraser = Eraser(pool, page=page)
    while await eraser.erase_next():
        pass


async def difference_to(pool: asyncpg.Pool, events: Sequence[Event]) -> list[str]:
    return differences(await stored_rows(pool), events)


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_the_table_is_the_folds_in_any_order(
    pool: asyncpg.Pool, writer: Writer, order: Sequence[int]
) -> None:
    for at in order:
        await writer.write(HISTORY[at])
        await erase(pool)
    assert await difference_to(pool, HISTORY) == []
    assert (await stored_rows(pool))[UUID(int=1)].content.metadata == {"track": 3}


async def test_within_one_batch_no_row_is_ever_written_with_its_person(
    pool: asyncpg.Pool, writer: Writer
) -> None:
    await writer.write(*HISTORY)
    assert await difference_to(pool, HISTORY) == []
    (record,) = [one for one in writer.kept.provenance.values() if one.id == UUID(int=1)]
    assert (record.user_id, record.erased, record.revision, record.metadata) == (None, True, 1, {"track": 3})


async def test_what_readers_believe_of_an_erased_row_names_the_person_no_longer(
    pool: asyncpg.Pool, writer: Writer
) -> None:
    await writer.write(*HISTORY[:2])
    assert writer.kept.provenance[UUID(int=1)].user_id == ADA
    await writer.write(*HISTORY[2:])
    await erase(pool)
    await Recomputer(pool, writer.kept).publish_corrections()
    record = writer.kept.provenance[UUID(int=1)]
    assert (record.user_id, record.erased, record.revision, record.metadata) == (None, True, 2, {"track": 3})
    assert writer.kept.provenance[UUID(int=2)].revision == 1


@pytest.mark.parametrize("is_erased_before", [False, True])
async def test_an_event_that_is_sent_again_is_a_duplicate_before_and_after_the_pass(
    pool: asyncpg.Pool, writer: Writer, is_erased_before: bool
) -> None:
    await writer.write(*HISTORY[:3])
    if is_erased_before:
        await erase(pool)
    await writer.write(HISTORY[3])  # its key is still in the row
    outcome = await writer.write(*HISTORY[:2])
    assert (outcome.duplicates, outcome.dead_letters) == (2, 0)
    await erase(pool)
    assert await difference_to(pool, HISTORY) == []
    other = replace(HISTORY[0], data=replace(HISTORY[0].data, operation="another"))
    assert (await writer.write(other)).dead_letters == 1


async def test_an_event_that_was_rewritten_is_a_duplicate_of_the_erased_row_and_makes_the_same(
    pool: asyncpg.Pool, writer: Writer
) -> None:
    await writer.write(*HISTORY)
    await erase(pool)
    known = Erasures().with_all(erasure_of(one) for one in HISTORY[2:])  # type: ignore[arg-type]
    rewritten = [one if is_override(one) else erased_event(one, known) for one in HISTORY]
    assert [is_erased(one) for one in rewritten if not is_override(one)] == [True, False]
    outcome = await writer.write(*rewritten[:2])
    assert (outcome.duplicates, outcome.dead_letters) == (2, 0)
    before = await stored_rows(pool)
    await empty_tables(pool)
    writer.lose_memory()
    await writer.write(*rewritten)
    after = await stored_rows(pool)
    assert {row: (one.content, one.erased) for row, one in after.items()} == {
        row: (one.content, one.erased) for row, one in before.items()
    }


class _HeldStore(LogStore):
    """A store whose writes wait, within their transaction, after they have seen the erasures of the table."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        super().__init__(pool)
        self.has_begun, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def _insert_rows(self, *values: Any, **named: Any) -> None:
        self.has_begun.set()
        await self.may_go_on.wait()
        await super()._insert_rows(*values, **named)


@pytest.mark.parametrize("seen", [0, 1], ids=["no erasure seen", "the erasure of more keys not seen"])
async def test_a_row_that_is_committed_behind_the_pass_is_erased_all_the_same(
    pool: asyncpg.Pool, writer: Writer, seen: int
) -> None:
    await writer.write(*HISTORY[2 : 2 + seen])
    store = _HeldStore(pool)
    late = Writer(pool, writer.kept, partition=1)
    late._ingest = Ingest(
        store, EventPublisher(writer.kept, NAMES, source="/tests"), JobCache(10), group=GROUP
    )
    writing = asyncio.create_task(late.write(HISTORY[0]))
    await store.has_begun.wait()
    await writer.write(*HISTORY[1:])
    await erase(pool)
    assert await pool.fetchval("SELECT count(*) FROM erasures WHERE applied_at IS NULL") == 0
    store.may_go_on.set()
    await writing
    await erase(pool)
    assert await difference_to(pool, HISTORY) == []


async def test_a_consumer_that_has_not_heard_of_an_erasure_writes_no_row_with_the_person(
    pool: asyncpg.Pool, writer: Writer
) -> None:
    other = Writer(pool, writer.kept, partition=1)
    await other.write(of_user(9, BOB))
    await writer.write(*HISTORY[2:])
    await other.write(HISTORY[0])
    stored = (await stored_rows(pool))[UUID(int=1)]
    assert (stored.content.user_id, stored.revision, stored.erased) == (None, 1, True)


async def test_a_pass_that_is_interrupted_goes_on_and_reports_how_many_rows_it_erased(
    pool: asyncpg.Pool, writer: Writer
) -> None:
    events: list[Event] = [of_user(number, ADA if number % 2 else BOB) for number in range(1, 8)]
    await writer.write(*events)
    await writer.write(erasure(20, ADA))
    for _ in range(2):
        await Eraser(pool, page=2).erase_next()
    (under_way,) = await pool.fetch("SELECT reached, rows_erased, applied_at FROM erasures")
    assert tuple(under_way) == (UUID(int=4), 2, None)
    await writer.write(erasure(21, BOB))
    await erase(pool, page=2)
    assert await difference_to(pool, [*events, erasure(20, ADA), erasure(21, BOB)]) == []
    erased = await pool.fetch("SELECT rows_erased FROM erasures ORDER BY id")
    # The pass that was under way met a row of the second person, too.
    assert [record["rows_erased"] for record in erased] == [5, 2]
    assert {row.revision for row in (await stored_rows(pool)).values()} == {2}


async def test_rows_that_a_repair_removed_and_kept_are_erased(pool: asyncpg.Pool, writer: Writer) -> None:
    kept = {"id": str(UUID(int=5)), "user_id": ADA, "metadata": {"editor": "Ada", "n": 1}, "revision": 1}
    others = {"id": str(UUID(int=6)), "user_id": BOB, "metadata": {"editor": "Bob"}, "revision": 1}
    for content in (kept, others):
        await pool.execute(
            "INSERT INTO removed_rows (row_id, content) VALUES ($1, $2)", UUID(str(content["id"])), content
        )
    await writer.write(*HISTORY)
    await erase(pool)
    found = await pool.fetch("SELECT content FROM removed_rows ORDER BY row_id")
    contents = [record["content"] for record in found]
    assert [json.loads(one) if isinstance(one, str) else one for one in contents] == [
        kept | {"user_id": None, "metadata": {"n": 1}, "erased": True},
        others,
    ]


async def test_a_legacy_row_is_erased_before_and_after_its_event(pool: asyncpg.Pool, writer: Writer) -> None:
    await pool.execute(
        "INSERT INTO llama_logs (id, operation, category, status, created_at, user_id, metadata) VALUES "
        "($1, 'o', 'CREATED', 'SUCCESS', '2024-05-01 10:30:00.123', $2, $3)",
        UUID(int=7),
        ADA,
        {"editor": "Ada", "n": 1},
    )
    rows = UnsourcedRowStore(pool, "topic")
    with_person = await legacy_event(rows)
    await writer.write(*HISTORY[2:])
    await erase(pool)
    assert (await stored_rows(pool))[UUID(int=7)].erased
    without = await legacy_event(rows)
    assert (is_erased(without), without.data.user_id, without.data.metadata) == (True, None, '{"n": 1}')
    for one in (without, with_person):
        outcome = await writer.write(one)
        assert (outcome.duplicates, outcome.dead_letters) == (1, 0)
    assert fold([without, *HISTORY[2:]]) == fold([with_person, *HISTORY[2:]])


async def legacy_event(rows: UnsourcedRowStore) -> LegacyRow:
    (row,) = await rows.next_rows(None, 10)
    message = row_message(row)
    assert isinstance(message, MessageToSend)
    event = decode_event(message.value or b"")
    assert isinstance(event, LegacyRow)
    return event
