"""Reads and writes of `llama_logs` on the hot path."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import replace

from llamalog_schemas.provenance import Origin
from llamalog_service.domain.erasures import Erasures, erased_content
from llamalog_service.domain.errors import DatabaseWentBackError, RowRefusedError
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.lineage import OPEN, Root, Statement
from llamalog_service.domain.overrides import Override
from llamalog_service.domain.roots import UNSEEN, JobFacts, Resolution
from llamalog_service.domain.rows import OTHER_JSON, Content, RowContent, StoredRow, stored_row
from llamalog_service.log.erasures import ErasureCache, ErasuresChangedError, mark_erased
from llamalog_service.log.legacy_rows import legacy_rows_equal, mark_sourced
from llamalog_service.log.overrides import insert_overrides
from llamalog_service.log.retractions import repeat_retractions
from llamalog_service.log.row_copy import (
    COLUMNS,
    CopyRefusedError,
    Producers,
    UnknownProducersError,
    add_producers,
    first_revisions,
    found_producers,
    producers_of,
    write_by_copy,
    write_by_insert,
)
from llamalog_service.log.row_trials import Refusals, find_refused, trial
from llamalog_service.log.row_writes import write_by_halves
from llamalog_service.postgres.statements import sql

_FEW_JOBS: Final = 100
"""So many are looked up one by one: for all at once every row of a job is read, and it may have very many."""


TopicPartition = tuple[str, int]
"""A topic and a number; the client's class of this name equals it."""


class Positions(NamedTuple):
    """The next offset to read, by topic and partition, for one consumer group."""

    group: str
    next_offsets: Mapping[TopicPartition, int]


class CommittedBatch(NamedTuple):
    """A committed transaction of the ingest.

    Attributes:
        transaction: its number.
        recorded_at: its time.
        revisions: of rows that had been removed from the table before; of others it is `FIRST_REVISION`.
    """

    transaction: int
    recorded_at: datetime
    revisions: Mapping[UUID, int]


class LogStore:
    """The log as the ingest reads and writes it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known_to: dict[TopicPartition, int] = {}
        self._insert = write_by_copy
        self._are_removed = False
        self._erasures = ErasureCache(pool)
        self._transactions: deque[int] = deque(maxlen=4)

    async def next_offsets(self, group: str) -> dict[TopicPartition, int]:
        """The next offset that the database has recorded of each partition that the group knows.

        It is remembered: a process that began where another had ended would not notice, when it
        records, that the database has lost what lies before.
        """
        known = await stored_positions(self._pool, group)
        self._remember_known(known)
        return known

    async def rows_by_id(self, ids: Collection[UUID]) -> dict[UUID, StoredRow]:
        """The rows of these ids that are in the table."""
        records = await self._pool.fetch(sql("rows_by_id"), ids, True)
        return {record["id"]: stored_row(record) for record in records}

    @property
    def erasures(self) -> Erasures:
        """The erasures that the table had when they were last read."""
        return self._erasures.known

    async def known_rows(self, rows: Sequence[Content]) -> dict[UUID, StoredRow]:
        """The table's rows with the ids of these; erased ones without all that is to go by now.

        Their JSON is compared where it is, and what is equal to an event's is taken from there: the table may
        write it sixty times as long. It is `OTHER_JSON` where no event has it, and read of a legacy row.
        """
        records = await self._pool.fetch(sql("rows_by_id"), [row.id for row in rows], False)
        known = {record["id"]: stored_row(record) for record in records}
        legacy = {row.id for row in rows if type(row) is LegacyContent and row.id in known}
        events = [row for row in rows if type(row) is RowContent and row.id in known and row.id not in legacy]
        equal = await self._equal_in_json(events)
        for row_id in known.keys() - legacy:
            row = equal.get(row_id)
            metadata, preview_data = (row.metadata, row.preview_data) if row else (OTHER_JSON, None)
            content = replace(known[row_id].content, metadata=metadata, preview_data=preview_data)
            known[row_id] = replace(known[row_id], content=content)
        whole = legacy.union(row_id for row_id, row in known.items() if row.erased)
        return known | (await self._erased_rows(whole) if whole else {})

    async def _erased_rows(self, ids: Collection[UUID]) -> dict[UUID, StoredRow]:
        """Rows with their JSON, less what a later erasure removes and no pass has removed yet."""
        found = await self.rows_by_id(ids)
        for row_id, row in found.items():
            if row.erased:
                content = erased_content(row.content, self.erasures, erased=True)
                found[row_id] = replace(row, content=content)
        return found

    async def _equal_in_json(self, events: Sequence[RowContent]) -> dict[UUID, RowContent]:
        """By id the first of these whose metadata and preview data are those of the table."""
        if not events:
            return {}
        numbers = await self._pool.fetch(
            sql("json_equal_rows"),
            [row.id for row in events],
            [row.metadata for row in events],
            [row.preview_data for row in events],
        )
        equal: dict[UUID, RowContent] = {}
        for record in numbers:
            row = events[record["number"] - 1]
            equal.setdefault(row.id, row)
        return equal

    async def job_facts(self, jobs: Collection[str]) -> dict[str, JobFacts]:
        """The table's facts about each of these jobs; every one gets an entry."""
        facts = dict.fromkeys(jobs, UNSEEN)
        if len(jobs) > _FEW_JOBS:
            found = await self._pool.fetch(sql("jobs_known"), jobs)
            jobs = [job for record in found if (job := record["job"]) in facts]
        if jobs:
            records = await self._pool.fetch(sql("job_facts"), jobs)
            facts.update((record["job"], _job_facts(record)) for record in records)
        return facts

    async def write(
        self,
        rows: Sequence[Content],
        roots: Sequence[Root],
        overrides: Sequence[Override],
        positions: Positions,
        *,
        sourced: Sequence[UUID] = (),
        erased: Collection[UUID] = (),
    ) -> CommittedBatch:
        """Write rows, overrides and positions in one transaction.

        Args:
            sourced: legacy rows of the table to be marked as sourced by an event.
            erased: those of the rows that a person was erased from.

        Raises:
            ErasuresChangedError: the table has other erasures than were known; nothing is written.
            RowExistsError: an id is in the table already; nothing is written.
            RowRefusedError: PostgreSQL refuses, drops or hides a row; nothing is written.
            DatabaseWentBackError: the database was replaced by an older copy; nothing is written.
            UnavailableError: it is unknown whether the rows are written; look them up before writing again.
        """
        while True:
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    begun, producers = await self._begin_write(connection, rows)
                    self._transactions.append(begun["transaction"])
                    self._erasures.require(begun["erasures"])
                    if rows:
                        await self._insert_rows(connection, rows, roots, begun, producers, erased=erased)
                    if sourced:
                        await mark_sourced(connection, sourced)
                    if overrides:
                        await insert_overrides(connection, overrides)
                    before = await advance_positions(connection, positions)
                    self._check_not_gone_back(positions, before)
                break
            except CopyRefusedError:
                self._insert = write_by_insert
            except UnknownProducersError as unknown:
                await add_producers(self._pool, unknown.producers)
            except ErasuresChangedError:
                await self._erasures.reload()
                raise
        self._remember_known(positions.next_offsets)
        return CommittedBatch(begun["transaction"], begun["recorded_at"], first_revisions(begun))

    async def _insert_rows(
        self,
        connection: asyncpg.Connection,
        rows: Sequence[Content],
        roots: Sequence[Root],
        begun: Mapping[str, Any],
        producers: Producers,
        *,
        erased: Collection[UUID],
    ) -> None:
        await self._insert(connection, rows, roots, begun, producers)
        if erased and (marked := [row.id for row in rows if row.id in erased]):
            await mark_erased(connection, marked)

    async def _begin_write(
        self, connection: asyncpg.Connection, rows: Sequence[Content]
    ) -> tuple[Mapping[str, Any], Producers]:
        """Begin a write; where no row was ever removed, the ids of the new ones are not sent.

        Raises:
            UnknownProducersError: producers of the rows have no number yet.
        """
        ids = [row.id for row in rows] if self._are_removed else []
        wanted = producers_of(rows)
        begun: Mapping[str, Any] = await connection.fetchrow(sql("begin_write"), ids, COLUMNS, wanted)
        if begun["are_removed"] and not self._are_removed:
            self._are_removed = True
            return await self._begin_write(connection, rows)
        return begun, found_producers(wanted, begun)

    def _remember_known(self, next_offsets: Mapping[TopicPartition, int]) -> None:
        for partition, offset in next_offsets.items():
            self._known_to[partition] = max(offset, self._known_to.get(partition, 0))

    def _check_not_gone_back(self, positions: Positions, before: Mapping[TopicPartition, int]) -> None:
        """Refuse to record past a hole: an older copy of the database lacks what was recorded since."""
        for partition in positions.next_offsets:
            known, found = self._known_to.get(partition, 0), before.get(partition, 0)
            if found < known:
                raise DatabaseWentBackError(
                    f"{partition[0]}, partition {partition[1]}: the database had recorded up to offset "
                    f"{known}, now it knows {found}: it was replaced by an older copy. "
                    "Nothing is lost: start again, and the messages that the copy lacks are read anew."
                )

    async def refused_rows(
        self, rows: Sequence[Content], roots: Sequence[Root], erased: Collection[UUID] = ()
    ) -> Refusals:
        """Rows that PostgreSQL refuses, with the reason: each is tried by itself, none is written."""
        async with trial(self._pool) as connection:
            begun, producers = await self._begin_write(connection, rows)
            insert = partial(self._insert_rows, connection, begun=begun, producers=producers, erased=erased)
            writes = {row.id: partial(insert, [row], [root]) for row, root in zip(rows, roots, strict=True)}
            return await find_refused(connection, writes)

    async def refused_overrides(self, overrides: Sequence[Override]) -> Refusals:
        """Overrides that PostgreSQL refuses, likewise."""
        async with trial(self._pool) as connection:
            writes = {one.id: partial(insert_overrides, connection, [one]) for one in overrides}
            return await find_refused(connection, writes)

    async def mark_apart(self, sourced: Sequence[UUID]) -> None:
        """Mark legacy rows as sourced in a transaction of their own; those that refuse it are set aside."""
        async with self._pool.acquire() as connection, connection.transaction():
            await write_by_halves(connection, "mark", sourced, partial(mark_sourced, connection))

    async def stale_jobs(
        self, jobs: Mapping[str, JobFacts], suspicious: Collection[str], transaction: int
    ) -> set[str]:
        """Those jobs that rows of other transactions name, at odds with what a batch found.

        Args:
            jobs: the jobs of the batch as it left them.
            suspicious: those for which any other row that names them is reason enough.
            transaction: the batch's own, whose rows agree with each other. Those of later batches of this
                process were resolved with what it left, and are verified with theirs.
        """
        own = list(self._transactions)
        agreeing = own[own.index(transaction) :] if transaction in own else [transaction]
        try:
            found = await self._pool.fetch(sql("jobs_of_others"), list(jobs), agreeing) if jobs else ()
            named = [job for record in found if (job := record["job"]) in jobs]
        except RowRefusedError:
            # It reads rows of other jobs too, under a policy all rows: one of those may be to blame.
            named = list(jobs)
        if not named:
            return set()
        facts = [jobs[job] for job in named]
        cycles = [known.resolution.cycle_members for known in facts]
        records = await self._pool.fetch(
            sql("stale_jobs"),
            named,
            [known.claim.named if known.claim else None for known in facts],
            [known.resolution.root_job_id for known in facts],
            [_ending(known.resolution.origin) for known in facts],
            [job in suspicious for job in named],
            agreeing,
            [None if members is None else msgspec.json.encode(members).decode() for members in cycles],
        )
        return {record["job"] for record in records}

    async def requeue_overtaken(self, published: Sequence[StoredRow]) -> None:
        """Put rows that were corrected between their commit and their publication into the outbox.

        So are rows that a restored database has otherwise in the same revision; a row that bears the latest
        time of these, and no correction, is as it was published. Rows of a person whose erasure their
        transaction did not see are left to another pass, retractions that it did not see to the worker.
        """
        if not published:
            return
        at = max(row.recorded_at for row in published)
        ids = [row.content.id for row in published]
        found = await self._pool.fetchrow(sql("outbox_look_for_overtaken"), ids, at)
        others = set(found["others"])
        compared = [row for row in published if row.recorded_at != at]
        if others:
            compared = [row for row in published if row.recorded_at != at or row.content.id in others]
        if compared:
            columns = [
                (row.content.id, row.revision, row.root.root_job_id, row.root.origin) for row in compared
            ]
            await self._pool.execute(sql("outbox_requeue_overtaken"), *map(list, zip(*columns, strict=True)))
        await self._erasures.verify(found["erasures"], published)
        if found["are_retracted"]:
            await repeat_retractions(self._pool, [row.content.id for row in published])

    async def legacy_equal(self, rows: Sequence[LegacyContent]) -> Sequence[bool]:
        """Whether the table holds each legacy row as its event has it."""
        return await legacy_rows_equal(self._pool, rows)

    async def json_equal(self, one: Any, other: Any) -> bool:
        """Whether two JSON values are equal as `jsonb` sees them (1.0 is 1, the order of keys is none)."""
        return bool(await self._pool.fetchval(sql("json_equal"), one, other))


def _ending(origin: Origin) -> str:
    return "SEEN" if origin is Origin.RESOLVED else "OPEN" if origin in OPEN else origin.value


async def advance_positions(
    connection: asyncpg.Connection, positions: Positions
) -> dict[TopicPartition, int]:
    """Note the positions in the connection's transaction; a late writer moves none back.

    Returns:
        The next offset noted before, of each partition that had one.
    """
    before = await connection.fetch(
        sql("advance_positions"),
        positions.group,
        [topic for topic, _ in positions.next_offsets],
        [partition for _, partition in positions.next_offsets],
        list(positions.next_offsets.values()),
    )
    return _by_partition(before)


async def stored_positions(
    connection: asyncpg.Connection | asyncpg.Pool, group: str
) -> dict[TopicPartition, int]:
    """The next offset that a group has recorded of each partition that it knows."""
    return _by_partition(await connection.fetch(sql("positions"), group))


def _by_partition(records: Sequence[Mapping[str, Any]]) -> dict[TopicPartition, int]:
    return {(record["topic"], record["partition"]): record["next_offset"] for record in records}


def _job_facts(record: Mapping[str, Any]) -> JobFacts:
    """The facts about a job, as the query of that name selects them."""
    if not record["is_seen"]:
        return replace(UNSEEN, resolution=Resolution(record["job"], Origin.ADOPTED))
    declaration = _statement(record, "declared")
    return JobFacts(True, _statement(record, "claim"), declaration, _resolution(record, declaration))


def _statement(record: Mapping[str, Any], prefix: str) -> Statement | None:
    row = record[f"{prefix}_row"]
    return None if row is None else Statement(record[f"{prefix}_time"], row, record[f"{prefix}_named"])


def _resolution(record: Mapping[str, Any], declaration: Statement | None) -> Resolution:
    """The end of the walk from a seen job, by one of its rows; a row not processed yet counts as pending."""
    match record["origin"]:
        case "ROOT" | "RESOLVED":
            return Resolution(record["root_job_id"], Origin.RESOLVED)
        case "ADOPTED":
            return Resolution(record["root_job_id"], Origin.ADOPTED)
        case "CYCLE":
            return Resolution(None, Origin.CYCLE, tuple(record["cycle_members"] or ()))
        case None:  # unprocessed: a root that another program computed is no declaration
            return Resolution(None, Origin.PENDING)
        case _:
            root = declaration.named if declaration else record["root_job_id"]
            return Resolution(root, Origin.PENDING if root is None else Origin.DECLARED)
