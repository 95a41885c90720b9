"""What adoption must make of each row, in plain Python over the rows as they were dumped before.

It reads nothing of the service: neither its rule, nor its words, nor its SQL.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from harness.legacy.rows import Row

NAMED_AT_MOST = 64
"""Of a longer cycle so many members are named, from the least one on."""


class Expected(NamedTuple):
    """The values of a row after its adoption; all else must be as it was."""

    root_job_id: str | None
    origin: str | None
    cycle_members: tuple[str, ...] | None
    parent_conflict: bool
    parent_job_id: str | None
    is_root_job: bool
    category: str | None


class Kept(NamedTuple):
    """The values that must be kept aside of a row."""

    parent_job_id: str | None
    root_job_id: str | None


def category_of(operation: str, status: str) -> str:
    """The category of a row that was written before there were any."""
    if operation.startswith("cache:"):
        return "CACHED"
    if operation == "admin_correction":
        return "CORRECTED"
    sources = ("enrichment:", "check:", "musicbrainz:", "spotify:", "discogs:")
    if operation.startswith(sources) or operation == "PREVIEW_ENRICHMENT":
        return "ENRICHED"
    return "FAILED" if status == "FAILED" else "CREATED"


def taken_in(before: Iterable[Row]) -> dict[str, Row]:
    """The rows with their category, their flag, and the parents that count; by id."""
    return {str(row["id"]): _taken_in(row) for row in before}


def kept_aside(before: Iterable[Row]) -> dict[str, Kept]:
    """What must be kept of the rows with values that the rules overrule; by id."""
    kept = {}
    for row in before:
        root = row.get("root_job_id")
        parent = row["parent_job_id"] if _calls_itself_root(row) else None
        if root is not None or parent is not None:
            kept[str(row["id"])] = Kept(parent, root)
    return kept


def adopted(
    before: Iterable[Row],
    *,
    missing_tops: bool = True,
    overrides: Mapping[str, bool] | None = None,
) -> dict[str, Expected]:
    """The rows after adoption, by id.

    Args:
        before: the rows as they stood.
        missing_tops: whether a job that was never logged, and whose rows would stay without a root,
            counts as a root.
        overrides: the jobs that an operator adopted before as roots, or whose adoption was revoked.
    """
    rows = taken_in(before)
    overridden = dict(overrides or {})
    if missing_tops:
        for job in missing(rows.values(), overridden):
            overridden.setdefault(job, True)
    jobs = _Jobs(rows.values(), {job for job, counts in overridden.items() if counts})
    return {row_id: jobs.expected(row) for row_id, row in rows.items()}


def missing(rows: Collection[Row], overridden: Mapping[str, bool]) -> set[str]:
    """The jobs, never logged, that rows wait for."""
    jobs = _Jobs(rows, {job for job, counts in overridden.items() if counts})
    return {jobs.end(str(_start(row))).top for row in rows if jobs.expected(row).origin == "PENDING"}


def counts(expected: Mapping[str, Expected]) -> Counter[str | None]:
    """How many rows there are of each origin."""
    return Counter(row.origin for row in expected.values())


class _End(NamedTuple):
    """Where the walk upward from a job leads.

    Attributes:
        top: the job without a parent; on a ring any of its members.
        ring: the jobs that the walk passes again and again, in its order; empty if it has an end.
        declared: the root that is declared by the nearest of the jobs passed.
    """

    top: str
    ring: tuple[str, ...]
    declared: str | None


class _Jobs:
    """The claims and declarations of each job, and where the walk from it leads."""

    def __init__(self, rows: Collection[Row], adopted: set[str]) -> None:
        claims, declarations = defaultdict(list), defaultdict(list)
        self._adopted = adopted
        self._logged = set()
        for row in rows:
            job = row["job_id"]
            if job is not None:
                self._logged.add(job)
                if row["parent_job_id"] is not None:
                    claims[job].append((_when(row), str(row["parent_job_id"])))
                if row.get("declared_root_job_id") is not None:
                    declarations[job].append((_when(row), str(row["declared_root_job_id"])))
        self._parent = {job: min(made)[1] for job, made in claims.items()}
        self._declared = {job: min(made)[1] for job, made in declarations.items()}
        self._ends: dict[str, _End] = {}

    def end(self, start: str) -> _End:
        """Where the walk from a job leads; each job is walked from once."""
        walk: dict[str, int] = {}
        job = start
        while job in self._parent and job not in self._ends and job not in walk:
            walk[job] = len(walk)
            job = self._parent[job]
        if job in self._ends:
            end = self._ends[job]
        elif job in walk:
            end = _End(job, tuple(walk)[walk[job] :], None)
        else:
            end = self._ends[job] = _End(job, (), self._declared.get(job))
        for passed in reversed(walk):
            end = end._replace(declared=self._declared.get(passed, end.declared))
            self._ends[passed] = end
        return end

    def expected(self, row: Row) -> Expected:
        start = _start(row)
        if start is None:
            return _expected(row, None, "UNTRACKED")
        end = self.end(start)
        if end.ring:
            return self._on_ring(row, end.ring)
        if end.top in self._logged:
            return self._found(row, end.top, "ROOT" if end.top == row["job_id"] else "RESOLVED")
        if end.top in self._adopted:
            return self._found(row, end.top, "ADOPTED")
        own = row.get("declared_root_job_id")
        declared = end.declared if own is None else own
        return self._found(row, declared, "DECLARED" if declared is not None else "PENDING")

    def _found(self, row: Row, root: str | None, origin: str) -> Expected:
        return _expected(row, root, origin, conflict=self._differs(row))

    def _on_ring(self, row: Row, ring: tuple[str, ...]) -> Expected:
        first = ring.index(min(ring))
        members = (ring[first:] + ring[:first])[:NAMED_AT_MOST]
        return _expected(row, None, "CYCLE", tuple(members), self._differs(row))

    def _differs(self, row: Row) -> bool:
        """Whether the row claims another parent than the one that counts."""
        job, parent = row["job_id"], row["parent_job_id"]
        return job is not None and parent is not None and parent != self._parent[job]


def _expected(
    row: Row,
    root: str | None,
    origin: str,
    members: tuple[str, ...] | None = None,
    conflict: bool = False,
) -> Expected:
    flag = row["is_root_job"] == "true"
    return Expected(root, origin, members, conflict, row["parent_job_id"], flag, row["category"])


def _taken_in(row: Row) -> Row:
    parent = None if _calls_itself_root(row) else row["parent_job_id"]
    by_shape = "true" if row["job_id"] is not None and row["parent_job_id"] is None else "false"
    by_rule = category_of(str(row["operation"]), str(row["status"]))
    return {
        **row,
        "parent_job_id": parent,
        "is_root_job": row.get("is_root_job", by_shape),
        "category": row.get("category") or by_rule,
    }


def _calls_itself_root(row: Row) -> bool:
    return row.get("is_root_job") == "true"


def _start(row: Row) -> str | None:
    return row["job_id"] if row["job_id"] is not None else row["parent_job_id"]


def _when(row: Row) -> tuple[tuple[int, str], str]:
    """Its time, then its id; the table holds years that Python does not, and two ends of time."""
    moment = str(row["created_at"])
    if moment.endswith("infinity"):
        return (-(10**9) if moment.startswith("-") else 10**9, ""), str(row["id"])
    year, _, rest = moment.partition("-")
    before_christ = rest.endswith(" BC")
    return (1 - int(year) if before_christ else int(year), rest.removesuffix(" BC")), str(row["id"])
