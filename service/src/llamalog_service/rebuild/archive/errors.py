"""What keeps an archive from being read or continued; nothing was changed where one of these is raised."""

from collections.abc import Collection
from pathlib import Path

from llamalog_service.domain.errors import LlamalogError


class ArchiveError(LlamalogError):
    """The base of them."""


class NoArchiveError(ArchiveError):
    """There is nothing to read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"There is no archive in {folder}: no complete segment. `llamalog archive {folder}` writes one."
        )


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


class ArchiveGapError(ArchiveError):
    """Messages lie between two parts of what is to be read, and nobody has them."""

    def __init__(self, what: str, partition: int, reached: int, begins: int) -> None:
        super().__init__(
            f"Partition {partition}: the archive reaches up to offset {reached:,}, {what} begins at "
            f"{begins:,}: what lies between is missing. Nothing was changed. Restore the segments that "
            "are gone."
        )


class OtherTopicError(ArchiveError):
    """The archive holds more than the topic ever had."""

    def __init__(self, partition: int, reached: int, end: int) -> None:
        super().__init__(
            f"Partition {partition}: the archive reaches up to offset {reached:,}, the topic ends at "
            f"{end:,}. It was probably deleted and created again. Nothing was changed. Archive it into "
            "another folder. Into an empty database `llamalog rebuild --from-file` with --archive-only "
            "takes what the archive holds."
        )


class PartitionsLackingError(ArchiveError):
    """The topic lacks partitions that the archive holds messages of."""

    def __init__(self, topic: str, partitions: Collection[int]) -> None:
        super().__init__(
            f"The archive holds messages of partitions that {topic} lacks: "
            f"{', '.join(map(str, sorted(partitions)))}. It was probably deleted and created again. Nothing "
            "was changed. Archive it into another folder. Into an empty database `llamalog rebuild "
            "--from-file` with --archive-only takes what the archive holds."
        )


class ArchiveBusyError(ArchiveError):
    """Somebody else writes the archive."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"Another `llamalog archive` writes into {folder}. Nothing was done: there is one at a time. "
            "Wait for its end; what it has not written then, the same command writes."
        )


class NotesDamagedError(ArchiveError):
    """What the archive says of itself can't be read."""

    def __init__(self, path: Path, error: Exception) -> None:
        super().__init__(
            f"{path}: {error}. Nothing was done. Restore it from a copy; or remove it, and `llamalog "
            "archive` writes it again as long as the topic is there."
        )


class NotesMissingError(ArchiveError):
    """Nothing says how far the archive is to reach."""

    def __init__(self, path: Path, held: str) -> None:
        super().__init__(
            f"{path} is missing: whether files of the archive are gone can't be told. Restore it from a "
            "copy; `llamalog archive` writes it again as long as the topic is there. If you know that no "
            f"file is missing, write into it what the files hold: {held}"
        )


class SegmentsLostError(ArchiveError):
    """The last segments of a partition are gone, or all."""

    def __init__(self, partition: int, reached: int, noted: int) -> None:
        super().__init__(
            f"Partition {partition}: the archive reached up to offset {noted:,} and holds files up to "
            f"{reached:,}: the others are gone. Nothing was changed. Restore them; or, if the topic still "
            "holds these messages, archive again."
        )
