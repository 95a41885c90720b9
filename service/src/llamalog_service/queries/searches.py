"""Statements that look for rows in the order of time: one index leads, other filters are tried row by row.

Composed of texts that stand here and in `sql/`; values are parameters, of each statement the same ones.
"""

from enum import StrEnum
from typing import NamedTuple

from llamalog_service.postgres.statements import expand, sql


class Driver(StrEnum):
    """What leads to the rows, with its value as $4; each has its index, nearly all in the order of time."""

    TIME = "(SELECT * FROM llama_logs WHERE $4::text IS NULL)"
    CATEGORY = '(SELECT * FROM llama_logs WHERE category = ANY (ARRAY[$4::text::"LlamaLogCategory"]))'
    JOB = "(SELECT * FROM llama_logs l WHERE {l bears $4::text})"
    ENTITY = "(SELECT * FROM llama_logs WHERE entity_id = $4::text::uuid)"
    # Not by time: OFFSET 0 keeps the planner from reading by time in the hope to meet them soon.
    ROOT = "(SELECT * FROM llama_logs WHERE root_job_id = $4::text OFFSET 0)"
    ORIGIN = '(SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = $4::text::"LlamaLogOrigin")'
    # Reason by reason, so that their index gives the order of time.
    UNKNOWN_ORIGIN = (
        "(SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = 'PENDING' AND $4::text IS NULL "
        "UNION ALL SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = 'CYCLE' "
        "UNION ALL SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin = 'UNTRACKED' "
        "UNION ALL SELECT * FROM llama_logs WHERE root_job_id IS NULL AND origin IS NULL)"
    )
    IS_ROOT = "(SELECT * FROM llama_logs WHERE origin = 'ROOT' AND $4::text IS NULL)"
    ROOTS = "(SELECT * FROM llama_logs WHERE origin IN ('ROOT', 'ADOPTED') AND $4::text IS NULL)"


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
        # Orders that only the driver's own index has, against hopes to meet its rows soon by reading by time.
        leading = f"l.category {order}, " if self.driver is Driver.CATEGORY else ""
        if self.driver is Driver.JOB:
            order += " NULLS LAST" if self.newest_first else " NULLS FIRST"
        text = sql(name).replace("{rows}", expand(self.driver.value))
        text = text.replace("{leading}", leading)
        return text.replace("{behind}", behind).replace("{ahead}", ahead).replace("{order}", order)
