"""Files of an archive: segments of a topic's partitions, and a manifest.

A segment is lines of JSON, compressed by gzip. The first line names topic, partition and first offset; then
there is a line for each message; the last line has the number of messages, the first offset of the next
segment, and the SHA-256 of all lines before it. A segment has its final name only once it is complete.

The manifest `archive.json` has the next offset of each partition. Segments show a gap between two of them,
but not that the last ones of a partition, or all, are missing.
"""

import gzip
import hashlib
import os
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from llamalog_schemas.codec import Headers
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.kafka.reader import PORTION_BYTES, Record
from llamalog_service.kafka.topics import names_former_topic
from llamalog_service.settings import setting_name

MANIFEST: Final = "archive.json"
INCOMPLETE_SEGMENTS: Final = "*.jsonl.gz.part"
"""Files of segments that are being written, or whose writer was killed."""
FORMAT: Final = 1
SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""Bytes of lines in a full segment; a crash loses at most so many of each partition."""

_NAME: Final = re.compile(r"partition-(\d{5})-from-(\d{20})\.jsonl\.gz")
_BATCH: Final = 2000
_MAX_LINE_BYTES: Final = 64 * 1024 * 1024
"""More than the largest message that is read whole takes, be it all headers, or text to be escaped."""
_DAMAGE: Final = (OSError, EOFError, zlib.error, msgspec.DecodeError, ValueError, KeyError)


class ArchiveError(LlamalogError):
    """An archive can't be read or continued; nothing was changed."""


class ArchiveDamagedError(ArchiveError):
    """A segment is not as it was written."""

    def __init__(self, path: Path, line: int, offset: int, error: Exception) -> None:
        super().__init__(
            f"{path}, line {line} (about offset {offset}): {error}. The archive is damaged, truncated or "
            "not of this topic, so nothing of this segment was used. Restore the file from a copy; or, if "
            "the topic still holds these messages, remove it and all later ones of its partition, and "
            "archive again."
        )
        self.path = path
        self.line = line


class ManifestDamagedError(ArchiveError):
    """The manifest can't be read, or is of another topic."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(
            f"{path}: {error}. Nothing was done. Restore it from a copy; or remove it, and `llamalog "
            "archive` writes it again as long as the topic is there."
        )


class ArchiveOfOtherTopicError(ArchiveError):
    """The archive is of a former topic, whose offsets are others than those of the topic of today."""

    def __init__(self, folder: Path, archived: str, topic: str) -> None:
        super().__init__(
            f"{folder} is the archive of {archived}, not of {topic}: offsets are others there, so that it "
            "cannot continue. Nothing was done. Archive into another folder: a topic that was moved holds "
            "all events of the one before. To read this archive alone, set "
            f"{setting_name('entity_events_topic')}={archived} for that command."
        )


class ManifestMissingError(ArchiveError):
    """There is no manifest, so that missing segments would not be noticed."""

    def __init__(self, path: Path, text: str) -> None:
        super().__init__(
            f"{path} is missing: without it, missing files of the archive are not noticed. Restore it from a "
            "copy; `llamalog archive` writes it again as long as the topic is there. If you know that no "
            f"file is missing, write into it what the files hold: {text}"
        )


class Segment(NamedTuple):
    """A complete segment."""

    path: Path
    partition: int
    first: int


@dataclass(slots=True)
class ArchivedRecord:
    """A message of the topic; `timestamp` in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """The bytes of key, value and headers."""
        headers = sum(len(name) + len(content or b"") for name, content in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


def list_segments(folder: Path) -> dict[int, list[Segment]]:
    """The complete segments in a folder by partition, in order."""
    found: dict[int, list[Segment]] = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        name = _NAME.fullmatch(path.name)
        if name is not None:
            segment = Segment(path, int(name[1]), int(name[2]))
            found.setdefault(segment.partition, []).append(segment)
    return found


def archived_topic(folder: Path) -> str | None:
    """The topic that the manifest of an archive names; None where no manifest can be read."""
    try:
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=_Manifest).topic
    except (OSError, ValueError):
        return None


def require_same_topic(folder: Path, topic: str) -> None:
    """Refuse an archive of a topic that was moved to this one, or to which this one is to be moved.

    Raises:
        ArchiveOfOtherTopicError: its manifest names another topic of the family.
    """
    archived = archived_topic(folder)
    if archived is not None and names_former_topic(topic, archived):
        raise ArchiveOfOtherTopicError(folder, archived, topic)


class SegmentWriter:
    """Writes one segment, under a temporary name until it is complete."""

    def __init__(self, folder: Path, topic: str, partition: int, first: int) -> None:
        self._final = folder / f"partition-{partition:05}-from-{first:020}.jsonl.gz"
        self._path = self._final.with_suffix(".gz.part")
        self._raw: IO[bytes] = self._path.open("wb")
        self._file = gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=self._raw, mtime=0)
        self._digest = hashlib.sha256()
        self._next = first
        self._records = 0
        self.bytes = 0
        self._write({"archive": FORMAT, "topic": topic, "partition": partition, "first": first})

    def add(self, record: Record) -> None:
        """Write a message, whose offset is higher than that of the one before."""
        self._write(_line_of(record))
        self._records += 1
        self._next = record.offset + 1

    def complete(self, next_offset: int) -> None:
        """End the segment before an offset and give it its final name; an empty one is dropped."""
        if next_offset <= self._next and not self._records:
            self.drop()
            return
        ending = {
            "records": self._records,
            "next": max(next_offset, self._next),
            "sha256": self._digest.hexdigest(),
        }
        self._file.write(msgspec.json.encode(ending) + b"\n")
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        self._path.replace(self._final)
        sync_folder(self._final.parent)

    def drop(self) -> None:
        """Delete the segment."""
        self._file.close()
        self._raw.close()
        self._path.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        encoded = msgspec.json.encode(line) + b"\n"
        self._digest.update(encoded)
        self._file.write(encoded)
        self.bytes += len(encoded)


def verify_segment(segment: Segment, topic: str) -> int:
    """Read a segment as a whole; the first offset of the next one.

    Raises:
        ArchiveDamagedError: the segment is not as it was written, or is not of this topic.
    """
    next_offset = segment.first
    for _, after in _lines(segment, topic):
        next_offset = after
    return next_offset


def read_segment(segment: Segment, topic: str, begin: int, end: int) -> Iterator[list[ArchivedRecord]]:
    """The messages from `begin` up to before `end`, in batches; call `verify_segment` before.

    Raises:
        ArchiveDamagedError: as for `verify_segment`.
    """
    batch: list[ArchivedRecord] = []
    held = 0
    for line, _ in _lines(segment, topic):
        if line is not None and begin <= line["offset"] < end:
            record = _record_of(line, topic, segment.partition)
            batch.append(record)
            held += record.size
            if len(batch) == _BATCH or held >= PORTION_BYTES:
                yield batch
                batch, held = [], 0
    if batch:
        yield batch


def _lines(segment: Segment, topic: str) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Each message's line with the offset after it; at the end None with the next segment's first offset."""
    number, digest, records, next_offset = 0, hashlib.sha256(), 0, segment.first
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    try:
        with gzip.open(segment.path, "rb") as file:
            head_text = file.readline(_MAX_LINE_BYTES + 1)
            number = 1
            head = decode(head_text)
            _check_head(head, segment, topic)
            digest.update(head_text)
            while text := file.readline(_MAX_LINE_BYTES + 1):
                number += 1
                if len(text) > _MAX_LINE_BYTES:
                    raise ValueError(f"it has more than {_MAX_LINE_BYTES:,} bytes, as no message has")
                line = decode(text)
                if "sha256" in line:
                    if line["sha256"] != digest.hexdigest() or line["records"] != records:
                        raise ValueError("its checksum is not that of its lines")
                    if file.read(1):
                        raise ValueError("something follows its last line")
                    yield None, int(line["next"])
                    return
                if line["offset"] < next_offset:
                    raise ValueError(f"offset {line['offset']} comes after {next_offset - 1}")
                digest.update(text)
                records += 1
                next_offset = line["offset"] + 1
                yield line, next_offset
            raise ValueError("it ends before its last line")
    except _DAMAGE as error:
        raise ArchiveDamagedError(segment.path, number, next_offset, error) from error


def _check_head(head: dict[str, Any], segment: Segment, topic: str) -> None:
    found = (head["archive"], head["topic"], head["partition"], head["first"])
    if found != (FORMAT, topic, segment.partition, segment.first):
        raise ValueError(
            f"its first line names format {found[0]} of {found[1]}, partition {found[2]} from offset "
            f"{found[3]}; expected was format {FORMAT} of {topic}, partition {segment.partition} from "
            f"{segment.first}"
        )


def _line_of(record: Record) -> dict[str, Any]:
    line: dict[str, Any] = {"offset": record.offset, "timestamp": getattr(record, "timestamp", 0)}
    line |= _named("key", record.key) | _named("value", record.value)
    if record.headers:
        line["headers"] = [{"name": name} | _named("value", content) for name, content in record.headers]
    return line


def _named(name: str, content: bytes | None) -> dict[str, str | None]:
    """Text if the content is UTF-8, else base64."""
    if content is None:
        return {name: None}
    try:
        return {name: content.decode()}
    except UnicodeDecodeError:
        return {f"{name}Base64": b64encode(content).decode()}


def _record_of(line: dict[str, Any], topic: str, partition: int) -> ArchivedRecord:
    headers = [(header["name"], _content(header, "value")) for header in line.get("headers", ())]
    return ArchivedRecord(
        topic,
        partition,
        line["offset"],
        line["timestamp"],
        _content(line, "key"),
        _content(line, "value"),
        headers,
    )


def _content(line: dict[str, Any], name: str) -> bytes | None:
    if (encoded := line.get(f"{name}Base64")) is not None:
        return b64decode(encoded, validate=True)
    text = line[name]
    return None if text is None else text.encode()


class _Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    archive: int
    topic: str
    next: dict[int, int]


def read_manifest(folder: Path, topic: str) -> dict[int, int] | None:
    """The next offset of each partition that the archive holds at least; None without a manifest.

    Raises:
        ManifestDamagedError: the manifest can't be read, or is of another topic.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
        if (manifest.archive, manifest.topic) != (FORMAT, topic):
            raise ValueError(
                f"it is of format {manifest.archive} of {manifest.topic}, not {FORMAT} of {topic}"
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ManifestDamagedError(path, error) from error
    return manifest.next


def write_manifest(folder: Path, topic: str, next_offsets: Mapping[int, int]) -> None:
    """Replace the manifest in one step, also for a crash."""
    path = folder / MANIFEST
    part = path.with_suffix(".json.part")
    with part.open("wb") as file:
        file.write(manifest_text(topic, next_offsets).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    sync_folder(folder)


def manifest_text(topic: str, next_offsets: Mapping[int, int]) -> str:
    """The manifest of an archive with these next offsets."""
    return msgspec.json.encode(_Manifest(FORMAT, topic, dict(sorted(next_offsets.items())))).decode()


def sync_folder(folder: Path) -> None:
    """Have the folder's names written to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
