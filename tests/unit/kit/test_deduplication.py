"""Each row's updates once, of records that come at least once and in no order."""

from collections.abc import Collection, Mapping
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord

from harness.told import message_of, row
from llamalog_schemas import encode
from llamalog_schemas.consumer import RevisionCache, UnreadableRecord
from llamalog_schemas.consumer.updates import Deduplicator, ProvenanceUpdate
from llamalog_schemas.provenance import Provenance

A, B = uuid4(), uuid4()


def record(offset: int, value: bytes | None) -> ConsumerRecord:
    return ConsumerRecord("t", 3, offset, 0, 0, b"", value, None, 0, len(value or b""), ())


def told(offset: int, said: Provenance) -> ConsumerRecord:
    return record(offset, encode(message_of(said)))


def summary(updates: list[ProvenanceUpdate]) -> list[tuple[UUID, int, int | None, int]]:
    return [(each.row.id, each.row.revision, each.corrects, each.next.offset) for each in updates]


async def test_each_revision_of_a_row_is_an_update_once_and_an_older_one_is_none() -> None:
    deduplicator = Deduplicator(RevisionCache())
    updates = await deduplicator.updates(
        [
            told(10, row(A)),
            told(11, row(A)),
            told(12, row(B, 2)),
            told(13, row(B, 1)),
            told(14, row(A, 2)),
            told(15, row(A, 1)),
        ]
    )
    assert summary(updates) == [(A, 1, None, 12), (B, 2, None, 14), (A, 2, 1, 16)]
    assert [each.is_correction for each in updates] == [False, True, True]
    assert {each.next.partition for each in updates} == {3}


async def test_updates_that_were_not_noted_come_again() -> None:
    deduplicator = Deduplicator(RevisionCache())
    first, second = await deduplicator.updates([told(1, row(A)), told(2, row(B))])
    deduplicator.note(first)
    assert summary(await deduplicator.updates([told(1, row(A)), told(2, row(B))])) == summary([second])


async def test_the_cache_is_bounded_and_evicts_the_least_recently_updated_row() -> None:
    remembered = RevisionCache(rows=2)
    c = uuid4()
    for row_id in (A, B, A, c):
        remembered.note(row_id, 1)
    assert await remembered.highest([A, B, c]) == {A: 1, c: 1}
    remembered.note(A, 3)
    remembered.note(A, 2)
    assert (await remembered.highest([A]))[A] == 3


async def test_the_readers_own_store_is_queried_once_a_batch() -> None:
    asked: list[Collection[UUID]] = []

    class Store:
        async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
            asked.append(rows)
            return {A: 2}

    updates = await Deduplicator(Store()).updates([told(1, row(A, 2)), told(2, row(B)), told(3, row(A, 3))])
    assert summary(updates) == [(B, 1, None, 3), (A, 3, 2, 4)]
    assert asked == [{A, B}]


async def test_an_unreadable_record_is_skipped_and_reported() -> None:
    unreadable: list[UnreadableRecord] = []
    deduplicator = Deduplicator(RevisionCache(), unreadable.append)
    updates = await deduplicator.updates([record(1, b"{"), record(2, None), told(3, row(A)), record(4, b"")])
    assert summary(updates) == [(A, 1, None, 5)]
    assert [each.record.offset for each in unreadable] == [1, 4]
    assert await deduplicator.updates([record(5, None)]) == []
