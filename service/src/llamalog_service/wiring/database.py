"""The database as a whole: brought up to date, or begun anew."""

from llamalog_service.settings import DatabaseSettings
from llamalog_service.store.schema import empty_database, migrate


async def migrate_database(settings: DatabaseSettings) -> list[str]:
    """Bring the database to the newest revision; which revisions were applied.

    Raises:
        StoreError: what is wrong and what to do.
    """
    return await migrate(settings.database_dsn())


async def forget_everything(settings: DatabaseSettings) -> None:
    """Drop all that the database holds, and bring it to the newest revision.

    Raises:
        StoreError: what is wrong and what to do.
    """
    await empty_database(settings.database_dsn())
    await migrate(settings.database_dsn())
