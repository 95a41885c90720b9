"""How far the adoption of a database has come, whose table is migrated already."""

from typing import NamedTuple

from llamalog_service.postgres.statements import Reader
from llamalog_service.queries.backfills import BackfillRun, read_backfill


class Adoption(NamedTuple):
    """What is left to be done, and the backfill that does it or has done it.

    Attributes:
        unlooked: rows that another writer put there, of which nobody has looked at the root.
        pending: rows below a job that was never logged and does not count as a root.
        run: the backfill of everything that adopts such jobs: under way, else completed, else None.
    """

    unlooked: int
    pending: int
    run: BackfillRun | None

    @property
    def under_way(self) -> BackfillRun | None:
        """The run that was begun and has not ended."""
        return self.run if self.run is not None and not self.run.has_ended else None

    @property
    def is_complete(self) -> bool:
        """Whether the log was adopted, and nothing has come since that adopting again would change."""
        return self.run is not None and self.run.has_ended and not self.unlooked and not self.pending


async def read_adoption(reader: Reader) -> Adoption:
    """Style; cheap where most rows have their root.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    rows = await reader.row("adoption_rows")
    run = await reader.value("adoption_run")
    return Adoption(
        rows["unlooked"], rows["pending"], None if run is None else await read_backfill(reader, run)
    )
