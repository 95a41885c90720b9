"""Archiver of a topic: writes an archive, and continues it where it ends."""

import asyncio
import fcntl
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from llamalog_service.kafka.reader import Portion, Record
from llamalog_service.rebuild.archive.archive import (
    Archive,
    require_continuation,
    require_end,
    require_partitions,
)
from llamalog_service.rebuild.archive.segments import (
    INCOMPLETE_SEGMENTS,
    SEGMENT_BYTES,
    ArchiveError,
    SegmentWriter,
    list_segments,
    read_manifest,
    write_manifest,
)
from llamalog_service.rebuild.ports import History, OnProgress, RebuildProgress

LOCK: Final = ".lock"
"""The file in the folder of an archive that its one writer has locked."""


class ArchiveBusyError(ArchiveError):
    """Another process writes the archive."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another `llamalog archive` writes into {folder}. Nothing was done: there is one at a time. "
            "Wait for its end; what it has not written then, the same command writes."
        )


class ArchiveReport(Struct, frozen=True, rename="camel"):
    """The report of an archiving.

    Attributes:
        messages: written by this call.
        positions: the next offsets of the archive, by partition.
        overrides: the report of the archive of overrides.
    """

    topic: str
    messages: int
    positions: dict[str, int]
    overrides: "ArchiveReport | None" = None


class Archiver:
    """Writes the messages that an archive lacks of its topic, segment by segment."""

    def __init__(
        self,
        folder: Path,
        topic: str,
        history: History,
        on_progress: OnProgress = lambda _: None,
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._folder = folder
        self._topic = topic
        self._history = history
        self._on_progress = on_progress
        self._segment_bytes = segment_bytes
        self._writers: dict[int, SegmentWriter] = {}

    async def run(self) -> ArchiveReport:
        """Continue the archive up to the topic's current end.

        An interrupted run completes its segments; a killed one loses those that were not complete.

        Raises:
            ArchiveError: the archive is damaged, not of this topic or written by another process, or the
                messages that follow it are gone.
            LlamalogError: the topic can't be read.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder):
            return await self._continue()

    async def _continue(self) -> ArchiveReport:
        archive = Archive(self._folder, self._topic)
        archived = await archive.spans() if list_segments(self._folder) else {}
        manifest = read_manifest(self._folder, self._topic) or {}
        spans = await self._history.spans()
        require_partitions(self._topic, {*archived, *(at for at, end in manifest.items() if end)}, spans)
        starts = {partition: archived[partition].end if partition in archived else 0 for partition in spans}
        for partition, span in spans.items():
            require_continuation(partition, starts[partition], span)
            require_end(partition, manifest.get(partition, 0), span)
        ends = {partition: span.end for partition, span in spans.items()}
        at = dict(starts)
        written = 0
        write_manifest(self._folder, self._topic, _higher(manifest, at))
        try:
            async with aclosing(self._history.read(starts, ends)) as portions:
                async for portion in portions:
                    await _uncancelled(asyncio.to_thread(self._write, portion, dict(at)))
                    written += len(portion.records)
                    at |= portion.reached
                    done = sum(at.values()) - sum(starts.values())
                    self._on_progress(
                        RebuildProgress("archiving", done, sum(ends.values()) - sum(starts.values()))
                    )
        finally:
            for partition, writer in self._writers.items():
                writer.complete(at[partition])
            self._writers.clear()
            write_manifest(self._folder, self._topic, _higher(manifest, at))
        return ArchiveReport(self._topic, written, {str(partition): end for partition, end in at.items()})

    def _write(self, portion: Portion, at: Mapping[int, int]) -> None:
        by_partition: dict[int, list[Record]] = {partition: [] for partition in portion.reached}
        for record in portion.records:
            by_partition[record.partition].append(record)
        for partition, records in by_partition.items():
            writer = self._writers.get(partition)
            if writer is None:
                writer = SegmentWriter(self._folder, self._topic, partition, at[partition])
                self._writers[partition] = writer
            for record in records:
                writer.add(record)
            if writer.bytes >= self._segment_bytes:
                del self._writers[partition]
                writer.complete(portion.reached[partition])


def _higher(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    """The higher of both offsets: files that are gone are missed until they are written again."""
    return {partition: max(one.get(partition, 0), other.get(partition, 0)) for partition in {*one, *other}}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing the archive; the lock ends with the process.

    What a writer that was killed has left incomplete is removed.

    Raises:
        ArchiveBusyError: another process holds the lock.
    """
    with (folder / LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveBusyError(folder) from None
        for leftover in folder.glob(INCOMPLETE_SEGMENTS):
            leftover.unlink()
        yield


async def _uncancelled(work: Coroutine[Any, Any, None]) -> None:
    """Await a thread's work to its end even if cancelled: no file may be closed while it is written."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
