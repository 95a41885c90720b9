"""A topic's archive: checked, and read as the history of a rebuild."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from pathlib import Path

from llamalog_service.kafka.topic_history import Portion, Span
from llamalog_service.rebuild.archive.errors import (
    ArchiveGapError,
    NoArchiveError,
    NotesMissingError,
    OtherTopicError,
    PartitionsLackingError,
    SegmentsLostError,
)
from llamalog_service.rebuild.archive.reach import NOTES, noted_reach, notes_text
from llamalog_service.rebuild.archive.segments import (
    ArchivedRecord,
    Segment,
    read_segment,
    segments_of,
    verified,
)
from llamalog_service.rebuild.reading import History, Progress, Watch


class Archive:
    """The archive of a topic in a folder; a history by itself."""

    def __init__(self, folder: Path, topic: str) -> None:
        self._folder = folder
        self._topic = topic

    @property
    def topic(self) -> str:
        """Whose archive it is."""
        return self._topic

    async def spans(self) -> dict[int, Span]:
        """What the archive holds of each partition; the last segment of each is verified.

        Raises:
            NoArchiveError: nothing.
            ArchiveDamagedError: a segment is not as it was written.
            ArchiveGapError: the first segment is missing; every archive begins with the first message.
        """
        segments = segments_of(self._folder)
        if not segments:
            raise NoArchiveError(self._folder)
        return {partition: await self._span(found) for partition, found in segments.items()}

    async def whole_spans(self) -> dict[int, Span]:
        """As `spans`, also of partitions that nothing was said in; nothing at the end of any is missing.

        Raises:
            SegmentsLostError: something is.
            NotesMissingError: that can't be told.
            NotesDamagedError: likewise.
        """
        noted = noted_reach(self._folder, self._topic)  # first: somebody may be writing
        spans = await self.spans() if noted is None or any(noted.values()) else {}
        if noted is None:
            held = {partition: span.end for partition, span in spans.items()}
            raise NotesMissingError(self._folder / NOTES, notes_text(self._topic, held))
        for partition, end in sorted(noted.items()):
            span = spans.setdefault(partition, Span(0, 0))
            if span.end < end:
                raise SegmentsLostError(partition, span.end, end)
        return spans

    async def check(self, watch: Watch = lambda _: None) -> dict[int, Span]:
        """As `whole_spans`, every segment verified.

        Raises:
            ArchiveGapError: a segment is missing between two.
        """
        spans = await self.whole_spans()
        segments = segments_of(self._folder)
        total, done = sum(map(len, segments.values())), 0
        for found in segments.values():
            for segment, following in zip(found, [*found[1:], None], strict=True):
                watch(Progress("verifying segments", done, total))
                await self._verified(segment, following)
                done += 1
        watch(Progress("verifying segments", done, total))
        return spans

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """The messages from `starts` up to before `ends`, partition after partition.

        A segment is verified as a whole before anything of it is handed out.

        Raises:
            ArchiveDamagedError: a segment is not as it was written.
            ArchiveGapError: a segment is missing.
            SegmentsLostError: the last ones are.
        """
        segments = segments_of(self._folder)
        for partition, end in sorted(ends.items()):
            at = starts.get(partition, 0)
            found = segments.get(partition, [])
            for segment, following in zip(found, [*found[1:], None], strict=True):
                if at >= end or (following is not None and following.first <= at):
                    continue
                if segment.first > at:
                    raise ArchiveGapError("its next segment", partition, at, segment.first)
                reached = min(end, await self._verified(segment, following))
                async for records in _in_thread(segment, self._topic, at, reached):
                    at = records[-1].offset + 1
                    yield Portion(records, {partition: at})
                if at < reached:
                    at = reached
                    yield Portion([], {partition: at})
            if at < end:
                raise SegmentsLostError(partition, at, end)

    async def _span(self, segments: list[Segment]) -> Span:
        first = segments[0]
        if first.first > 0:
            raise ArchiveGapError("its first segment", first.partition, 0, first.first)
        return Span(0, await asyncio.to_thread(verified, segments[-1], self._topic))

    async def _verified(self, segment: Segment, following: Segment | None) -> int:
        end = await asyncio.to_thread(verified, segment, self._topic)
        if following is not None and following.first != end:
            raise ArchiveGapError("its next segment", segment.partition, end, following.first)
        return end


async def _in_thread(
    segment: Segment, topic: str, begin: int, end: int
) -> AsyncGenerator[list[ArchivedRecord]]:
    """Reading and unpacking keep nobody waiting."""
    batches = read_segment(segment, topic, begin, end)
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        yield batch


class ArchiveAlone:
    """A history that is the archive, whatever became of the topic."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def spans(self) -> dict[int, Span]:
        """As `Archive.whole_spans`: no topic tells whether there was more."""
        return await self._archive.whole_spans()

    def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """As `Archive.read`."""
        return self._archive.read(starts, ends)


class ArchiveThenTopic:
    """A history that begins in an archive and goes on in the topic, where the archive ends."""

    def __init__(self, archive: Archive, topic: History) -> None:
        self._archive = archive
        self._topic = topic
        self._archived: dict[int, Span] = {}

    async def spans(self) -> dict[int, Span]:
        """What both hold together.

        Raises:
            ArchiveGapError: retention has removed from the topic what the archive does not hold.
            OtherTopicError: the archive holds more than the topic ever had.
            PartitionsLackingError: likewise.
            LlamalogError: as the two raise.
        """
        self._archived = await self._archive.spans()
        told = await self._topic.spans()
        refuse_lacking(self._archive.topic, self._archived, told)
        spans: dict[int, Span] = {}
        for partition, span in told.items():
            archived = self._archived.get(partition)
            if archived is not None:
                refuse_misfit(partition, archived.end, span)
            spans[partition] = span if archived is None else Span(archived.first, span.end)
        return spans

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """As `History.read`."""
        kept = {
            partition: min(end, self._archived[partition].end)
            for partition, end in ends.items()
            if partition in self._archived
        }
        async with aclosing(self._archive.read(starts, kept)) as portions:
            async for portion in portions:
                yield portion
        later = {partition: max(starts.get(partition, 0), kept.get(partition, 0)) for partition in ends}
        async with aclosing(self._topic.read(later, ends)) as portions:
            async for portion in portions:
                yield portion


def refuse_lacking(topic: str, archived: Collection[int], spans: Mapping[int, Span]) -> None:
    """Of every partition that was archived the topic has to go on.

    Raises:
        PartitionsLackingError: there is none.
    """
    lacking = set(archived) - spans.keys()
    if lacking:
        raise PartitionsLackingError(topic, lacking)


def refuse_misfit(partition: int, reached: int, span: Span) -> None:
    """Where an archive ends the topic has to go on: without a gap, and not be shorter.

    Raises:
        ArchiveGapError: the topic begins later.
        OtherTopicError: the topic ends before.
    """
    if reached < span.first:
        raise ArchiveGapError("the topic", partition, reached, span.first)
    refuse_shorter(partition, reached, span)


def refuse_shorter(partition: int, reached: int, span: Span) -> None:
    """A topic holds what an archive of it held.

    Raises:
        OtherTopicError: the topic ends before.
    """
    if reached > span.end:
        raise OtherTopicError(partition, reached, span.end)
