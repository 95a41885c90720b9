"""The named SQL: one statement a file in `sql/`, prepared by a test against the migrated schema."""

import re
from functools import cache
from importlib.resources import files

_FRAGMENTS = ("piece", "row", "name", "bytes", "lineage")
"""What several statements say alike stands once, in `sql/fragments/`; they name it in braces."""

_WORDS = (
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
def sql(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return written_out(_text(f"{name}.sql"))


def written_out(text: str) -> str:
    """A text with what stands in braces in it, as far as that is known here."""
    for fragment in _FRAGMENTS:
        text = text.replace("{" + fragment + "}", _text(f"fragments/{fragment}.sql").strip())
    for words, meaning in _WORDS:
        text = re.sub(words, meaning, text)
    return text


def _text(path: str) -> str:
    return files("llamalog_service.store").joinpath("sql", path).read_text(encoding="utf-8")
