"""Faults planted in the service, to see whether the simulation has teeth: each takes one safeguard away.

They are put in from outside, for the length of a context: the service has no switch for any of them.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, NamedTuple
from unittest.mock import patch

from aiokafka import TopicPartition

from llamalog_service.backfill import recomputes
from llamalog_service.backfill.publishers import CorrectionRelay
from llamalog_service.domain import roots
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.roots import JobFacts, Resolved, resolve
from llamalog_service.domain.rows import RowContent, StoredRow
from llamalog_service.ingest import batch, ingest
from llamalog_service.ingest.ingest import Ingest, RecordedBatch
from llamalog_service.kafka.consumer.pipeline import Pipeline
from llamalog_service.kafka.consumer.positions import StartOffsets
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log import log_store, outbox, recompute, retractions, row_writes
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.recompute import Everything, RecomputeResult, RecomputeStore
from llamalog_service.log.retractions import Retractor
from llamalog_service.postgres.statements import sql

Plant = Callable[[ExitStack], None]


class PlantedFault(NamedTuple):
    """A safeguard that is taken away.

    Attributes:
        plant: takes it away until the stack is left.
        caught_by: the seed that is known to notice, to be played first.
    """

    plant: Plant
    caught_by: int


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The service with one of `FAULTS` in it."""
    with ExitStack() as stack:
        FAULTS[name].plant(stack)
        yield


def _no_second_look(stack: ExitStack) -> None:
    async def look_away(*_: object) -> tuple[set[str], set[str]]:
        return set(), set()

    stack.enter_context(patch.object(Ingest, "_verify_after_commit", look_away))


def _one_pass(stack: ExitStack) -> None:
    async def recompute_once(store: RecomputeStore, scope: Collection[str] | Everything) -> RecomputeResult:
        return RecomputeResult((await store.recompute(scope)).rows_changed, 1)

    stack.enter_context(patch.object(recomputes, "recompute_until_converged", recompute_once))


def _offsets_first(stack: ExitStack) -> None:
    async def publish(self: Any, batch: Any, stored: Any, epoch: int) -> None:
        await self._commit(batch)
        await self._steps.publish(stored)
        if epoch == self._epoch:
            self._uncommitted.pop(0)

    stack.enter_context(patch.object(Pipeline, "_publish", publish))


def _walk_for_ever(stack: ExitStack) -> None:
    def never_ends(ring: list[str]) -> tuple[str, ...]:
        raise RecursionError("the walk goes round for ever")

    stack.enter_context(patch.object(roots, "name_cycle", never_ends))


def _leave_cycles(stack: ExitStack) -> None:
    async def name_none(*_: object) -> None:
        await asyncio.sleep(0)

    stack.enter_context(patch.object(recompute, "resolve_cycles", name_none))


def _trust_the_cache(stack: ExitStack) -> None:
    def resolve_and_trust(rows: Sequence[RowContent], facts: Mapping[str, JobFacts]) -> Resolved:
        return resolve(rows, facts)._replace(relied_on={})

    stack.enter_context(patch.object(ingest, "resolve", resolve_and_trust))


def _skip_the_outbox(stack: ExitStack) -> None:
    def without_notes(name: str) -> str:
        return re.sub(r", noted AS \(.*?\n\)", "", sql(name), flags=re.DOTALL)

    stack.enter_context(patch.object(row_writes, "sql", without_notes))


def _strike_first(stack: ExitStack) -> None:
    async def strike_and_tell(self: Any) -> bool:
        page = await self._outbox.next_prompt(1000)
        if not page.rows:
            page = await self._outbox.next_bulk(1000)
        await self._outbox.delete_page(page)
        await self._event_publisher.publish_provenance(page.rows)
        return bool(page.rows)

    stack.enter_context(patch.object(CorrectionRelay, "publish_next", strike_and_tell))


def _not_published_again(stack: ExitStack) -> None:
    async def note_nothing(*_: object) -> None:
        await asyncio.sleep(0)

    stack.enter_context(patch.object(LogStore, "requeue_overtaken", note_nothing))


def _record_past_holes(stack: ExitStack) -> None:
    stack.enter_context(patch.object(LogStore, "_check_not_gone_back", lambda *_: None))


def _start_at_kafkas_offset(stack: ExitStack) -> None:
    async def resolve(self: Any, consumer: Any, partitions: Collection[TopicPartition]) -> Any:
        await self._stored_positions()
        return {partition: await consumer.committed(partition) or 0 for partition in partitions}

    stack.enter_context(patch.object(StartOffsets, "resolve", resolve))


def _start_at_the_databases_position(stack: ExitStack) -> None:
    async def resolve(self: Any, consumer: Any, partitions: Collection[TopicPartition]) -> Any:
        stored = await self._stored_positions()
        return {partition: stored.get(partition, 0) for partition in partitions}

    stack.enter_context(patch.object(StartOffsets, "resolve", resolve))


def _one_epoch(stack: ExitStack) -> None:
    always_the_first = property(lambda _: 0, lambda *_: None)
    stack.enter_context(patch.object(Pipeline, "_epoch", always_the_first, create=True))


def _other_sql(stack: ExitStack, module: ModuleType, before: str, after: str) -> None:
    def changed(name: str) -> str:
        return sql(name).replace(before, after)

    stack.enter_context(patch.object(module, "sql", changed))


def _strike_any_revision(stack: ExitStack) -> None:
    faulty = {
        "d.row_id IS NULL OR d.current = d.revision OR d.current > e.revision": "true",
        "WHERE current > revision": "WHERE false",
        "age(o.xmin) > age($3::xid)": "$3::xid IS NOT NULL",
    }

    def changed(name: str) -> str:
        statement = sql(name)
        for right, wrong in faulty.items():
            statement = statement.replace(right, wrong)
        return statement

    stack.enter_context(patch.object(outbox, "sql", changed))


def _first_override(stack: ExitStack) -> None:
    for module in (log_store, recompute):
        _other_sql(stack, module, "d.overridden_at DESC, d.id DESC", "d.overridden_at, d.id")


def _legacy_rows_not_compared(stack: ExitStack) -> None:
    async def all_equal(_: Any, rows: Sequence[LegacyContent]) -> list[bool]:
        await asyncio.sleep(0)
        return [True] * len(rows)

    stack.enter_context(patch.object(LogStore, "legacy_equal", all_equal))


def _removals_not_published(stack: ExitStack) -> None:
    async def publish_nothing(*_: object) -> None:
        await asyncio.sleep(0)

    stack.enter_context(patch.object(EventPublisher, "publish_removals", publish_nothing))


def _removed_rows_begin_anew(stack: ExitStack) -> None:
    _other_sql(stack, log_store, "FROM removed_rows WHERE", "FROM removed_rows WHERE false AND")


def _repeated_rows_not_published(stack: ExitStack) -> None:
    rows_to_publish = Ingest._rows_to_publish

    async def only_new(self: Ingest, batch: RecordedBatch) -> list[StoredRow]:
        return await rows_to_publish(self, batch._replace(classified=batch.classified._replace(repeated=[])))

    stack.enter_context(patch.object(Ingest, "_rows_to_publish", only_new))


def _no_look_for_waiting_rows(stack: ExitStack) -> None:
    async def none(*_: object) -> set[str]:
        await asyncio.sleep(0)
        return set()

    stack.enter_context(patch.object(LogStore, "stale_jobs", none))


def _unknown_roots_not_remembered(stack: ExitStack) -> None:
    for module in (recompute, row_writes):
        _other_sql(
            stack, module, "k.root_now IS NOT NULL OR k.origin_now IS NOT NULL", "k.root_now IS NOT NULL"
        )


def _contents_not_compared(stack: ExitStack) -> None:
    async def equal(*_: object) -> bool:
        await asyncio.sleep(0)
        return True

    stack.enter_context(patch.object(batch, "_equal", equal))


def _late_rows_not_retracted(stack: ExitStack) -> None:
    async def look_for_none(*_: object) -> None:
        await asyncio.sleep(0)

    stack.enter_context(patch.object(log_store, "repeat_retractions", look_for_none))


def _retractions_not_recomputed(stack: ExitStack) -> None:
    async def correct_none(*_: object) -> int:
        await asyncio.sleep(0)
        return 0

    stack.enter_context(patch.object(Retractor, "_recompute_below", correct_none))


def _first_retraction(stack: ExitStack) -> None:
    for module in (row_writes, retractions):
        _other_sql(stack, module, "x.retracted_at DESC, x.id DESC", "x.retracted_at, x.id")


FAULTS: dict[str, PlantedFault] = {
    "no look after the commit": PlantedFault(_no_second_look, 1),
    "no look after the recompute": PlantedFault(_one_pass, 211),
    "offsets committed before publishing": PlantedFault(_offsets_first, 7),
    "no cycle guard in the fast path": PlantedFault(_walk_for_ever, 7),
    "no cycle guard in the recompute": PlantedFault(_leave_cycles, 3),
    "the cache trusted": PlantedFault(_trust_the_cache, 1),
    "the outbox skipped": PlantedFault(_skip_the_outbox, 1),
    "the outbox struck out before it is published": PlantedFault(_strike_first, 49),
    "rows overtaken by a correction not published again": PlantedFault(_not_published_again, 3),
    "rows recorded past the hole of an older copy": PlantedFault(_record_past_holes, 13),
    "reading begun at Kafka's offset": PlantedFault(_start_at_kafkas_offset, 13),
    "reading begun at the database's position": PlantedFault(_start_at_the_databases_position, 7),
    "steps of an earlier epoch go on": PlantedFault(_one_epoch, 9),
    "corrections struck out whatever their revision": PlantedFault(_strike_any_revision, 6),
    "the first override counts": PlantedFault(_first_override, 8),
    "legacy rows not compared": PlantedFault(_legacy_rows_not_compared, 5),
    "removals not published": PlantedFault(_removals_not_published, 4),
    "rows that come back begin anew": PlantedFault(_removed_rows_begin_anew, 34),
    "repeated rows not published": PlantedFault(_repeated_rows_not_published, 17),
    "no look for rows that wait": PlantedFault(_no_look_for_waiting_rows, 2),
    "the history without unknown roots": PlantedFault(_unknown_roots_not_remembered, 1),
    "contents not compared": PlantedFault(_contents_not_compared, 3),
    "rows that come after their retraction not retracted": PlantedFault(_late_rows_not_retracted, 18),
    "roots below a retracted claim not recomputed": PlantedFault(_retractions_not_recomputed, 18),
    "the first retraction counts": PlantedFault(_first_retraction, 11),
}
