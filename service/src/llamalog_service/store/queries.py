"""The named SQL: one statement a file in `sql/`, prepared by a test against the migrated schema."""

from functools import cache
from importlib.resources import files

_FRAGMENTS = ("row", "name", "bytes", "lineage")
"""What several statements select alike stands once, in `sql/fragments/`; they name it in braces."""


@cache
def sql(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    text = _text(f"{name}.sql")
    for fragment in _FRAGMENTS:
        text = text.replace("{" + fragment + "}", _text(f"fragments/{fragment}.sql").strip())
    return text


def _text(path: str) -> str:
    return files("llamalog_service.store").joinpath("sql", path).read_text(encoding="utf-8")
