"""`llamalog migrate`."""

from collections.abc import Sequence

from llamalog_service.cli.running import out, read_settings, run
from llamalog_service.wiring import migrate_database


def migrate() -> None:
    """Bring the database to this version's schema; safe to repeat, and while the consumers run."""
    out.print(applied(run(migrate_database(read_settings()))), soft_wrap=True)


def applied(revisions: Sequence[str]) -> str:
    """What a migration did, in a sentence."""
    if not revisions:
        return "The database was up to date: nothing was applied."
    return f"The database was migrated: {', '.join(revisions)} applied."
