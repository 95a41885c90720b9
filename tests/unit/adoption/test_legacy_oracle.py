"""The oracle of adoption and the databases that it is compared with are as described."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings

from harness.legacy.adversarial import Scene, adversarial_rows, strange_values
from harness.legacy.known import ROOT_JOBS, ROWS, WITH_A_PARENT, WITH_A_ROOT, WITHOUT_A_JOB, known_rows
from harness.legacy.oracle import adopted, category_of, kept_aside
from harness.legacy.rows import Entities, Row
from harness.legacy.schemas import ADOPTABLE, StartingPoint
from histories import histories
from llamalog_schemas.events import Event, RootAdopted, is_root_override
from llamalog_service.domain.fold import fold


def text(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(history=histories(max_events=40, max_jobs=10))
def test_the_oracle_and_the_fold_find_the_same_roots_by_different_ways(history: list[Event]) -> None:
    folded = fold(history)
    columns = ("id", "job_id", "parent_job_id", "declared_root_job_id", "created_at", "operation")
    rows: list[Row] = [
        {
            **{column: text(getattr(row.content, column)) for column in columns},
            "status": text(getattr(row.content, "status", None)),
        }
        for row in folded.values()
    ]
    events = sorted((event.time, event.id, event) for event in history if is_root_override(event))
    overrides = {event.data.job_id: isinstance(event, RootAdopted) for *_, event in events}

    found = adopted(rows, missing_tops=False, overrides=overrides)

    assert {row_id: outcome[:4] for row_id, outcome in found.items()} == {
        str(row_id): (
            row.root.root_job_id,
            row.root.origin.value,
            row.root.cycle_members,
            row.root.parent_conflict,
        )
        for row_id, row in folded.items()
    }


def outcome_of(scene: Scene, **options: Any) -> list[tuple[str | None, str | None]]:
    found = adopted(scene.rows, **options)
    return [(found[str(row["id"])].root_job_id, found[str(row["id"])].origin) for row in scene.rows]


def test_a_chain_whose_top_was_never_logged_takes_the_topmost_job_named_if_it_is_to_be_adopted() -> None:
    scene = Scene()
    scene.add_row("grandchild", "child")
    scene.add_row("child", "lost")
    scene.add_row(None, "lost")
    assert outcome_of(scene) == [("lost", "ADOPTED")] * 3
    assert outcome_of(scene, missing_tops=False) == [(None, "PENDING")] * 3
    assert outcome_of(scene, overrides={"lost": False}) == [(None, "PENDING")] * 3


def test_a_row_that_calls_itself_a_root_job_makes_no_claim_and_what_it_named_is_kept() -> None:
    scene = Scene()
    scene.add_row("a", "b", flag=True, root="x")
    scene.add_row("b", "a")
    assert outcome_of(scene) == [("a", "ROOT"), ("a", "RESOLVED")]
    assert list(kept_aside(scene.rows).values()) == [("b", "x")]
    assert adopted(scene.rows)[str(scene.rows[0]["id"])].parent_job_id is None


def test_a_cycle_is_named_from_its_least_member_on_also_by_what_hangs_on_it() -> None:
    scene = Scene()
    for job, parent in ("c", "b"), ("b", "a"), ("a", "c"), ("tail", "b"), ("self", "self"):
        scene.add_row(job, parent)
    members = [row.cycle_members for row in adopted(scene.rows).values()]
    assert members == [("a", "c", "b")] * 4 + [("self",)]


@pytest.mark.parametrize(
    ("operation", "status", "category"),
    [
        ("cache:album-cover", "FAILED", "CACHED"),
        ("admin_correction", "FAILED", "CORRECTED"),
        ("admin_correction:undo", "FAILED", "FAILED"),
        ("enrichment:album", "FAILED", "ENRICHED"),
        ("check:", "SUCCESS", "ENRICHED"),
        ("re-check:album", "SUCCESS", "CREATED"),
        ("PREVIEW_ENRICHMENT", "PREVIEW", "ENRICHED"),
        ("preview_enrichment", "FAILED", "FAILED"),
    ],
)
def test_an_operation_outweighs_a_status_for_the_category(operation: str, status: str, category: str) -> None:
    assert category_of(operation, status) == category


@pytest.mark.slow
@pytest.mark.parametrize("point", ADOPTABLE)
@pytest.mark.parametrize(("lost_tops", "under_them"), [(False, 0), (True, 12)])
def test_the_known_database_has_the_known_figures_at_every_starting_point(
    point: StartingPoint, lost_tops: bool, under_them: int
) -> None:
    rows = known_rows(Entities(Random(1)), point, lost_tops=lost_tops)
    found = adopted(rows)
    origins = Counter(row.origin for row in found.values())
    assert origins["ROOT"] == ROOT_JOBS
    assert origins["RESOLVED"] == WITH_A_PARENT - under_them
    assert origins["ADOPTED"] == under_them
    assert origins["UNTRACKED"] == WITHOUT_A_JOB
    assert (len(rows), sum(row.root_job_id is not None for row in found.values())) == (ROWS, WITH_A_ROOT)
    assert all(tuple(row) == tuple(name for name in row if name in point.columns) for row in rows)


def test_the_known_database_is_the_same_rows_at_every_starting_point() -> None:
    entities = Entities(Random(1))
    first = {row["id"]: row for row in known_rows(entities, StartingPoint.FIRST)}
    last = {row["id"]: row for row in known_rows(entities, StartingPoint.ROOTS)}
    assert first.keys() == last.keys()
    assert all(
        value == last[row_id][column]
        for row_id, row in first.items()
        for column, value in row.items()
        if column != "parent_job_id"
    )


def test_the_known_database_has_every_category_and_every_status() -> None:
    rows = known_rows(Entities(Random(1)), StartingPoint.FIRST)
    assert {row.category for row in adopted(rows).values()} == {
        "CACHED",
        "CORRECTED",
        "CREATED",
        "ENRICHED",
        "FAILED",
    }
    assert len({row["status"] for row in rows}) == 10


@pytest.mark.slow
def test_the_adversarial_database_has_every_origin_that_a_legacy_row_can_have() -> None:
    rows = adversarial_rows(StartingPoint.ROOTS)
    assert {row.origin for row in adopted(rows).values()} == {
        "ROOT",
        "RESOLVED",
        "ADOPTED",
        "CYCLE",
        "UNTRACKED",
    }
    rings = {row.cycle_members for row in adopted(rows).values() if row.cycle_members}
    assert {1, 2, 3, 50, 64} == {len(members) for members in rings}
    assert any(row.parent_conflict for row in adopted(rows).values())
    assert max(len(row["job_id"] or "") for row in rows) == 100


def test_no_two_rows_share_an_id() -> None:
    for rows in adversarial_rows(StartingPoint.ROOTS), strange_values(StartingPoint.ROOTS):
        assert len({row["id"] for row in rows}) == len(rows)
