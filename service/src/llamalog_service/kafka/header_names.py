"""Read records although a header's name is no UTF-8.

Brokers accept any bytes as a header's name, and some clients send them. aiokafka decodes names strictly: one
such record makes every fetch of its partition fail, for good, and records before it in the same fetch are
skipped. There is no setting for it, so the fetcher gets another reader of record batches.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any, SupportsIndex, overload

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords

_BATCH_START = Struct(">qi")  # base offset, length of what follows


def read_any_header_name() -> None:
    r"""Have every consumer of this process read names that are no UTF-8 with their odd bytes as ``\xff``."""
    fetcher.MemoryRecords = _Records


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
    """A batch that is read again, leniently, where the strict reader fails."""

    def __init__(self, batch: Any, written: memoryview) -> None:
        self._batch = batch
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except (CorruptRecordException, UnicodeDecodeError):
            again = _DefaultRecordBatchPy(self._written)
            again._maybe_uncompress()
            again._buffer = _LenientText(again._buffer)
            return iter(list(again))


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
