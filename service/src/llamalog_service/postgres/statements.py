"""Named SQL: one statement per file, in the folder `sql/` of the capability that runs it.

Names are unique in the whole service; a test prepares every statement against the migrated schema.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

_ABBREVIATIONS = (
    (
        r"{(\w+) bears ([^{}]+)}",
        r"(hashtextextended(\1.job_id, 0) = hashtextextended(\2, 0) AND texteq(\1.job_id, \2))",
    ),
    (
        r"{(\w+) may bear ([^{}]+)}",
        r"hashtextextended(\1.job_id, 0) = "
        r"ANY (ARRAY(SELECT hashtextextended(named.job, 0) FROM unnest(\2) AS named (job)))",
    ),
)
"""How statements find a job's rows: `WHERE {l bears $1::text}`.

Names of jobs are long, so that their index keeps a hash of them instead: a condition without the hash has no
index, and one without the name is true of other jobs too. The name is compared by a function, for the planner
takes equalities for independent and would expect no rows. `{l may bear $1::text[]}` finds the rows of many
jobs at once, by their hashes alone: the statement or its caller has to compare the names.
"""


@cache
def statement_files() -> Mapping[str, Traversable]:
    """The file of every named statement, by name.

    Raises:
        ValueError: two capabilities use the same name.
    """
    found: dict[str, Traversable] = {}
    for capability in files("llamalog_service").iterdir():
        _add_files(capability / "sql", found, "statements")
    return found


@cache
def _fragment_files() -> Mapping[str, Traversable]:
    """The file of every fragment: text that several statements share, and that they name in braces.

    They are in `sql/fragments/` of the lowest capability that uses them.
    """
    found: dict[str, Traversable] = {}
    for capability in files("llamalog_service").iterdir():
        _add_files(capability / "sql" / "fragments", found, "fragments")
    return found


def _add_files(folder: Traversable, found: dict[str, Traversable], kind: str) -> None:
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        if file.is_dir():
            continue
        name = file.name.removesuffix(".sql")
        if name in found:
            raise ValueError(f"Two {kind} are named {name}: {found[name]} and {file}. Rename one.")
        found[name] = file


@cache
def sql(name: str, *, brief: bool = False) -> str:
    """The text of the statement ``<capability>/sql/<name>.sql``, fragments and abbreviations expanded.

    Args:
        brief: select of each row what a list shows, instead of the whole of it.
    """
    text = statement_files()[name].read_text(encoding="utf-8")
    return expand(text.replace("{row}", "{brief}") if brief else text)


def expand(text: str) -> str:
    """Replace the fragments and abbreviations in braces that are known; others stay."""
    text = re.sub(r"{(\w+)}", lambda found: _fragment(found[1]), text)
    for abbreviation, meaning in _ABBREVIATIONS:
        text = re.sub(abbreviation, meaning, text)
    return text


@cache
def _fragment(name: str) -> str:
    """The text of a fragment, with those that it names; of an unknown one its name in braces."""
    file = _fragment_files().get(name)
    return f"{{{name}}}" if file is None else expand(file.read_text(encoding="utf-8").strip())


Row = Mapping[str, Any]
"""The values of a row by the names that its query gives them."""
