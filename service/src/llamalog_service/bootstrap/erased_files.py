"""Composition of the rewrite of archives and files of differences."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from llamalog_service.kafka.erasing import read_erasures
from llamalog_service.kafka.topics import topics_of
from llamalog_service.rebuild.archive.erasing import ErasedFiles, erase_path
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
        total = total.plus(await asyncio.to_thread(erase_path, path, topic, erasures, on_progress))
    return total
