"""What became of what was read, counted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, dataclass

from llamalog_service.postgres.statements import Reader

NOT_LOOKED_AT = "(not looked at yet)"
"""Stands for the origin of a row that another writer put into the table."""


@dataclass(frozen=True, slots=True)
class Work:
    """What was done, and what is left to do.

    Attributes:
        messages_read: what the provenance consumer has recorded of its topic, whatever became of it.
        overrides: messages that were operators' overrides; they write no row.
        repairs: commands completed.
        open_repairs: commands kept that are not completed.
        untold: corrections that are not published yet.
    """

    messages_read: int
    overrides: int
    repairs: int
    open_repairs: int
    untold: int

    def since(self, before: "Work") -> "Work":
        """What was added since an earlier moment."""
        return Work(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of the log.

    Attributes:
        corrected: those that changed after they were written.
        parent_conflicts: those that claim another parent than the one that counts.
        declaration_conflicts: those that declare another root than the one that was found.
    """

    by_origin: Mapping[str, int]
    corrected: int
    parent_conflicts: int
    declaration_conflicts: int

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_origin.values())

    def since(self, before: "Rows") -> "Rows":
        """What was added since an earlier moment; an origin that rows have left becomes negative."""
        return Rows(
            _difference(self.by_origin, before.by_origin),
            self.corrected - before.corrected,
            self.parent_conflicts - before.parent_conflicts,
            self.declaration_conflicts - before.declaration_conflicts,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of an installation at one moment, or between two.

    Attributes:
        refusals: messages that became dead letters, by reason; one refused twice counts once.
        provenance_records: published.
    """

    work: Work
    rows: Rows
    refusals: Mapping[str, int]
    provenance_records: int

    @property
    def duplicates(self) -> int:
        """Messages read that neither wrote anything nor were refused: known already, or tombstones."""
        return self.work.messages_read - self.work.overrides - self.rows.total - sum(self.refusals.values())

    def since(self, before: "Summary") -> "Summary":
        """What was added since an earlier moment."""
        return Summary(
            self.work.since(before.work),
            self.rows.since(before.rows),
            _difference(self.refusals, before.refusals),
            self.provenance_records - before.provenance_records,
        )


async def read_work(reader: Reader, *, group: str, topic: str) -> Work:
    """Count what is done and left; cheap whatever the size of the log.

    Args:
        group: of the provenance consumer.
        topic: of the entity events.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    return Work(**await reader.row("summary_work", group, topic))


async def read_rows(reader: Reader) -> Rows:
    """Count the rows; reads all of the log.

    Raises:
        UnavailableError: PostgreSQL is away.
    """
    records = await reader.rows("summary_rows")
    return Rows(
        {record["origin"] or NOT_LOOKED_AT: record["rows"] for record in records},
        sum(record["corrected"] for record in records),
        sum(record["parent_conflicts"] for record in records),
        sum(record["declaration_conflicts"] for record in records),
    )


def _difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    changed = Counter(after)
    changed.subtract(before)
    return {name: count for name, count in changed.items() if count}
