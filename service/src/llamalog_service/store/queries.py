"""The named SQL: one statement a file in `sql/`, prepared by a test against the migrated schema."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return files("llamalog_service.store").joinpath(f"sql/{name}.sql").read_text(encoding="utf-8")
