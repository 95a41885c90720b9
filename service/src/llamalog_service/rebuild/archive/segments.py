"""An archive of a topic as files: a partition in segments, a segment in lines of JSON, compressed by gzip.

The first line of a segment says which part of what it is, a line each holds the messages, the last line says
how many there were, where the next segment begins, and the SHA-256 of all lines before it. A segment has its
final name only once it is complete.
"""

import gzip
import hashlib
import os
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from llamalog_schemas.codec import Headers
from llamalog_service.kafka.dead_letters import Record
from llamalog_service.rebuild.archive.errors import ArchiveDamagedError

FORMAT: Final = 1
SEGMENT_BYTES: Final = 64 * 1024 * 1024
"""So many bytes of lines make a segment full: what a crash may cost, of each partition."""

_NAME: Final = re.compile(r"partition-(\d{5})-from-(\d{20})\.jsonl\.gz")
_BATCH: Final = 2000
_BATCH_BYTES: Final = 8 * 1024 * 1024
_DAMAGE: Final = (OSError, EOFError, zlib.error, msgspec.DecodeError, ValueError, KeyError)


class Segment(NamedTuple):
    """A complete segment, by its name."""

    path: Path
    partition: int
    first: int


@dataclass(slots=True)
class ArchivedRecord:
    """A message as it lay in the topic; `timestamp` in milliseconds, as Kafka had it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def segments_of(folder: Path) -> dict[int, list[Segment]]:
    """The complete segments of an archive by partition, in order; none where there is no archive."""
    found: dict[int, list[Segment]] = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        name = _NAME.fullmatch(path.name)
        if name is not None:
            segment = Segment(path, int(name[1]), int(name[2]))
            found.setdefault(segment.partition, []).append(segment)
    return found


class SegmentWriter:
    """Writes one segment under a name of its own until it is complete."""

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
        """Write a message; offsets rise."""
        self._write(_line_of(record))
        self._records += 1
        self._next = record.offset + 1

    def complete(self, next_offset: int) -> None:
        """End the segment before an offset and give it its name; one that nothing is in is dropped."""
        if next_offset <= self._next and not self._records:
            self.drop()
            return
        reached = max(next_offset, self._next)
        ending = {"records": self._records, "next": reached, "sha256": self._digest.hexdigest()}
        self._file.write(msgspec.json.encode(ending) + b"\n")
        self._file.close()
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        self._path.replace(self._final)
        sync_folder(self._final.parent)

    def drop(self) -> None:
        """Leave nothing."""
        self._file.close()
        self._raw.close()
        self._path.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        encoded = msgspec.json.encode(line) + b"\n"
        self._digest.update(encoded)
        self._file.write(encoded)
        self.bytes += len(encoded)


def verified(segment: Segment, topic: str) -> int:
    """The offset at which the next segment begins.

    Raises:
        ArchiveDamagedError: the segment is not as it was written, or is not of this topic.
    """
    next_offset = segment.first
    for _, after in _lines(segment, topic):
        next_offset = after
    return next_offset


def read_segment(segment: Segment, topic: str, begin: int, end: int) -> Iterator[list[ArchivedRecord]]:
    """The messages from `begin` up to before `end`, some at a time.

    Raises:
        ArchiveDamagedError: as for `verified`, which is to be called before.
    """
    batch: list[ArchivedRecord] = []
    held = 0
    for line, _ in _lines(segment, topic):
        if line is not None and begin <= line["offset"] < end:
            record = _record_of(line, topic, segment.partition)
            batch.append(record)
            held += len(record.value or b"")
            if len(batch) == _BATCH or held >= _BATCH_BYTES:
                yield batch
                batch, held = [], 0
    if batch:
        yield batch


def _lines(segment: Segment, topic: str) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """Each message's line with the offset behind it; None in the end, with where the next segment begins."""
    number, digest, records, next_offset = 0, hashlib.sha256(), 0, segment.first
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    try:
        with gzip.open(segment.path, "rb") as file:
            head_text = file.readline()
            number = 1
            head = decode(head_text)
            _check_head(head, segment, topic)
            digest.update(head_text)
            for text in file:
                number += 1
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
    said = (head["archive"], head["topic"], head["partition"], head["first"])
    if said != (FORMAT, topic, segment.partition, segment.first):
        raise ValueError(
            f"it says it is format {said[0]} of {said[1]}, partition {said[2]} from offset {said[3]}; "
            f"format {FORMAT} of {topic}, partition {segment.partition} from {segment.first} was looked for"
        )


def _line_of(record: Record) -> dict[str, Any]:
    line: dict[str, Any] = {"offset": record.offset, "timestamp": getattr(record, "timestamp", 0)}
    line |= _named("key", record.key) | _named("value", record.value)
    if record.headers:
        line["headers"] = [{"name": name} | _named("value", content) for name, content in record.headers]
    return line


def _named(name: str, content: bytes | None) -> dict[str, str | None]:
    """As text where it is UTF-8, else in base64."""
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


def sync_folder(folder: Path) -> None:
    """A new name is on disk once its folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
