"""Archives as the history of a rebuild: alone, or followed by the topic."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Final

from llamalog_service.kafka.reader import Portion, Span
from llamalog_service.rebuild.archive.segments import (
    MANIFEST,
    ArchivedRecord,
    ArchiveError,
    ManifestMissingError,
    Segment,
    list_segments,
    manifest_text,
    read_manifest,
    read_segment,
    require_same_topic,
    verify_segment,
)
from llamalog_service.rebuild.ports import History, OnProgress, RebuildProgress

OVERRIDES_FOLDER: Final = "overrides"
"""In the folder of an archive of entity events: the archive of the topic of overrides."""


class NoArchiveError(ArchiveError):
    """The folder holds no complete segment."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"There is no archive in {folder}: no complete segment. `llamalog archive {folder}` writes one."
        )


class ArchiveGapError(ArchiveError):
    """Messages are missing between two segments, or between the archive and the topic."""

    def __init__(self, next_part: str, partition: int, end: int, begins: int) -> None:
        super().__init__(
            f"Partition {partition}: the archive reaches up to offset {end:,}, {next_part} begins at "
            f"{begins:,}: what lies between is missing. Nothing was changed. Restore the segments that "
            "are gone."
        )


class SegmentsLostError(ArchiveError):
    """The last segments of a partition are gone, or all."""

    def __init__(self, partition: int, end: int, expected: int) -> None:
        super().__init__(
            f"Partition {partition}: the archive reached up to offset {expected:,} and holds files up to "
            f"{end:,}: the others are gone. Nothing was changed. Restore them; or, if the topic still "
            "holds these messages, archive again."
        )


class OtherTopicError(ArchiveError):
    """The archive holds more than the topic ever had."""

    def __init__(self, partition: int, archived: int, end: int) -> None:
        super().__init__(
            f"Partition {partition}: the archive reaches up to offset {archived:,}, the topic ends at "
            f"{end:,}. It was probably deleted and created again. Nothing was changed. Archive it into "
            "another folder. Into an empty database `llamalog rebuild --from-file` with --archive-only "
            "loads what the archive holds."
        )


class PartitionsMissingError(ArchiveError):
    """The topic lacks partitions that the archive holds messages of."""

    def __init__(self, topic: str, partitions: Collection[int]) -> None:
        super().__init__(
            f"The archive holds messages of partitions that {topic} lacks: "
            f"{', '.join(map(str, sorted(partitions)))}. It was probably deleted and created again. Nothing "
            "was changed. Archive it into another folder. Into an empty database `llamalog rebuild "
            "--from-file` with --archive-only loads what the archive holds."
        )


class Archive:
    """The archive of a topic in a folder."""

    def __init__(self, folder: Path, topic: str) -> None:
        self._folder = folder
        self._topic = topic

    @property
    def folder(self) -> Path:
        """The archive's folder."""
        return self._folder

    @property
    def topic(self) -> str:
        """The topic's name."""
        return self._topic

    async def spans(self) -> dict[int, Span]:
        """The offsets of each partition in the archive; the last segment of each is verified.

        Raises:
            NoArchiveError: the folder holds no segment.
            ArchiveDamagedError: a segment is not as it was written.
            ArchiveGapError: the first segment is missing; every archive begins with the first message.
            ArchiveOfOtherTopicError: it is of the topic that was moved to this one.
        """
        require_same_topic(self._folder, self._topic)
        segments = list_segments(self._folder)
        if not segments:
            raise NoArchiveError(self._folder)
        return {partition: await self._span(found) for partition, found in segments.items()}

    async def whole_spans(self) -> dict[int, Span]:
        """As `spans`, checked against the manifest, which also has partitions without a message.

        Raises:
            SegmentsLostError: the last segments of a partition are missing.
            ManifestMissingError: there is no manifest.
            ManifestDamagedError: it can't be read.
        """
        manifest = read_manifest(self._folder, self._topic)  # first: `llamalog archive` may be running
        spans = await self.spans() if manifest is None or any(manifest.values()) else {}
        if manifest is None:
            ends = {partition: span.end for partition, span in spans.items()}
            raise ManifestMissingError(self._folder / MANIFEST, manifest_text(self._topic, ends))
        for partition, end in sorted(manifest.items()):
            span = spans.setdefault(partition, Span(0, 0))
            if span.end < end:
                raise SegmentsLostError(partition, span.end, end)
        return spans

    async def check(self, on_progress: OnProgress = lambda _: None) -> dict[int, Span]:
        """As `whole_spans`, with every segment verified.

        Raises:
            ArchiveGapError: a segment is missing between two.
        """
        spans = await self.whole_spans()
        segments = list_segments(self._folder)
        total, done = sum(map(len, segments.values())), 0
        for found in segments.values():
            for segment, following in zip(found, [*found[1:], None], strict=True):
                on_progress(RebuildProgress("verifying segments", done, total))
                await self._verify(segment, following)
                done += 1
        on_progress(RebuildProgress("verifying segments", done, total))
        return spans

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """The messages from `starts` up to before `ends`, partition after partition.

        A segment is verified as a whole before its first message is yielded.

        Raises:
            ArchiveDamagedError: a segment is not as it was written.
            ArchiveGapError: a segment is missing.
            SegmentsLostError: the last segments of a partition are missing.
        """
        segments = list_segments(self._folder)
        for partition, end in sorted(ends.items()):
            at = starts.get(partition, 0)
            found = segments.get(partition, [])
            for segment, following in zip(found, [*found[1:], None], strict=True):
                if at >= end or (following is not None and following.first <= at):
                    continue
                if segment.first > at:
                    raise ArchiveGapError("its next segment", partition, at, segment.first)
                reached = min(end, await self._verify(segment, following))
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
        return Span(0, await asyncio.to_thread(verify_segment, segments[-1], self._topic))

    async def _verify(self, segment: Segment, following: Segment | None) -> int:
        end = await asyncio.to_thread(verify_segment, segment, self._topic)
        if following is not None and following.first != end:
            raise ArchiveGapError("its next segment", segment.partition, end, following.first)
        return end


async def _in_thread(
    segment: Segment, topic: str, begin: int, end: int
) -> AsyncGenerator[list[ArchivedRecord]]:
    """Read and decompress without blocking the event loop."""
    batches = read_segment(segment, topic, begin, end)
    while (batch := await asyncio.to_thread(next, batches, None)) is not None:
        yield batch


class ArchiveOnly:
    """A history that is an archive, without its topic."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def spans(self) -> dict[int, Span]:
        """As `Archive.whole_spans`: there is no topic to compare the ends with."""
        return await self._archive.whole_spans()

    def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """As `Archive.read`."""
        return self._archive.read(starts, ends)


class NoHistory:
    """A history without a message, of a topic that was never archived and is gone."""

    async def spans(self) -> dict[int, Span]:
        """None."""
        return {}

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """Nothing."""
        return
        yield


class ArchiveThenTopic:
    """A history that continues in the topic where the archive ends."""

    def __init__(self, archive: Archive, topic: History) -> None:
        self._archive = archive
        self._topic = topic
        self._archived: dict[int, Span] = {}

    async def spans(self) -> dict[int, Span]:
        """The offsets of each partition in the archive and the topic together.

        Raises:
            ArchiveGapError: retention has removed from the topic what the archive does not hold.
            OtherTopicError: the archive holds more than the topic ever had.
            PartitionsMissingError: the topic lacks partitions of the archive.
            LlamalogError: as the archive and the topic raise.
        """
        self._archived = await self._archive.spans()
        topic = await self._topic.spans()
        require_partitions(self._archive.topic, self._archived, topic)
        spans: dict[int, Span] = {}
        for partition, span in topic.items():
            archived = self._archived.get(partition)
            if archived is not None:
                require_continuation(partition, archived.end, span)
            spans[partition] = span if archived is None else Span(archived.first, span.end)
        return spans

    async def read(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> AsyncGenerator[Portion]:
        """As `History.read`."""
        archived = {
            partition: min(end, self._archived[partition].end)
            for partition, end in ends.items()
            if partition in self._archived
        }
        async with aclosing(self._archive.read(starts, archived)) as portions:
            async for portion in portions:
                yield portion
        later = {partition: max(starts.get(partition, 0), archived.get(partition, 0)) for partition in ends}
        async with aclosing(self._topic.read(later, ends)) as portions:
            async for portion in portions:
                yield portion


def require_partitions(topic: str, archived: Collection[int], spans: Mapping[int, Span]) -> None:
    """Check that the topic has every partition that was archived.

    Raises:
        PartitionsMissingError: it lacks some.
    """
    missing = set(archived) - spans.keys()
    if missing:
        raise PartitionsMissingError(topic, missing)


def require_continuation(partition: int, archived: int, span: Span) -> None:
    """Check that a partition of the topic continues an archive that ends before offset `archived`.

    Raises:
        ArchiveGapError: the topic begins later.
        OtherTopicError: the topic ends before.
    """
    if archived < span.first:
        raise ArchiveGapError("the topic", partition, archived, span.first)
    require_end(partition, archived, span)


def require_end(partition: int, archived: int, span: Span) -> None:
    """Check that a partition of the topic does not end before offset `archived`.

    Raises:
        OtherTopicError: it does.
    """
    if archived > span.end:
        raise OtherTopicError(partition, archived, span.end)
