"""Tell rows again as they stand, for those who lost their view of them."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from llamalog_service.publish.producer import Publisher
from llamalog_service.publish.provenance import provenance_message
from llamalog_service.replay.reading import Progress, Watch
from llamalog_service.store.log import LogStore
from llamalog_service.store.reader import Reader
from llamalog_service.waiting import when_available

REPLAYED = ("llamalog-replayed", b"true")
"""The header of a record that tells nothing new."""

_AT_ONCE = 1000


class Which(NamedTuple):
    """The rows that are meant; None: from the first id, recorded at any time, of any root."""

    after: UUID | None = None
    since: datetime | None = None
    root: str | None = None


class Republishing:
    """Tells rows in the order of their ids.

    Attributes:
        reached: the last row that was acknowledged; going on after it leaves nothing out.
    """

    def __init__(self, reader: Reader, log: LogStore, publisher: Publisher, topic: str, watch: Watch) -> None:
        self._reader = reader
        self._log = log
        self._publisher = publisher
        self._topic = topic
        self._watch = watch
        self.reached: UUID | None = None

    async def run(self, which: Which) -> int:
        """Tell them; how many. Waits while Kafka or PostgreSQL is away.

        A row that is corrected meanwhile may be told by its correction first: readers keep the highest
        revision.
        """
        total = await when_available(
            lambda: self._reader.value("republish_count", *which), doing="counting rows", may_take_long=True
        )
        told, self.reached = 0, which.after
        while portion := await self._next(which):
            await when_available(lambda: self._tell(portion), doing="telling rows again")
            self.reached = portion[-1]
            told += len(portion)
            self._watch(Progress("telling rows again", told, total))
        return told

    async def _next(self, which: Which) -> list[UUID]:
        wanted = which._replace(after=self.reached)
        records = await when_available(
            lambda: self._reader.rows("republish_ids", *wanted, _AT_ONCE), doing="looking for rows"
        )
        return [record["id"] for record in records]

    async def _tell(self, ids: list[UUID]) -> None:
        rows = await self._log.rows_by_id(ids)
        messages = [provenance_message(row) for row in rows.values()]
        await self._publisher.publish_keyed(
            self._topic,
            [message._replace(headers=[*message.headers, REPLAYED]) for message in messages],
        )
