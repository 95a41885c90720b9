"""The archiving of a topic: an archive written, and continued where it ends."""

import asyncio
import fcntl
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from llamalog_service.kafka.dead_letters import Record
from llamalog_service.kafka.topic_history import Portion
from llamalog_service.rebuild.archive.errors import ArchiveBusyError
from llamalog_service.rebuild.archive.history import Archive, refuse_lacking, refuse_misfit, refuse_shorter
from llamalog_service.rebuild.archive.reach import note_reach, noted_reach
from llamalog_service.rebuild.archive.segments import SEGMENT_BYTES, SegmentWriter, segments_of
from llamalog_service.rebuild.reading import History, Progress, Watch


class ArchiveReport(Struct, frozen=True, rename="camel"):
    """What an archiving did.

    Attributes:
        messages: written by this call.
        positions: up to where the archive reaches now: the next offset, by partition.
    """

    topic: str
    messages: int
    positions: dict[str, int]


class Archiver:
    """Writes what a topic holds and its archive does not, segment by segment."""

    def __init__(
        self,
        folder: Path,
        topic: str,
        history: History,
        watch: Watch = lambda _: None,
        *,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        self._folder = folder
        self._topic = topic
        self._history = history
        self._watch = watch
        self._segment_bytes = segment_bytes
        self._writers: dict[int, SegmentWriter] = {}

    async def run(self) -> ArchiveReport:
        """Continue the archive up to where the topic ends now.

        What is interrupted ends its segments where it is; a killed one loses those that were not complete.

        Raises:
            ArchiveError: the archive is damaged, not of this topic, somebody else writes it, or what lies
                before it is gone.
            LlamalogError: the topic can't be read.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with _alone(self._folder):
            return await self._continue()

    async def _continue(self) -> ArchiveReport:
        for leftover in self._folder.glob("*.jsonl.gz.part"):
            leftover.unlink()
        archive = Archive(self._folder, self._topic)
        archived = await archive.spans() if segments_of(self._folder) else {}
        noted = noted_reach(self._folder, self._topic) or {}
        spans = await self._history.spans()
        refuse_lacking(self._topic, {*archived, *(at for at, end in noted.items() if end)}, spans)
        starts = {partition: archived[partition].end if partition in archived else 0 for partition in spans}
        for partition, span in spans.items():
            refuse_misfit(partition, starts[partition], span)
            refuse_shorter(partition, noted.get(partition, 0), span)
        ends = {partition: span.end for partition, span in spans.items()}
        at = dict(starts)
        written = 0
        note_reach(self._folder, self._topic, _furthest(noted, at))
        try:
            async with aclosing(self._history.read(starts, ends)) as portions:
                async for portion in portions:
                    await _to_the_end(asyncio.to_thread(self._write, portion, dict(at)))
                    written += len(portion.records)
                    at |= portion.reached
                    done = sum(at.values()) - sum(starts.values())
                    self._watch(Progress("archiving", done, sum(ends.values()) - sum(starts.values())))
        finally:
            for partition, writer in self._writers.items():
                writer.complete(at[partition])
            self._writers.clear()
            note_reach(self._folder, self._topic, _furthest(noted, at))
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


def _furthest(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    """What is noted is not taken back: files that are gone are missed until they are written again."""
    return {partition: max(one.get(partition, 0), other.get(partition, 0)) for partition in {*one, *other}}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else writes the archive meanwhile; a process that is killed lets go.

    Raises:
        ArchiveBusyError: somebody does.
    """
    with (folder / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ArchiveBusyError(folder) from None
        yield


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Await what a thread does also when cancelled: nobody may end a file while it is written."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise
