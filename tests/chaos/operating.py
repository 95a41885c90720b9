"""What an operator does: backfills and commands."""

from uuid import UUID, uuid4

from chaos.scene import Scene
from harness.environments import environment_of
from harness.started_commands import llamalog
from harness.waiting import eventually
from llamalog_schemas.backfills import RunStatus
from llamalog_schemas.commands import BackfillRootsData, WholeTable
from llamalog_service.backfill.backfill_store import Backfill, BackfillStore
from llamalog_service.domain.errors import UnavailableError
from llamalog_service.kafka.publisher import open_publisher


async def start_backfill(
    scene: Scene, *, batch_size: int | None = None, rate_limit: int | None = None
) -> UUID:
    """Request a backfill of the whole table."""
    run = uuid4()
    request = BackfillRootsData(
        scope=WholeTable(), requested_by="chaos", batch_size=batch_size, rate_limit=rate_limit
    )
    async with open_publisher(scene.settings, "/chaos") as publisher:
        await publisher.request_backfill(run, request)
    return run


async def found(scene: Scene, run: UUID) -> Backfill | None:
    """A backfill as it stands; None where it is not known yet, or PostgreSQL is away."""
    try:
        return await BackfillStore(scene.pool).find(run)
    except UnavailableError:
        return None


def has_ended(backfill: Backfill | None) -> bool:
    """Whether it is known and does no more."""
    return backfill is not None and backfill.status not in (RunStatus.QUEUED, RunStatus.RUNNING)


async def until_backfilled(scene: Scene, run: UUID) -> None:
    """Wait for the end of a backfill, which must be its completion."""

    async def is_done() -> bool:
        """the backfill has ended"""
        return has_ended(await found(scene, run))

    await eventually(is_done, within=120)
    ended = await found(scene, run)
    if ended is None or ended.status is not RunStatus.COMPLETED:
        scene.wrong.append(f"the backfill has not completed: {ended}")


async def command(scene: Scene, *words: str) -> None:
    """Run `llamalog` with these words to its end, which must be a good one."""
    ended = await llamalog(*words, environment=environment_of(scene.settings), folder=scene.folder)
    if ended.code != 0:
        scene.wrong.append(f"llamalog {' '.join(words)} ended with {ended.code}: {ended.err[-500:]}")
