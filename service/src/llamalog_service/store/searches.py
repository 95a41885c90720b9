"""Statements that look for rows in the order of time: one index leads, other filters are tried row by row.

Composed of texts that stand here and in `sql/`; values are parameters, of each statement the same ones.
"""

from enum import StrEnum
from typing import NamedTuple

from llamalog_service.store.queries import sql


class Driver(StrEnum):
    """What leads to the rows, with its value as $4; each has its index, in the order of time."""

    TIME = "$4::text IS NULL"
    CATEGORY = (
        'l.category = (SELECT word FROM unnest(enum_range(NULL::"LlamaLogCategory")) word '
        "WHERE word::text = $4::text)"
    )
    JOB = "l.job_id = $4::text"
    ROOT = "l.root_job_id = $4::text"
    ENTITY = "l.entity_id = $4::text::uuid"
    ORIGIN = 'l.root_job_id IS NULL AND l.origin = $4::text::"LlamaLogOrigin"'
    UNKNOWN_ORIGIN = "l.root_job_id IS NULL AND $4::text IS NULL"
    IS_ROOT = "l.origin = 'ROOT' AND $4::text IS NULL"


class Search(NamedTuple):
    """The statements of one way to look."""

    driver: Driver
    newest_first: bool

    @property
    def page(self) -> str:
        """The rows that all filters let through, and at most so many."""
        return self._composed("logs_page")

    @property
    def last_looked_at(self) -> str:
        """The last of the rows that a page looked at, if it did not come to the end of all."""
        return self._composed("logs_last_looked_at")

    def _composed(self, name: str) -> str:
        behind, ahead, order = ("<", ">=", "DESC") if self.newest_first else (">", "<=", "ASC")
        text = sql(name).replace("{driver}", self.driver.value)
        return text.replace("{behind}", behind).replace("{ahead}", ahead).replace("{order}", order)
