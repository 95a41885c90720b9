"""Record batches read piece by piece: the same records as aiokafka's, and never more than a bound at once."""

import gzip
import os
import struct
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.codec import snappy_encode
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from zstandard import ZstdCompressionParameters, ZstdCompressor

from llamalog_service.kafka import decompression
from llamalog_service.kafka.decompression import PIECE_BYTES, decompressed
from llamalog_service.kafka.record_batches import (
    KEPT_BYTES,
    MAX_RECORD_BYTES,
    Budget,
    CutValue,
    _FetchResult,
    _PartitionRecords,
    _Records,
    size_of,
)

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
COMPRESSED = {name: codec for name, codec in CODECS.items() if codec}
AT = TopicPartition("events", 0)
Sent = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]


def batch_of(codec: int, records: Sequence[Sent]) -> bytes:
    batch = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=2**31 - 1,
    )
    for number, (key, value, headers) in enumerate(records):
        assert batch.append(number, 1000 + number, key, value, headers) is not None
    return bytes(batch.build())


def partition_records(data: bytes, start: int = 0) -> _PartitionRecords:
    return _PartitionRecords(AT, _Records(data), None, start, None, None, True, fetcher.READ_COMMITTED)


def read(data: bytes, start: int = 0) -> list[Any]:
    return [record for record in partition_records(data, start) if record is not None]


def read_by_aiokafka(data: bytes) -> list[Any]:
    records = _PartitionRecords.__mro__[1]  # as it was before it was replaced
    return list(records(AT, MemoryRecords(data), None, 0, None, None, True, fetcher.READ_COMMITTED))


def some_records() -> list[Sent]:
    dice = Random(1)
    values = [None, b"", *(dice.randbytes(size) for size in (1, 60, 5000))]
    headers: list[list[tuple[str, bytes | None]]] = [[], [("a", b"x")], [("content-type", None), ("é", b"1")]]
    return [
        (dice.choice([None, b"", b"key"]), dice.choice(values), dice.choice(headers)) for _ in range(1500)
    ]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_records_are_those_that_aiokafka_reads(codec: int) -> None:
    large: list[Sent] = [(b"%d" % number, b"large" * 60_000, [("h", b"v")]) for number in range(20)]
    data = batch_of(codec, some_records()) + batch_of(codec, large) + batch_of(codec, large[:1])
    assert read(data) == read_by_aiokafka(data)


@pytest.mark.parametrize("codec", COMPRESSED.values(), ids=COMPRESSED)
def test_a_batch_of_any_size_is_read_in_little_memory(codec: int) -> None:
    data = batch_of(codec, [(None, bytes(200_000), [])] * 200)
    tracemalloc.start()
    try:
        assert sum(len(record.value) for record in partition_records(data)) == 40_000_000
        assert tracemalloc.get_traced_memory()[1] < len(data) + 8_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("codec", COMPRESSED.values(), ids=COMPRESSED)
def test_a_record_that_is_too_large_is_cut_and_its_neighbours_are_whole(codec: int) -> None:
    too_large = MAX_RECORD_BYTES + 1
    data = batch_of(
        codec,
        [
            (b"before", b"1", []),
            (b"key", b"z" * too_large, [("h", b"v")]),
            (b"between", b"2", []),
            (b"k" * too_large, b"value", []),
            (b"header", None, [("h", b"v" * too_large)]),
            (b"large", b"3" * (MAX_RECORD_BYTES - 1000), []),
            (b"after", b"4", []),
        ],
    )
    records = read(data)
    assert [record.offset for record in records] == list(range(7))
    assert [record.timestamp for record in records] == list(range(1000, 1007))
    cut = [records[1], records[3], records[4]]
    assert all(type(record.value) is CutValue and record.value.record_bytes > too_large for record in cut)
    assert (cut[0].key, cut[0].value[:10], cut[2].key) == (b"key", b"z" * 10, b"header")
    assert all(len(record.key) + len(record.value) <= KEPT_BYTES for record in cut)
    assert [record.value for record in (records[0], records[2], records[6])] == [b"1", b"2", b"4"]
    assert len(records[5].value) == MAX_RECORD_BYTES - 1000
    last = batch_of(codec, [(None, b"z" * too_large, []), (b"after", b"4", []), (b"end", b"5", [])])
    assert [record.key for record in read(last)] == [None, b"after", b"end"]


def fetched(data: bytes, start: int = 0) -> _FetchResult:
    class State:
        paused = False
        position = start

        def consumed_to(self, offset: int) -> None:
            self.position = offset

    class Assignment:
        active = True
        state = State()

        def state_value(self, _: TopicPartition) -> State:
            return self.state

    return _FetchResult(
        AT, partition_records=partition_records(data, start), assignment=Assignment(), backoff=0
    )


def portions(result: _FetchResult, budget: int, most: int = 3000) -> Iterator[list[Any]]:
    while result.has_more():
        with Budget(budget):
            yield result.getall(most)


def test_a_fetch_returns_as_many_bytes_as_its_budget_and_goes_on_from_there() -> None:
    data = batch_of(CODECS["gzip"], [(None, bytes(100_000), [])] * 50)
    found = list(portions(fetched(data), budget=1_000_000))
    assert [record.offset for portion in found for record in portion] == list(range(50))
    assert max(sum(map(size_of, portion)) for portion in found) < 1_100_000 + 200
    headers = batch_of(CODECS["gzip"], [(None, b"", [("h", bytes(100_000))])] * 50)
    assert max(map(len, portions(fetched(headers), budget=1_000_000))) < 12


def test_a_budget_is_shared_by_partitions_and_a_record_larger_than_it_comes_alone() -> None:
    data = batch_of(CODECS["gzip"], [(None, bytes(100_000), [])] * 5)
    with Budget(150_000):
        assert [len(fetched(data).getall()) for _ in range(3)] == [2, 0, 0]
    assert [len(portion) for portion in portions(fetched(data), budget=10)] == [1, 1, 1, 1, 1, 0]


def test_skipping_to_an_offset_gives_others_a_turn() -> None:
    """After a restart in the middle of a batch, what lies before is decompressed once more."""
    data = batch_of(CODECS["gzip"], [(None, bytes(1_000_000), [])] * 200)
    result, longest = fetched(data, start=199), 0.0
    portion: list[Any] = []
    while not portion:
        began = time.thread_time()
        portion = result.getall()
        longest = max(longest, time.thread_time() - began)
    assert [record.offset for record in portion] == [199]
    assert longest < 0.1


@pytest.mark.parametrize("codec", COMPRESSED.values(), ids=COMPRESSED)
def test_a_batch_that_ends_too_early_is_refused(codec: int) -> None:
    written = batch_of(codec, [(None, os.urandom(1000), [])] * 10)[:-700]
    length = struct.pack(">i", len(written) - 12)
    checksum = struct.pack(">I", calc_crc32c(written[21:]))
    cut = written[:8] + length + written[12:17] + checksum + written[21:]
    with pytest.raises(CorruptRecordException):
        read(cut)


def test_snappy_without_framing_and_gzip_in_members_are_read() -> None:
    text = b"some text" * 100_000
    raw = snappy_encode(text, xerial_compatible=False)
    assert b"".join(decompressed(CODECS["snappy"], memoryview(raw))) == text
    members = gzip.compress(text) + gzip.compress(b"more")
    pieces = list(decompressed(CODECS["gzip"], memoryview(members)))
    assert b"".join(pieces) == text + b"more"
    assert max(map(len, pieces)) <= PIECE_BYTES


def test_a_batch_of_very_many_gzip_members_is_read_in_turns() -> None:
    members = gzip.compress(b"x") * 20_000
    began = time.process_time()
    pieces = list(decompressed(CODECS["gzip"], memoryview(members)))
    assert time.process_time() - began < 1.0
    assert b"".join(pieces) == b"x" * 20_000
    assert pieces.count(b"") == 200
    empty = list(decompressed(CODECS["gzip"], memoryview(gzip.compress(b"") * 1000 + members[:21])))
    assert b"".join(empty) == b"x"


def with_a_wide_window(batch: bytes) -> bytes:
    """A batch that is not compressed as a producer of the highest level of zstd compresses it."""
    window = ZstdCompressionParameters.from_level(3, window_log=27)
    compressor = ZstdCompressor(compression_params=window).compressobj()
    records = compressor.compress(batch[61:]) + compressor.flush()
    head = bytearray(batch[:61])
    head[22] |= CODECS["zstd"]
    head[8:12] = struct.pack(">i", len(head) + len(records) - 12)
    head[17:21] = struct.pack(">I", calc_crc32c(bytes(head[21:]) + records))
    return bytes(head) + records


def test_wide_windows_are_open_one_at_a_time() -> None:
    data = with_a_wide_window(batch_of(0, [(None, bytes(100_000), [])] * 50))
    assert read(data) == read_by_aiokafka(data)
    one, other = fetched(data), fetched(data)
    with Budget(1_000_000):
        assert one.getall()
    with Budget(1_000_000):
        assert (other.getall(), other.has_more()) == ([], True)
    assert sum(map(len, portions(one, 1_000_000))) == 40
    assert sum(map(len, portions(other, 1_000_000))) == 50


def test_a_wide_window_that_is_not_read_on_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    data = with_a_wide_window(batch_of(0, [(None, bytes(100_000), [])] * 50))
    one, other = fetched(data), fetched(data)
    with Budget(1_000_000):
        assert one.getall()
    monkeypatch.setattr(decompression, "_IDLE_SECONDS", 0.0)
    assert sum(map(len, portions(other, 1_000_000))) == 50
    assert sum(map(len, portions(one, 1_000_000))) == 40
