"""Named SQL: one statement per file, in the folder `sql/` of the capability that runs it.

Names are unique in the whole service; a test prepares every statement against the migrated schema.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

_OF_A_JOB = r"(hashtextextended(\1.{column}, 0) = hashtextextended(\2, 0) AND texteq(\1.{column}, \2))"
_MAYBE_OF_JOBS = (
    r"hashtextextended(\1.{column}, 0) = "
    r"ANY (ARRAY(SELECT hashtextextended(named.job, 0) FROM unnest(\2) AS named (job)))"
)
_ABBREVIATIONS = (
    (r"{(\w+) bears ([^{}]+)}", _OF_A_JOB.format(column="job_id")),
    (r"{(\w+) names ([^{}]+)}", _OF_A_JOB.format(column="parent_job_id")),
    (r"{(\w+) stems from ([^{}]+)}", _OF_A_JOB.format(column="root_job_id")),
    (r"{(\w+) may bear ([^{}]+)}", _MAYBE_OF_JOBS.format(column="job_id")),
    (r"{(\w+) may name ([^{}]+)}", _MAYBE_OF_JOBS.format(column="parent_job_id")),
    (
        r"{(\w+) is about ([^{}]+)}",
        r"(uuid_hash(\1.entity_id) = uuid_hash(\2) AND uuid_eq(\1.entity_id, \2))",
    ),
    (
        r"{(\w+) is of trace ([^{}]+)}",
        r"(\1.traceparent IS NOT NULL"
        r" AND hashtextextended(substr(\1.traceparent, 4, 32), 0) = hashtextextended(\2, 0)"
        r" AND texteq(substr(\1.traceparent, 4, 32), \2))",
    ),
    (r"{(\w+) stands}", r"nullif(\1.retracted, true) IS NOT NULL"),
    (
        r"{(\w+) stands, or has no job}",
        r"nullif(\1.retracted AND \1.job_id IS NOT NULL, true) IS NOT NULL",
    ),
    (
        r"{(\w+) was retracted at ([^{}]+)}",
        r"coalesce((SELECT x.retracted FROM retractions x WHERE x.row_id = \1.id AND x.recorded_at <= \2"
        r" ORDER BY x.retracted_at DESC, x.id DESC LIMIT 1), false)",
    ),
    (
        r"{digest of user ([^{}]+)}",
        r"encode(sha256(convert_to('llamalog-user:' || \1, 'UTF8')), 'hex')",
    ),
    (
        r"{second of ([^{}]+)}",
        r"int4(date_part('epoch', "
        r"least(greatest(\1, '1970-01-01Z'), '2100-01-01Z') - '2035-01-01Z'))",
    ),
)
"""How statements find the rows of a job: `WHERE {l bears $1::text}`; those that name it as their parent:
`{l names $1::text}`; those whose root it is: `{l stems from $1::text}`.

Names of jobs are long, so that their indexes keep hashes of them instead: a condition without the hash has no
index, and one without the name is true of other jobs too. The name is compared by a function, for the planner
takes equalities for independent and would expect no rows. `{l may bear $1::text[]}` finds the rows of many
jobs at once, by their hashes alone: the statement or its caller has to compare the names.

The rows of a distributed trace, `{l is of trace $1::text}`, are found likewise, by a hash of its id.

A row that is not retracted `{l stands}`: written so that the planner expects it of nearly all rows, also of a
table without statistics. Whether a row was retracted by what was recorded up to a time:
`{l was retracted at $3::timestamptz}`.

The digest by which erasures name a person, `{digest of user l.user_id}`, is that of
`llamalog_schemas.events.user_digest`.

The rows about an entity, `{l is about $1::uuid}`, have an index of four bytes of hash and four for the second
in which they were created: where the order of time counts, `{second of l.created_at}` comes before the time.
Seconds are counted from 2035, so that all times of events fit; the expression is as immutable with a time
zone as without.
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
