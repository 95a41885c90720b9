"""Read fetched record batches within bounds of bytes, regardless of their decompressed size.

aiokafka decompresses a record batch as a whole and makes all its records at once: a batch of 1 MB can hold
700 MB. It also decodes the names of headers strictly, so that one name that is no UTF-8, which brokers
accept, makes every fetch of its partition fail for good. There is no setting for either, so the fetcher gets
other parts (docs/adr/0024-batches-are-decompressed-in-pieces.md).
"""

import time
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from struct import Struct
from typing import Any, Final, SupportsIndex, overload

from aiokafka import ConsumerRecord
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint

from llamalog_service import kernels
from llamalog_service.kafka.decompression import decompressed

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""The largest record, decompressed, that is read whole: key, value and headers."""

KEPT_BYTES: Final = 512 * 1024
"""Bytes of a larger record that are read; its dead letter keeps no more of the value."""

_TAKEN_BYTES: Final = 1024 * 1024
"""Of one partition in one fetch, where the fetch has no budget of its own."""
_RECORD_BYTES: Final = 100
"""What a record takes beside its key, value and headers."""
SLICE_SECONDS: Final = 0.03
"""Seconds without a record after which reading yields to the event loop."""

_NO_MARKS: Final = bytes(set(range(256)) - set(b",:[{"))
_MARK_COST: Final = 48
"""Each of them begins a value; a small object takes as much, however short its text."""
_BYTE_COST: Final = 4
"""A character of a text may take as many bytes; a record exists as message, row and published record."""

_BATCH_START = Struct(">qi")  # base offset, length of what follows
_HEAD_BYTES: Final = _DefaultRecordBatchPy.HEADER_STRUCT.size
_MAGIC_AT: Final = 16
_ATTRIBUTES_AT: Final = _DefaultRecordBatchPy.ATTRIBUTES_OFFSET
_COUNT_AT: Final = _HEAD_BYTES - 4
_COUNT = Struct(">i")
_VARINT_BYTES: Final = 5

_budget: ContextVar["Budget | None"] = ContextVar("budget", default=None)


def size_of(record: ConsumerRecord) -> int:
    """The bytes that a record takes, decompressed."""
    size: int = _RECORD_BYTES + record.serialized_key_size + record.serialized_value_size
    for name, content in record.headers:
        size += len(name) + len(content or b"")
    return size


def cost_of(record: ConsumerRecord) -> int:
    """The memory that a record takes at most while it is processed, estimated from its bytes."""
    marks = _count_marks(record.value) if record.value else 0
    return _BYTE_COST * size_of(record) + _MARK_COST * marks


def marks_of(value: bytes) -> int:
    """The number of bytes of a message that begin a value: commas, colons and opening brackets."""
    return len(value.translate(None, _NO_MARKS))


_count_marks: Final = marks_of if kernels.compiled is None else kernels.compiled.marks


class CutValue(bytes):
    """The beginning of the value of a record too large to be read whole.

    Attributes:
        record_bytes: the size of the record: key, value and headers.
    """

    record_bytes: int

    @classmethod
    def of(cls, value: bytes, record_bytes: int) -> "CutValue":
        """The beginning of the value of a record of so many bytes."""
        cut = cls(value)
        cut.record_bytes = record_bytes
        return cut


@dataclass(slots=True)
class Budget:
    """Bytes that the fetches of a task may still return; a fetch may exceed it by one record."""

    left: int

    def __enter__(self) -> "Budget":
        _budget.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        _budget.set(None)


def read_within_bounds() -> None:
    """Have every consumer of this process read record batches by this module."""
    fetcher.MemoryRecords = _Records
    fetcher.PartitionRecords = _PartitionRecords
    fetcher.FetchResult = _FetchResult


class _Records:
    """The record batches of a fetched piece of a partition, with the interface that the fetcher uses."""

    def __init__(self, data: bytes) -> None:
        self._records = MemoryRecords(data)
        self._data = memoryview(data)
        self._at = 0
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> "_Batch":
        batch = self._records.next_batch()
        end = self._at + _BATCH_START.size + _BATCH_START.unpack_from(self._data, self._at)[1]
        written, self._at = self._data[self._at : end], end
        return _Batch(batch, written)


class _Batch:
    """A batch whose records are read piece by piece, and leniently where the strict reader fails."""

    def __init__(self, batch: Any, written: memoryview) -> None:
        self._batch = batch
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """The marker in a control batch, which the fetcher takes without iterating."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        if self._written[_MAGIC_AT] < 2:
            return iter(self._batch)
        if not self._batch.compression_type:
            return iter(_records_of(self._batch, self._written))
        return self._decompressed()

    def _decompressed(self) -> Iterator[Any]:
        head = bytearray(self._written[:_HEAD_BYTES])
        head[_ATTRIBUTES_AT + 1] &= ~_DefaultRecordBatchPy.CODEC_MASK
        (left,) = _COUNT.unpack_from(head, _COUNT_AT)
        buffer = bytearray()
        pieces = decompressed(self._batch.compression_type, self._written[_HEAD_BYTES:])
        for piece in pieces:
            if not piece:
                yield None
                continue
            buffer += piece
            while True:
                count, end, size = _whole_records(buffer, left)
                if count:
                    _COUNT.pack_into(head, _COUNT_AT, count)
                    whole = bytes(head + buffer[:end])
                    yield from _records_of(DefaultRecordBatch(whole), whole)
                    del buffer[:end]
                    left -= count
                if size <= MAX_RECORD_BYTES:
                    break
                yield from self._beginning(buffer, size, pieces)
                left -= 1
        if left or buffer:
            raise CorruptRecordException(f"{left} records of a batch are missing, {len(buffer)} bytes left")

    def _beginning(self, buffer: bytearray, size: int, pieces: Iterator[bytes]) -> Iterator[Any]:
        """A record too large to be read whole; the buffer holds what follows it in the end."""
        while len(buffer) < KEPT_BYTES:
            buffer += _next_of(pieces, size)
        record = _cut_record(self._batch, bytes(buffer[:KEPT_BYTES]), size)
        skipped, deadline = 0, time.monotonic() + SLICE_SECONDS
        while skipped + len(buffer) < size:
            skipped += len(buffer)
            buffer[:] = _next_of(pieces, size)
            if time.monotonic() > deadline:
                yield None
                deadline = time.monotonic() + SLICE_SECONDS
        del buffer[: size - skipped]
        yield record


def _next_of(pieces: Iterator[bytes], size: int) -> bytes:
    """The next piece of a record of so many bytes."""
    for piece in pieces:
        if piece:
            return piece
    raise CorruptRecordException(f"a compressed batch ends within a record of {size} bytes")


def _records_of(batch: Any, written: bytes | memoryview) -> list[Any]:
    """The records of a batch that is not compressed."""
    try:
        return list(batch)
    except (CorruptRecordException, UnicodeDecodeError):
        again = _DefaultRecordBatchPy(written)
        again._buffer = _LenientText(again._buffer)
        return list(again)


def _whole_records(buffer: bytearray, most: int) -> tuple[int, int, int]:
    """The number of whole records at the beginning, their end, and the size of the one that is not whole.

    The size is 0 where there is none, or where its length is not whole either.
    """
    count, end, length = 0, 0, len(buffer)
    while count < most and end < length:
        try:
            size, start = decode_varint(buffer, end)
        except (IndexError, ValueError):
            if length - end > _VARINT_BYTES:
                raise CorruptRecordException("a record has no valid length") from None
            return count, end, 0
        if size < 0:
            raise CorruptRecordException(f"a record has a length of {size} bytes")
        if start + size > length:
            return count, end, start - end + size
        count, end = count + 1, start + size
    return count, end, 0


def _cut_record(batch: Any, kept: bytes, size: int) -> _DefaultRecordPy:
    """A record of which a part is there: its key and the beginning of its value, as far as they are."""
    at = decode_varint(kept, 0)[1]
    at = decode_varint(kept, at)[1]  # attributes
    elapsed, at = decode_varint(kept, at)
    offset_delta, at = decode_varint(kept, at)
    key_bytes, at = decode_varint(kept, at)
    key = kept[at : at + key_bytes] if key_bytes >= 0 else None
    at += max(0, key_bytes)
    value = b""
    if at + _VARINT_BYTES < len(kept):
        value_bytes, at = decode_varint(kept, at)
        value = kept[at : at + max(0, value_bytes)]
    timestamp = batch.max_timestamp if batch.timestamp_type else batch.first_timestamp + elapsed
    return _DefaultRecordPy(
        batch.base_offset + offset_delta, timestamp, batch.timestamp_type, key, CutValue.of(value, size), []
    )


class _LenientText(bytearray):
    """Bytes of which a slice that is no UTF-8 can be decoded all the same."""

    @overload
    def __getitem__(self, at: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, at: slice) -> "_LenientText": ...
    def __getitem__(self, at: SupportsIndex | slice) -> "int | _LenientText":
        found = super().__getitem__(at)
        return found if isinstance(found, int) else _LenientText(found)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, "backslashreplace")


class _PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]  # aiokafka has no types
    """The records of a fetched piece; None where reading is to yield to the event loop."""

    next_fetch_offset: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self._records_iterator or ())

    def _unpack_records(self) -> Iterator[Any]:
        topic, partition = self._tp
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if self._is_shown(batch):
                deadline = time.monotonic() + SLICE_SECONDS
                for record in batch:
                    if record is None:
                        yield None
                    elif (offset := record.offset) >= self.next_fetch_offset:
                        self.next_fetch_offset = offset + 1
                        yield _consumer_record(topic, partition, offset, record)
                    elif time.monotonic() > deadline:
                        yield None
                        deadline = time.monotonic() + SLICE_SECONDS
            self.next_fetch_offset = batch.next_offset

    def _is_shown(self, batch: Any) -> bool:
        """Whether a batch holds messages, and those of no aborted transaction."""
        if self._isolation_level == fetcher.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return False
        return not batch.is_control_batch


def _consumer_record(topic: str, partition: int, offset: int, record: Any) -> ConsumerRecord:
    """As the client's own function makes it, without deserialisers."""
    key, value = record.key, record.value
    return ConsumerRecord(
        topic,
        partition,
        offset,
        record.timestamp,
        record.timestamp_type,
        key,
        value,
        record.checksum,
        -1 if key is None else len(key),
        -1 if value is None else len(value),
        tuple(record.headers),
    )


class _FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """A fetched piece of a partition, handed over in portions bounded by bytes."""

    _partition_records: _PartitionRecords | None

    def getall(self, max_records: int | None = None) -> list[Any]:
        """The next records, as many as the budget allows; they may be none, and more be left."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        budget = _budget.get() or Budget(_TAKEN_BYTES)
        records: list[Any] = []
        if budget.left <= 0:
            return records
        left, rest = budget.left, self._partition_records
        for record in rest or ():
            if record is None:
                break
            records.append(record)
            left -= size_of(record)
            if left <= 0 or len(records) == max_records:
                break
        else:
            rest = None
        self._update_position()
        self._partition_records = rest
        budget.left = left
        return records
