"""The locks of the one worker and of the one rebuild: one session holds each of them at a time."""

import asyncpg
import pytest

from llamalog_service.postgres.locks import RebuildLock, SessionLock, WorkerLock


@pytest.mark.parametrize("kind", [WorkerLock, RebuildLock])
async def test_a_second_session_gets_the_lock_only_when_the_first_has_given_it_back(
    pool: asyncpg.Pool, kind: type[SessionLock]
) -> None:
    first, second = kind(pool), kind(pool)
    async with first.attempt() as is_held:
        assert is_held
        assert first.is_held()
        async with second.attempt() as is_held_too:
            assert not is_held_too
        assert not second.is_held()
    assert not first.is_held()
    async with second.attempt() as is_held:
        assert is_held


async def test_the_worker_and_a_rebuild_do_not_wait_for_each_other(pool: asyncpg.Pool) -> None:
    async with WorkerLock(pool).attempt() as works, RebuildLock(pool).attempt() as rebuilds:
        assert works
        assert rebuilds
