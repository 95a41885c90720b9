"""What a crash of PostgreSQL empties is not taken for what was told; what is left is read on."""

import asyncpg
import pytest

from harness.rebuilding import TAMPERED, Installation, empty_unlogged_tables, rows_as_text, tamper
from histories import chains, event
from llamalog_service.store.comparison import ComparisonStore
from llamalog_service.store.filling import FillStore
from llamalog_service.store.kept_shadow import ShadowLostError
from llamalog_service.store.mending import MendingStore
from llamalog_service.store.shadow import ShadowStore


@pytest.fixture
async def tampered(pool: asyncpg.Pool) -> Installation:
    installation = Installation(pool)
    installation.say([*chains(30), event(101)])
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
        (ComparisonStore, "settling"),
        (ComparisonStore, "summary"),
        (MendingStore, "decrees"),
        (MendingStore, "next"),
        (MendingStore, "mend"),
    ],
)
async def test_a_repair_whose_shadow_a_crash_has_emptied_changes_nothing_and_the_next_mends_all(
    tampered: Installation, monkeypatch: pytest.MonkeyPatch, of: type, step: str
) -> None:
    before = await rows_as_text(tampered.pool)
    crash_before(monkeypatch, tampered.pool, of, step)
    with pytest.raises(ShadowLostError, match="Run the same command again"):
        await tampered.repaired()
    assert await rows_as_text(tampered.pool) == before
    assert (await tampered.repaired()).mended == 5
    assert tampered.named == TAMPERED


async def test_removals_are_not_forgotten_by_a_crash_after_them(
    tampered: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_before(monkeypatch, tampered.pool, MendingStore, "removed")
    with pytest.raises(ShadowLostError):
        await tampered.repaired()


async def test_a_repair_whose_shadow_was_dropped_ends(
    tampered: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def discard_then_look(self: MendingStore) -> int:
        await ShadowStore(tampered.pool).discard()
        return 1

    monkeypatch.setattr(MendingStore, "first_revision", discard_then_look)
    with pytest.raises(ShadowLostError):
        await tampered.repaired()


async def test_an_empty_table_is_not_filled_with_what_a_crash_has_left(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(pool)
    installation.say(chains(30))
    crash_before(monkeypatch, pool, FillStore, "fill")
    with pytest.raises(ShadowLostError):
        await installation.rebuilt()
    assert await pool.fetchval("SELECT count(*) FROM consumer_positions") == 0
    assert (await installation.rebuilt()).rebuilt.rows == 30
