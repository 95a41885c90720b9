"""Composition of the rewrite of archives and files of differences."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llamalog_service.domain.erasures import Erasures, without_keys
from llamalog_service.kafka.erasing import MessageEraser, read_erasures
from llamalog_service.kafka.topics import names_former_topic, topics_of
from llamalog_service.rebuild.archive.erasing import (
    ErasedFiles,
    UnreachedFile,
    erase_archive,
    erase_differences,
)
from llamalog_service.rebuild.archive.segments import archived_topic, list_segments
from llamalog_service.rebuild.ports import OnProgress
from llamalog_service.settings import Settings


async def erase_files(settings: Settings, paths: Sequence[Path], on_progress: OnProgress) -> ErasedFiles:
    """Rewrite files without the data of erased persons.

    Args:
        paths: folders of archives of entity events, and files of differences.

    Raises:
        LlamalogError: the erasures cannot be read, or another process writes an archive.
    """
    erasures = await read_erasures(settings)
    topic = topics_of(settings).entity_events.name
    total = ErasedFiles()
    for path in paths:
        total = total.plus(await asyncio.to_thread(_erase, path, topic, erasures, on_progress))
    return total


def _erase(path: Path, topic: str, erasures: Erasures, on_progress: OnProgress) -> ErasedFiles:
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
