"""Files of archives and of differences, rewritten without the data of erased persons.

Each file is replaced in one step, by one with a checksum of its own, and only if something in it changes:
after an interruption the same call goes on, and reads again what it has done.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from llamalog_service.domain.erasures import Erasures, without_keys
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.erasing import MessageEraser
from llamalog_service.kafka.reader import Record
from llamalog_service.kafka.topics import names_former_topic
from llamalog_service.rebuild.archive.archiver import LOCK, locked
from llamalog_service.rebuild.archive.segments import (
    MANIFEST,
    ArchiveDamagedError,
    ArchivedRecord,
    Segment,
    SegmentWriter,
    archived_topic,
    list_segments,
    read_segment,
    sync_folder,
    verify_segment,
)
from llamalog_service.rebuild.ports import OnProgress, RebuildProgress


class UnreachedFile(Struct, frozen=True):
    """A file that was left as it is, and why."""

    path: str
    reason: str


class ErasedFiles(Struct, frozen=True, rename="camel"):
    """The outcome for the files of some folders and names.

    Attributes:
        read: files that were read to their end.
        rewritten: those of them that held an erased person's data.
        changed: messages, or lines of differences, that were changed in these.
        unreached: those that may still hold such data.
    """

    read: int = 0
    rewritten: int = 0
    changed: int = 0
    unreached: tuple[UnreachedFile, ...] = ()

    def plus(self, other: "ErasedFiles") -> "ErasedFiles":
        """The sum of both."""
        return ErasedFiles(
            self.read + other.read,
            self.rewritten + other.rewritten,
            self.changed + other.changed,
            (*self.unreached, *other.unreached),
        )


def erase_path(path: Path, topic: str, erasures: Erasures, on_progress: OnProgress) -> ErasedFiles:
    """Rewrite the archive in a folder, or a file of differences.

    Args:
        topic: the topic of entity events; an archive of another one is left as it is.

    Raises:
        ArchiveBusyError: another process writes the archive.
    """
    if not path.is_dir():
        return erase_differences(path, lambda row: _without_person(row, erasures))
    if not list_segments(path):
        return _unreached(path, "it holds no segment of an archive")
    archived = archived_topic(path)
    if archived is None:
        return _unreached(path, "its manifest, archive.json, is missing or damaged")
    if archived != topic and not names_former_topic(topic, archived):
        return _unreached(path, f"it is an archive of {archived}, not of {topic}")
    return erase_archive(path, archived, MessageEraser(erasures).record, on_progress)


def _unreached(path: Path, reason: str) -> ErasedFiles:
    return ErasedFiles(unreached=(UnreachedFile(str(path), reason),))


def _without_person(row: dict[str, Any], erasures: Erasures) -> dict[str, Any]:
    """A row of a difference, or its differing columns; those that do not say whose row it is are erased."""
    user = row.get("user_id")
    is_erased = row.get("erased") is True or (isinstance(user, str) and erasures.of(user) is not None)
    if "user_id" in row and not is_erased:
        return row
    columns = {"user_id": None} if "user_id" in row else {}
    if "metadata" in row:
        columns["metadata"] = without_keys(row["metadata"], erasures.metadata_keys)
    return row | columns


def erase_archive(
    folder: Path, topic: str, change: Callable[[Record], MessageToSend], on_progress: OnProgress
) -> ErasedFiles:
    """Rewrite the segments of an archive of entity events.

    Args:
        change: gives the message that is to stand for one of the archive.

    Raises:
        ArchiveBusyError: another process writes the archive.
    """
    total = ErasedFiles()
    with locked(folder):
        segments = [segment for found in list_segments(folder).values() for segment in found]
        for number, segment in enumerate(segments):
            on_progress(RebuildProgress("rewriting segments", number, len(segments)))
            total = total.plus(_erase_segment(segment, topic, change))
        on_progress(RebuildProgress("rewriting segments", len(segments), len(segments)))
        known = {segment.path.name for segment in segments} | {MANIFEST, LOCK}
        strangers = sorted(path for path in folder.iterdir() if path.name not in known and not path.is_dir())
    unreached = tuple(
        UnreachedFile(str(path), "it is no complete segment of an archive") for path in strangers
    )
    return total.plus(ErasedFiles(unreached=unreached))


def erase_differences(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> ErasedFiles:
    """Rewrite a file of differences.

    Args:
        change: gives a row, or the columns of one that differ, without an erased person's data.
    """
    part, changed = path.with_name(f"{path.name}.part"), 0
    try:
        with path.open("rb") as lines, part.open("wb") as rewritten:
            for line in lines:
                content = msgspec.json.decode(line, type=dict[str, Any])
                erased = _erase_line(content, change)
                changed += erased != content
                rewritten.write(line if erased == content else msgspec.json.encode(erased) + b"\n")
            rewritten.flush()
            os.fsync(rewritten.fileno())
        if changed:
            part.replace(path)
            sync_folder(path.parent)
    except (OSError, ValueError) as error:
        return ErasedFiles(unreached=(UnreachedFile(str(path), str(error)),))
    finally:
        part.unlink(missing_ok=True)
    return ErasedFiles(1, int(changed > 0), changed)


def _erase_line(
    content: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    sides = {side: change(row) for side in ("live", "rebuilt") if isinstance(row := content.get(side), dict)}
    return content | sides


def _erase_segment(segment: Segment, topic: str, change: Callable[[Record], MessageToSend]) -> ErasedFiles:
    try:
        end = verify_segment(segment, topic)
        changed = sum(was != now for batch in _changes(segment, topic, end, change) for was, now in batch)
        if changed:
            with _replacing(segment, topic, end) as writer:
                for batch in _changes(segment, topic, end, change):
                    for _, record in batch:
                        writer.add(record)
    except (ArchiveDamagedError, OSError) as error:
        return ErasedFiles(unreached=(UnreachedFile(str(segment.path), str(error)),))
    return ErasedFiles(1, int(changed > 0), changed)


@contextmanager
def _replacing(segment: Segment, topic: str, end: int) -> Iterator[SegmentWriter]:
    writer = SegmentWriter(segment.path.parent, topic, segment.partition, segment.first)
    try:
        yield writer
    except BaseException:
        writer.drop()
        raise
    writer.complete(end)


def _changes(
    segment: Segment, topic: str, end: int, change: Callable[[Record], MessageToSend]
) -> Iterator[list[tuple[ArchivedRecord, ArchivedRecord]]]:
    """The messages of a segment, as they are and as they are to be."""
    for batch in read_segment(segment, topic, segment.first, end):
        yield [(record, _changed(record, change(record))) for record in batch]


def _changed(record: ArchivedRecord, message: MessageToSend) -> ArchivedRecord:
    return ArchivedRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        message.key,
        message.value,
        message.headers,
    )
