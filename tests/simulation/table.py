"""Rows that other programs wrote into the table before the first event."""

from collections.abc import Iterable
from random import Random
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
from msgspec.structs import replace

from harness.log_table import copy_contents
from llamalog_schemas.events import EntityEvent, LegacyRow, is_legacy_row, is_override, row_id
from llamalog_service.domain.fold import fold
from llamalog_service.domain.rows import RowContent
from llamalog_service.kafka.clients import MessageToSend
from llamalog_service.kafka.publisher import provenance_message
from llamalog_service.log.log_store import LogStore
from simulation.history import BEFORE_PRODUCERS, Message, numbered
from simulation.shapes import event

_INSERT: Final = """
    INSERT INTO llama_logs (
        id, operation, category, status, created_at, job_id, parent_job_id, is_root_job, root_job_id
    )
    VALUES (
        $1, $2, $3::text::"LlamaLogCategory", $4::text::"EnrichmentStatus", $5::text::timestamp,
        $6, $7, $8, 'another root'
    )
"""
_SET_REVISION: Final = "UPDATE llama_logs SET revision = $2 WHERE id = $1"


class Table(NamedTuple):
    """The rows by how they came.

    Attributes:
        legacy: rows of the time before events, as their events will state them.
        orphans: rows whose events the topic has lost, by revision; some of these events are sent again.
    """

    legacy: tuple[LegacyRow, ...] = ()
    orphans: tuple[tuple[EntityEvent, int], ...] = ()

    def stated_by(self, messages: Iterable[Message]) -> "Table":
        """Without the legacy rows that no event states: a rebuild would refuse to begin."""
        stated = {row_id(one.event) for one in messages if one.event is not None}
        return self._replace(legacy=tuple(row for row in self.legacy if row_id(row) in stated))

    async def write(self, own: asyncpg.Connection) -> None:
        for row in self.legacy:
            data = row.data
            named = (data.job_id, data.parent_job_id, data.is_root_job == "true")
            await own.execute(
                _INSERT, row_id(row), data.operation, data.category, data.status, data.created_at, *named
            )
        orphans = list(fold(event for event, _ in self.orphans).values())
        contents = [
            replace(row.content, producer=None) if row.content.producer == BEFORE_PRODUCERS else row.content
            for row in orphans
            if isinstance(row.content, RowContent)
        ]
        await copy_contents(own, contents, [row.root for row in orphans])
        for orphan, revision in self.orphans:
            await own.execute(_SET_REVISION, row_id(orphan), revision)

    async def published(self, own: asyncpg.Connection) -> list[MessageToSend]:
        """What was published of the rows in their time."""
        stored = await LogStore(own).rows_by_id([row_id(orphan) for orphan, _ in self.orphans])
        return [provenance_message(row) for row in stored.values()]


NO_TABLE: Final = Table()


def draw_table(dice: Random, messages: list[Message]) -> Table:
    """Most of the legacy rows that are spoken of, and rows of which mostly no event speaks."""
    legacy: dict[UUID, LegacyRow] = {}
    entity: list[EntityEvent] = []
    for one in messages:
        if one.event is None or is_override(one.event):
            continue
        if not is_legacy_row(one.event):
            entity.append(one.event)
        elif row_id(one.event) not in legacy and dice.random() < 0.7:
            legacy[row_id(one.event)] = one.event
    jobs = [one.data.job_id for one in entity if one.data.job_id is not None] or ["job"]
    orphans = [
        event(dice.choice([*jobs, f"orphan-{number}"]), dice.choice([None, *jobs]))
        for number in range(dice.randint(1, 4))
    ]
    made: dict[str, EntityEvent] = {}
    for orphan in numbered(orphans, dice, first=201):
        assert not is_override(orphan)
        assert not is_legacy_row(orphan)
        made[orphan.id] = orphan
    late = _spoken_of_late(entity)
    if late and dice.random() < 0.8:
        again = dice.choice(late)
        made[again.id] = again
    return Table(tuple(legacy.values()), tuple((orphan, dice.randint(1, 3)) for orphan in made.values()))


def _spoken_of_late(entity: list[EntityEvent]) -> list[EntityEvent]:
    """Those whose id comes only in the last third."""
    late = len(entity) * 2 // 3
    early = {one.id for one in entity[:late]}
    return [one for one in entity[late:] if one.id not in early]
