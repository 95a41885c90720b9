"""A shadow emptied by a crash of PostgreSQL is not compared with; any other is resumed."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from harness.legacy_events import legacy_row
from harness.rebuilding import TAMPERED, Installation, empty_unlogged_tables, rows_as_text, tamper
from histories import chains, event
from llamalog_service.postgres.locks import REBUILD_LOCK, RebuildLockLostError
from llamalog_service.rebuild.comparison import ComparisonStore
from llamalog_service.rebuild.errors import ShadowLostError, TableNotEmptyError, TooManyDeletesError
from llamalog_service.rebuild.initial_load import InitialLoadStore
from llamalog_service.rebuild.repair import RepairStore
from llamalog_service.rebuild.shadow import ShadowStore


@pytest.fixture
async def tampered(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.publish([*chains(30), event(101)])
    await installation.ingest_all()
    await tamper(pool)
    return installation


def crash_before(monkeypatch: pytest.MonkeyPatch, pool: asyncpg.Pool, of: type, step: str) -> None:
    """Have PostgreSQL crash once, before a step."""
    original = getattr(of, step)

    async def crash_then_step(self: object, *given: object) -> object:
        monkeypatch.setattr(of, step, original)
        await empty_unlogged_tables(pool)
        return await original(self, *given)

    monkeypatch.setattr(of, step, crash_then_step)


@pytest.mark.parametrize(
    ("of", "step"),
    [
        (ComparisonStore, "convergence"),
        (ComparisonStore, "differences"),
        (RepairStore, "repair_overrides"),
        (RepairStore, "next"),
        (RepairStore, "repair"),
    ],
)
async def test_a_repair_whose_shadow_a_crash_has_emptied_changes_nothing_and_the_next_repairs_all(
    tampered: Installation, monkeypatch: pytest.MonkeyPatch, of: type, step: str
) -> None:
    before = await rows_as_text(tampered.pool)
    crash_before(monkeypatch, tampered.pool, of, step)
    with pytest.raises(ShadowLostError, match="Run the same command again"):
        await tampered.repaired()
    assert await rows_as_text(tampered.pool) == before
    assert (await tampered.repaired()).repaired == 5
    assert tampered.named == TAMPERED


async def test_deletions_are_kept_by_a_crash_after_them(
    tampered: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_before(monkeypatch, tampered.pool, RepairStore, "deleted")
    with pytest.raises(ShadowLostError):
        await tampered.repaired()


async def test_a_repair_whose_shadow_was_dropped_ends(
    tampered: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def discard_then_look(self: RepairStore) -> int:
        await ShadowStore(tampered.pool).discard()
        return 1

    monkeypatch.setattr(RepairStore, "first_revision", discard_then_look)
    with pytest.raises(ShadowLostError):
        await tampered.repaired()


async def test_an_empty_table_is_not_loaded_from_a_shadow_that_a_crash_has_emptied(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(pool)
    installation.publish(chains(30))
    crash_before(monkeypatch, pool, InitialLoadStore, "load")
    with pytest.raises(ShadowLostError):
        await installation.rebuilt()
    assert await pool.fetchval("SELECT count(*) FROM consumer_positions") == 0
    assert (await installation.rebuilt()).rebuilt.rows == 30


async def test_a_rebuild_refused_after_its_comparison_is_resumed(tampered: Installation) -> None:
    """Also legacy rows, redeliveries and other contents that come after it."""
    with pytest.raises(TooManyDeletesError):
        await tampered.repaired(max_deletes=0, allow_unsourced=True)
    tampered.topic.append(legacy_row(700, "CREATED"))
    tampered.topic.append(event(6), 1)
    tampered.publish(chains(30), 0)
    await tampered.ingest_all()
    report = await tampered.repaired(allow_unsourced=True)
    assert (report.dead_letters, report.repaired) == (0, 3)  # the reading repaired the others
    assert await tampered.pool.fetchval("SELECT count(*) FROM llama_logs WHERE id = $1", UUID(int=700)) == 1
    assert (await tampered.rebuilt()).differences.rows == 0


async def test_an_interrupted_repair_is_resumed(
    tampered: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampered.publish([event(400, "job", "one")], 0)
    await tampered.ingest_all()

    async def stop(self: RepairStore) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopping, pytest.raises(KeyboardInterrupt):
        stopping.setattr(RepairStore, "first_revision", stop)
        await tampered.repaired()
    tampered.topic.append(legacy_row(700, "CREATED"))
    tampered.publish(chains(30), 0)
    await tampered.ingest_all()
    report = await tampered.repaired()
    assert (report.dead_letters, report.repaired) == (0, 3)  # the reading repaired the others
    assert (await tampered.rebuilt()).differences.rows == 0


async def test_a_content_removed_as_a_duplicate_counts_if_the_live_table_holds_it_by_now(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(pool)
    installation.publish([event(1, "job", "one")], 0)
    installation.publish([event(1, "job", "other")], 1)
    load = InitialLoadStore.load

    async def ingest_then_load(self: InitialLoadStore, *where: object) -> None:
        await installation.ingest(1)
        await load(self, *where)  # type: ignore[arg-type]

    with monkeypatch.context() as meanwhile, pytest.raises(TableNotEmptyError):
        meanwhile.setattr(InitialLoadStore, "load", ingest_then_load)
        await installation.rebuilt()
    await installation.ingest_all()
    report = await installation.rebuilt()
    assert (report.differences.rows, report.contested, report.contested_kept_live) == (0, 1, 1)


async def test_rows_left_out_for_their_labels_are_read_by_a_rebuild_that_adds_labels(
    tampered: Installation,
) -> None:
    tampered.topic.append(legacy_row(700, "ODD"))
    await tampered.ingest_all()
    with pytest.raises(TooManyDeletesError):
        await tampered.repaired(max_deletes=0)
    report = await tampered.repaired(add_enum_labels=True)
    assert (report.dead_letters, report.repaired) == (0, 6)


async def test_a_rebuild_that_has_lost_its_lock_ends_and_another_one_resumes(
    tampered: Installation,
) -> None:
    before = await rows_as_text(tampered.pool)

    async def cut() -> None:
        await tampered.pool.fetchval(
            "SELECT pg_terminate_backend(pid) FROM pg_locks "
            "WHERE locktype = 'advisory' AND objid = $1::bigint::oid",
            REBUILD_LOCK,
        )
        await asyncio.sleep(0.2)

    with pytest.raises(RebuildLockLostError, match="Run the same command again"):
        await tampered.repaired(between=cut)
    assert await rows_as_text(tampered.pool) == before
    assert (await tampered.repaired()).repaired == 5
