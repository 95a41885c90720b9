"""Each row's updates once, of records that come at least once and in no order."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord

from harness.provenance_messages import message_of, row
from llamalog_schemas import encode
from llamalog_schemas.consumer import Change, ProvenanceUpdate, Removed, RevisionCache, UnreadableRecord
from llamalog_schemas.consumer.updates import Deduplicator, portions
from llamalog_schemas.provenance import Provenance

A, B = uuid4(), uuid4()


def record(offset: int, value: bytes | None, key: bytes = b"") -> ConsumerRecord:
    return ConsumerRecord("t", 3, offset, 0, 0, key, value, None, 0, len(value or b""), ())


def published(offset: int, data: Provenance) -> ConsumerRecord:
    return record(offset, encode(message_of(data)))


def tombstone(offset: int, row_id: UUID) -> ConsumerRecord:
    return record(offset, None, str(row_id).encode())


def summary(changes: Sequence[Change]) -> list[tuple[UUID, int, int | None, int]]:
    """Row, revision (0: it was removed), the revision before, and the position after each change."""
    return [
        (each.row_id, 0, each.removes, each.next.offset)
        if isinstance(each, Removed)
        else (each.row.id, each.row.revision, each.corrects, each.next.offset)
        for each in changes
    ]


async def test_each_revision_of_a_row_is_an_update_once_and_an_older_one_is_none() -> None:
    deduplicator = Deduplicator(RevisionCache())
    updates = await deduplicator.updates(
        [
            published(10, row(A)),
            published(11, row(A)),
            published(12, row(B, 2)),
            published(13, row(B, 1)),
            published(14, row(A, 2)),
            published(15, row(A, 1)),
        ]
    )
    assert summary(updates) == [(A, 1, None, 12), (B, 2, None, 14), (A, 2, 1, 16)]
    assert [isinstance(each, ProvenanceUpdate) and each.is_correction for each in updates] == [
        False,
        True,
        True,
    ]
    assert {each.next.partition for each in updates} == {3}


async def test_updates_that_were_not_noted_come_again() -> None:
    deduplicator = Deduplicator(RevisionCache())
    first, second = await deduplicator.updates([published(1, row(A)), published(2, row(B))])
    deduplicator.note(first)
    assert summary(await deduplicator.updates([published(1, row(A)), published(2, row(B))])) == summary(
        [second]
    )


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
    looked_up: list[Collection[UUID]] = []

    class Store:
        async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
            looked_up.append(rows)
            return {A: 2}

    updates = await Deduplicator(Store()).updates(
        [published(1, row(A, 2)), published(2, row(B)), published(3, row(A, 3))]
    )
    assert summary(updates) == [(B, 1, None, 3), (A, 3, 2, 4)]
    assert looked_up == [{A, B}]


async def test_an_unreadable_record_is_skipped_and_reported() -> None:
    unreadable: list[UnreadableRecord] = []
    deduplicator = Deduplicator(RevisionCache(), unreadable.append)
    updates = await deduplicator.updates(
        [record(1, b"{"), record(2, None), published(3, row(A)), record(4, b"")]
    )
    assert summary(updates) == [(A, 1, None, 5)]
    assert [each.record.offset for each in unreadable] == [1, 4]
    assert await deduplicator.updates([record(5, None)]) == []


async def test_a_removal_is_a_change_once_and_a_row_recorded_again_is_new() -> None:
    deduplicator = Deduplicator(RevisionCache())
    changes = await deduplicator.updates(
        [
            published(1, row(A, 2)),
            tombstone(2, A),
            tombstone(3, A),
            published(4, row(A, 3)),
            published(5, row(A, 3)),
            tombstone(6, A),
            published(7, row(A, 3)),
        ]
    )
    assert summary(changes) == [(A, 2, None, 2), (A, 0, 2, 4), (A, 3, None, 6), (A, 0, 3, 7), (A, 3, None, 8)]


async def test_a_removal_is_known_in_later_batches() -> None:
    deduplicator = Deduplicator(RevisionCache())
    for records, expected in [
        ([published(1, row(A, 2))], [(A, 2, None, 2)]),
        ([tombstone(2, A)], [(A, 0, 2, 3)]),
        ([tombstone(2, A), tombstone(3, A)], []),
        ([published(4, row(A))], [(A, 1, None, 5)]),
        ([published(5, row(A))], []),
        ([tombstone(6, A)], [(A, 0, 1, 7)]),
    ]:
        changes = await deduplicator.updates(records)
        assert summary(changes) == expected
        for each in changes:
            deduplicator.note(each)


async def test_the_removal_of_a_row_that_is_not_known_is_a_change_too() -> None:
    """A view may hold the row although the consumer has forgotten it."""
    assert summary(await Deduplicator(RevisionCache()).updates([tombstone(1, A)])) == [(A, 0, None, 2)]


async def test_the_readers_own_store_may_forget_a_removed_row_or_keep_it_as_0() -> None:
    class Store:
        async def highest(self, rows: Collection[UUID]) -> Mapping[UUID, int]:
            return {A: 0}

    changes = await Deduplicator(Store()).updates([tombstone(1, A), tombstone(2, B), published(3, row(A, 4))])
    assert summary(changes) == [(B, 0, None, 3), (A, 4, None, 4)]


async def test_a_record_without_a_value_whose_key_is_no_row_is_reported() -> None:
    unreadable: list[UnreadableRecord] = []
    deduplicator = Deduplicator(RevisionCache(), unreadable.append)
    assert await deduplicator.updates([record(1, None, b"album-1"), record(2, None, b"\xff")]) == []
    assert [each.record.offset for each in unreadable] == [1, 2]
    assert "no id of a row" in str(unreadable[0].error)


async def test_the_last_change_reaches_the_position_of_the_consumer() -> None:
    """The marker of a transaction lies between the last record and that position."""
    deduplicator = Deduplicator(RevisionCache())
    changes = await deduplicator.updates([published(1, row(A)), tombstone(2, B)], end=4)
    assert summary(changes) == [(A, 1, None, 2), (B, 0, None, 4)]


def test_records_are_taken_in_portions_of_few_bytes_and_few_records() -> None:
    small, large, largest = b"s" * 10, b"l" * 400_000, b"h" * 3_000_000
    values = [small, large, large, large, None, largest, small, *[small] * 1100]
    records = [record(offset, value) for offset, value in enumerate(values)]
    taken = [[each.offset for each in portion] for portion in portions(records)]
    assert taken[:4] == [[0, 1, 2], [3, 4], [5], list(range(6, 506))]
    assert [offset for portion in taken for offset in portion] == list(range(len(values)))
    assert max(map(len, taken)) == 500
    assert list(portions([])) == []
