"""The contents of rows, however they came into the table: as texts, but for what their recording adds."""

from collections.abc import Sequence

from harness.legacy.database import read_table
from harness.legacy.rows import Row

_OF_THE_RECORDING = {"recorded_at", "revision", "settled_by"}
_AS_READ = {"sources": "{}", "fields_enriched": "{}", "is_root_job": "false"}
"""A list or a flag that is NULL, which old tables allow, as the log reads it."""


async def contents(url: str, columns: Sequence[str] | None = None) -> dict[str, Row]:
    """Every row of the log by id: all of its columns, or those named."""
    table = await read_table(url, "llama_logs", columns)
    return {
        row_id: {
            name: value if value is not None else _AS_READ.get(name)
            for name, value in row.items()
            if name not in _OF_THE_RECORDING
        }
        for row_id, row in table.rows.items()
    }
