"""What an archive says of itself as a whole: `archive.json`, by which files that are gone are missed.

Segments show a gap between two of them; that a partition's last ones are gone, or all, they can't.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from llamalog_service.rebuild.archive.errors import NotesDamagedError
from llamalog_service.rebuild.archive.segments import FORMAT, sync_folder

NOTES: Final = "archive.json"


class _Notes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    archive: int
    topic: str
    next: dict[int, int]


def noted_reach(folder: Path, topic: str) -> dict[int, int] | None:
    """Up to before which offset the archive holds each partition at least; None where that is not noted.

    Raises:
        NotesDamagedError: the notes can't be read, or are of another topic.
    """
    path = folder / NOTES
    try:
        notes = msgspec.json.decode(path.read_bytes(), type=_Notes)
        if (notes.archive, notes.topic) != (FORMAT, topic):
            raise ValueError(
                f"it says it is format {notes.archive} of {notes.topic}, not {FORMAT} of {topic}"
            )
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise NotesDamagedError(path, error) from error
    return notes.next


def note_reach(folder: Path, topic: str, reach: Mapping[int, int]) -> None:
    """Note it, in one step also for a crash."""
    path = folder / NOTES
    written = path.with_suffix(".json.part")
    with written.open("wb") as file:
        file.write(notes_text(topic, reach).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)
    sync_folder(folder)


def notes_text(topic: str, reach: Mapping[int, int]) -> str:
    """The notes of an archive that reaches so far."""
    return msgspec.json.encode(_Notes(FORMAT, topic, dict(sorted(reach.items())))).decode()
