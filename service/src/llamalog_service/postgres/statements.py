"""Named SQL: one statement per file, in the folder `sql/` of the capability that runs it.

Names are unique in the whole service; a test prepares every statement against the migrated schema.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

_FRAGMENTS = ("piece", "row", "name", "bytes", "lineage")
"""Text that several statements share, in `fragments/` beside this module; statements name it in braces."""

_ABBREVIATIONS = (
    (
        r"{(\w+) bears ([^{}]+)}",
        r"(hashtextextended(\1.job_id, 0) = hashtextextended(\2, 0) AND texteq(\1.job_id, \2))",
    ),
    (r"{earliest (\w+)}", r"\1.created_at NULLS FIRST, \1.id"),
    (r"{latest (\w+)}", r"\1.created_at DESC NULLS LAST, \1.id DESC"),
)
"""How statements speak of a job's rows: `WHERE {l bears $1::text} ORDER BY {earliest l}`.

Names of jobs are long, so that their index keeps a hash of them instead: a condition without the hash has no
index, and one without the name is true of other jobs too. The name is compared by a function, for the planner
takes equalities for independent and would expect no rows. No row is without a time: NULLS FIRST is an order
that no other index has, and so keeps the planner from reading by time in the hope to meet its rows soon.
"""


@cache
def statement_files() -> Mapping[str, Traversable]:
    """The file of every named statement, by name.

    Raises:
        ValueError: two capabilities use the same name.
    """
    found: dict[str, Traversable] = {}
    for capability in files("llamalog_service").iterdir():
        folder = capability / "sql"
        if not folder.is_dir():
            continue
        for file in folder.iterdir():
            name = file.name.removesuffix(".sql")
            if name in found:
                raise ValueError(f"two statements are named {name}: {found[name]} and {file}")
            found[name] = file
    return found


@cache
def sql(name: str) -> str:
    """The text of the statement ``<capability>/sql/<name>.sql``, fragments and abbreviations expanded."""
    return expand(statement_files()[name].read_text(encoding="utf-8"))


def expand(text: str) -> str:
    """Replace the fragments and abbreviations in braces that are known here; others stay."""
    for fragment in _FRAGMENTS:
        text = text.replace("{" + fragment + "}", _fragment(fragment))
    for abbreviation, meaning in _ABBREVIATIONS:
        text = re.sub(abbreviation, meaning, text)
    return text


@cache
def _fragment(name: str) -> str:
    file = files("llamalog_service.postgres").joinpath("fragments", f"{name}.sql")
    return file.read_text(encoding="utf-8").strip()
