"""A timeline as it is printed, and the depths and trees of any history."""

from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from msgspec.structs import replace
from rich.console import Console

from histories import NOON, histories
from llamalog_schemas.events import Category, EntityEvent, EntityType, Event, Status
from llamalog_schemas.provenance import Origin
from llamalog_service.cli.lineages import timeline_tree
from llamalog_service.cli.rendering import ring_of, row_in_lineage, row_line
from llamalog_service.domain.fold import fold
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.lineages import (
    JobNode,
    LineageEntry,
    Parents,
    is_cut,
    job_depths,
    lineage_trees,
)
from llamalog_service.queries.rows import LogRow
from llamalog_service.queries.timeline import Timeline
from llamalog_service.telemetry.logging import STYLES

ALBUM = UUID(int=1)


def entry(number: int, job: str | None = None, parent: str | None = None, **values: Any) -> LineageEntry:
    at = NOON + timedelta(milliseconds=number)
    known: dict[str, Any] = dict.fromkeys(LogRow.__struct_fields__) | {
        "id": UUID(int=number),
        "created_at": at,
        "recorded_at": at,
        "category": Category.CREATED,
        "operation": "track:created:test",
        "status": Status.SUCCESS,
        "sources": (),
        "fields_enriched": (),
        "job_id": job,
        "parent_job_id": parent,
        "root_job_id": "create",
        "is_root_job": job is not None and parent is None,
        "origin": Origin.RESOLVED,
        "parent_conflict": False,
        "declaration_conflict": False,
        "revision": 1,
    }
    return LineageEntry(row=LogRow(**(known | values)), depth=0, parent=parent)


def timeline(*entries: LineageEntry, parents: Parents, more: str | None = None) -> Timeline:
    return Timeline(
        entity=EntityRef(type=EntityType.ALBUM, id=ALBUM),
        name=None,
        entries=entries,
        parents=parents,
        longer=is_cut(parents),
        next=more,
    )


def printed(shown: Timeline) -> list[str]:
    paper = StringIO()
    Console(width=200, file=paper).print(timeline_tree(shown))
    return paper.getvalue().splitlines()


def test_a_timeline_is_printed_as_the_tree_of_its_jobs() -> None:
    parents = {"create": None, "enrich": "create", "track": "enrich", "away": "lost", "lost": None}
    entries = [
        entry(1, "create", name="Blue Train"),
        entry(2, "enrich", "create", category=Category.FAILED, error_code="RATE_LIMITED"),
        entry(3, "enrich", "create", category=Category.ENRICHED),
        entry(4, "track", "enrich", revision=2),
        entry(5, None, None, category=Category.CACHED, root_job_id=None, origin=Origin.UNTRACKED),
        entry(6, "away", "lost", root_job_id=None, origin=Origin.PENDING, category=Category.LINKED),
    ]
    lines = printed(timeline(*entries, parents=parents))
    assert lines[2:] == [
        "├── + 12:00:00.001  track:created:test  Blue Train",
        "│   └── ✗ 12:00:00.002  track:created:test  RATE_LIMITED",
        "│       ↑ 12:00:00.003  track:created:test",
        "│       └── + 12:00:00.004  track:created:test  root corrected",
        "├── ▣ 12:00:00.005  track:created:test  Origin unknown: UNTRACKED  outside of any job",
        "└── lost  (nothing of its own here)",
        "    └── ⇄ 12:00:00.006  track:created:test  Origin unknown: PENDING",
    ]


def test_a_job_that_is_between_others_is_not_marked_as_never_seen() -> None:
    parents = {"away": "between", "between": "lost", "lost": None}
    row = entry(1, "away", "between", root_job_id=None, origin=Origin.PENDING)
    assert printed(timeline(row, parents=parents))[2:] == [
        "└── lost  (nothing of its own here)",
        "    └── between  (nothing of its own here)",
        "        └── + 12:00:00.001  track:created:test  Origin unknown: PENDING",
    ]


def test_values_of_producers_cannot_steer_the_terminal_or_the_markup() -> None:
    wicked = entry(1, "create", name="[red]\x1b[2J\nname", operation="op\x07")
    lines = printed(timeline(wicked, parents={"create": None}, more="there"))
    assert lines[2:] == [
        "Only the oldest 1 entries are shown; --limit shows more.",
        "└── + 12:00:00.001  op�  [red]�[2J�name",
    ]


def test_the_date_of_each_entry_is_shown_where_they_are_of_several_days() -> None:
    late = NOON + timedelta(days=30)
    entries = [entry(1, "create"), entry(2, "create", created_at=late)]
    heading, legend, *lines = printed(timeline(*entries, parents={"create": None}))
    assert heading == f"The timeline of the album  ALBUM {ALBUM}"
    assert legend.startswith("2026-02-10 to 2026-03-12, UTC   + created  ⇄ linked")
    assert lines == [
        "└── + 2026-02-10 12:00:00.001  track:created:test",
        "    + 2026-03-12 12:00:00.000  track:created:test",
    ]


def test_a_chain_deeper_than_any_terminal_is_wide_stays_readable_and_shows_its_depth() -> None:
    jobs = [f"job-{number}" for number in range(1000)]
    parents = dict(zip(jobs, [None, *jobs], strict=False))
    entries = [entry(number, job, parents[job]) for number, job in enumerate(jobs)]
    lines = printed(timeline(*entries, parents=parents))[2:]
    assert len(lines) == 1000
    assert max(map(len, lines)) < 110
    assert lines[12] == " " * (4 * 12) + "├── + 12:00:00.012  track:created:test"
    assert [line.partition("── ")[2] for line in (lines[13], lines[-1])] == [
        "[13] + 12:00:00.013  track:created:test",
        "[999] + 12:00:00.999  track:created:test",
    ]


def test_a_row_listed_by_itself_shows_what_it_is_about_and_whose_it_is() -> None:
    failed = entry(
        1,
        "enrich-1",
        "create",
        category=Category.FAILED,
        status=Status.FAILED,
        entity_type=EntityType.ALBUM,
        entity_id=ALBUM,
        name="Blue Train",
        error_code="RATE_LIMITED",
        error_message="slow\ndown\x1b[2J",
    ).row
    linked = entry(
        2,
        "link-1",
        category=Category.LINKED,
        root_job_id="link-1",
        data_quality_before="LOW",
        data_quality_after="HIGH",
        revision=2,
    ).row
    unknown = entry(3, category="INVENTED", status="ODD", root_job_id=None, origin=None).row
    assert [row_line(row).plain for row in (failed, linked, unknown)] == [
        "2026-02-10 12:00:00.001  ✗ FAILED    track:created:test  Blue Train  FAILED  RATE_LIMITED  "
        "slow�down�[2J  ALBUM 00000000-0000-0000-0000-000000000001  job enrich-1  root create",
        "2026-02-10 12:00:00.002  ⇄ LINKED    track:created:test  quality LOW → HIGH  job link-1  "
        "root itself  root corrected",
        "2026-02-10 12:00:00.003  ? INVENTED  track:created:test  ODD  Origin unknown: not looked at yet",
    ]


@pytest.mark.parametrize("category", Category)
def test_a_terminal_shows_each_category_in_its_colour(category: Category) -> None:
    paper = StringIO()
    terminal = Console(file=paper, force_terminal=True, color_system="standard", width=200)
    terminal.print(row_line(entry(1, category=category).row))
    icon, colour = STYLES[category]
    code = 30 + ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"].index(colour)
    assert f"\x1b[{code}m{icon} {category}" in paper.getvalue()


def parents_of(history: list[Event]) -> dict[str, str | None]:
    """The parent that counts of every job named in a history, by the rule of the fold."""
    rows = [row.content for row in fold(history).values()]
    claims = sorted(
        (row.created_at, row.id, row.job_id, row.parent_job_id)
        for row in rows
        if row.job_id is not None and row.parent_job_id is not None
    )
    named = {job for row in rows for job in (row.job_id, row.parent_job_id) if job is not None}
    return {job: next((parent for _, _, child, parent in claims if child == job), None) for job in named}


@given(histories())
def test_every_entry_of_any_history_stands_once_in_its_trees_at_its_depth(history: list[Event]) -> None:
    parents = parents_of(history)
    depths = job_depths(parents)
    own = [event for event in history if isinstance(event, EntityEvent)]
    entries = tuple(
        entry(
            number,
            event.data.job_id,
            event.data.parent_job_id if event.data.job_id is None else parents[event.data.job_id],
        )
        for number, event in enumerate(own)
    )
    found: list[UUID] = []

    def walk(node: JobNode, above: str | None, depth: int) -> None:
        found.extend(entry.row.id for entry in node.entries)
        if node.job is not None:
            assert depths[node.job] == depth
            assert above is None or parents[node.job] == above
        for child in node.children:
            walk(child, node.job, depth + 1)

    for top in lineage_trees(entries, parents):
        walk(top, None, 0)
    assert sorted(found) == [entry.row.id for entry in entries]


def test_a_lineage_that_goes_further_up_than_was_followed_says_so() -> None:
    shown = timeline(
        entry(1, "upper", "above all"),
        entry(2, "lower", "upper"),
        parents={"upper": "above all", "lower": "upper"},
    )
    assert job_depths(shown.parents) == {"upper": 0, "lower": 1}
    (top,) = lineage_trees(shown.entries, shown.parents)
    assert (top.job, [child.job for child in top.children]) == ("upper", ["lower"])
    assert any("not the real top" in line for line in printed(shown))


def test_no_value_fills_the_terminal() -> None:
    long = "x" * 200_000
    fields = ("name", "operation", "error_code", "error_message", "job_id", "root_job_id", "parent_job_id")
    values = dict.fromkeys(fields, long) | {"status": long, "category": long, "parent_conflict": True}
    row = replace(entry(1).row, **values)
    assert len(row_line(row).plain) < 3_000
    assert len(row_in_lineage(row, with_date=True).plain) < 3_000
    ring = ring_of([f"{number}{long}" for number in range(64)])
    assert len(ring) < 3_000
    assert "… 52 more → 0xx" in ring
