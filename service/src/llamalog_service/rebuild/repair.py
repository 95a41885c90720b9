"""Mend what differs: the contents as told, the roots by the one repair, and tell others."""

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple
from uuid import UUID

from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import Content
from llamalog_service.kafka.publisher import EventPublisher
from llamalog_service.log.log_store import LogStore
from llamalog_service.log.outbox import Outbox, tell_removals
from llamalog_service.log.recompute import RecomputeStore, recompute_until_settled
from llamalog_service.rebuild.reading import History, Progress, Watch, read_into
from llamalog_service.rebuild.repair_store import RepairStore
from llamalog_service.rebuild.shadow import Place, Told
from llamalog_service.retry import retry_until_available

_ROWS_AT_ONCE = 200


class RepairStores(NamedTuple):
    """What a repair reads and writes."""

    mending: RepairStore
    recompute: RecomputeStore
    log: LogStore
    outbox: Outbox


class Repair:
    """Applies the differences that a comparison has noted, while the service goes on."""

    def __init__(self, stores: RepairStores, event_publisher: EventPublisher, watch: Watch) -> None:
        self._stores = stores
        self._event_publisher = event_publisher
        self._watch = watch

    async def run(
        self,
        differing: int,
        history: History,
        read_up_to: Mapping[int, int],
        check_alone: Callable[[], None],
    ) -> None:
        """Mend every difference, then see whether a row was told meanwhile that was removed as never told.

        Args:
            differing: how many rows differ, for the progress.
            read_up_to: what the shadow holds, by partition.
            check_alone: called before whatever another rebuild would suffer from; raises its own.

        Raises:
            ShadowLostError: a crash of PostgreSQL has emptied the shadow; what was mended stays mended.
        """
        await retry_until_available(self._stores.mending.get_ready, doing="indexing", may_take_long=True)
        check_alone()
        await self._recompute(
            await retry_until_available(self._stores.mending.overrides, doing="mending overrides")
        )
        revision = await retry_until_available(
            self._stores.mending.first_revision, doing="looking for a revision", may_take_long=True
        )
        done, after = 0, None
        while batch := await self._stores.mending.next(after, _ROWS_AT_ONCE):
            await self._mend([difference.id for difference in batch], revision, check_alone)
            await self._recompute({start for difference in batch for start in difference.starts})
            await self._tell([difference.id for difference in batch])
            after = batch[-1].id
            done += len(batch)
            self._watch(Progress("mending", done, differing))
        await self._bring_back(history, read_up_to, revision, check_alone)

    async def _bring_back(
        self,
        history: History,
        read_up_to: Mapping[int, int],
        revision: int,
        check_alone: Callable[[], None],
    ) -> None:
        """Put in again what was removed and has been told since.

        Its event may have been read by a consumer while the row still stood, and been a duplicate: whatever
        was told before this moment is looked at. What comes later finds no row, and is recorded.
        """
        removed = await retry_until_available(self._stores.mending.removed, doing="mending")
        if not removed:
            return
        spans = await retry_until_available(history.spans, doing="looking at the topic")
        ends = {partition: span.end for partition, span in spans.items()}
        later = _Later(removed)
        await retry_until_available(
            lambda: read_into(later.keep, history, read_up_to, ends, self._watch),
            doing="reading what was told meanwhile",
            may_take_long=True,
        )
        if later.found:
            check_alone()
            await self._stores.mending.told_later(later.found.values())
            await self._mend(later.found.keys(), revision, check_alone)
            await self._recompute(later.starts())
            await self._tell(later.found.keys())

    async def _mend(self, rows: Collection[UUID], revision: int, check_alone: Callable[[], None]) -> None:
        async def mend() -> None:
            check_alone()
            await self._stores.mending.mend(rows, revision)

        await retry_until_available(mend, doing="mending rows")

    async def _recompute(self, starts: Collection[str]) -> None:
        if starts:
            await retry_until_available(
                lambda: recompute_until_settled(self._stores.recompute, starts),
                doing="repairing roots",
                may_take_long=True,
            )

    async def _tell(self, rows: Collection[UUID]) -> None:
        """Tell others at once; what a crash leaves in the outbox is told by a migration consumer."""

        async def tell() -> None:
            stored = list((await self._stores.log.rows_by_id(rows)).values())
            await self._event_publisher.publish_provenance(stored)
            await self._stores.log.note_overtaken(stored)
            await self._stores.outbox.strike(stored)
            await tell_removals(self._stores.outbox, self._event_publisher)

        await retry_until_available(tell, doing="telling corrections")


class _Later:
    """Keeps what counts, of what is read about each of some rows: a legacy row, else what was told first."""

    def __init__(self, rows: Collection[UUID]) -> None:
        self._rows = rows
        self.found: dict[UUID, Told] = {}

    async def keep(self, told: Told) -> None:
        for row, place in zip(told.rows, told.places, strict=True):
            if row.id not in self._rows:
                continue
            known = self.found.get(row.id)
            if known is None or _rank(row, place) < _rank(known.rows[0], known.places[0]):
                self.found[row.id] = Told([row], [place], [], [], {}, {}, {}, {})

    def starts(self) -> set[str]:
        rows = [told.rows[0] for told in self.found.values()]
        starts = {row.parent_job_id if row.job_id is None else row.job_id for row in rows}
        return {start for start in starts if start is not None}


def _rank(row: Content, place: Place) -> tuple[bool, Place]:
    return not isinstance(row, LegacyContent), place
