"""The database as a whole: brought up to date, or begun anew."""

from llamalog_service.adoption.migration_check import MigrationCheck
from llamalog_service.adoption.migration_progress import Watch
from llamalog_service.adoption.migration_runner import check_migration, empty_database, migrate
from llamalog_service.settings import DatabaseSettings


async def migrate_database(
    settings: DatabaseSettings, watch: Watch | None = None, *, compat_view: bool = False
) -> list[str]:
    """Bring the database to the newest revision; which revisions were applied.

    Raises:
        StoreError: what is wrong and what to do.
    """
    return await migrate(settings.database_dsn(), watch, compat_view=compat_view)


async def check_database(settings: DatabaseSettings, *, compat_view: bool = False) -> MigrationCheck:
    """What stands, and what a migration would do; changes nothing.

    Raises:
        StoreError: what is wrong and what to do.
    """
    return await check_migration(settings.database_dsn(), compat_view=compat_view)


async def forget_everything(settings: DatabaseSettings) -> None:
    """Drop all that the database holds, and bring it to the newest revision.

    Raises:
        StoreError: what is wrong and what to do.
    """
    await empty_database(settings.database_dsn())
    await migrate(settings.database_dsn())
