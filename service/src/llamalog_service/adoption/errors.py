"""Errors of migrations and of the adoption of a database."""

from collections.abc import Sequence

from llamalog_service.domain.errors import LlamalogError


class DatabaseUnreachableError(LlamalogError):
    """The database's address does not answer, or refuses the user."""

    def __init__(self, address: str, cause: BaseException) -> None:
        reason = str(cause) or type(cause).__name__
        super().__init__(
            f"PostgreSQL can't be reached at {address}: {reason}. Nothing more was done. "
            "Check that the server runs, that the database exists, and the address, user and password."
        )
        self.address = address


class UnknownRevisionError(LlamalogError):
    """The database was migrated by a version that knows more than this one."""

    def __init__(self, revision: str, newest_known: str) -> None:
        super().__init__(
            f"The database is at revision {revision}, which this version of llamalog does not know "
            f"(its newest is {newest_known}). Nothing was changed. "
            "Run the version that migrated the database, or a newer one."
        )
        self.revision = revision


class MigrationFailedError(LlamalogError):
    """PostgreSQL refused a step of a migration."""

    def __init__(self, cause: BaseException | None, standing_at: str | None) -> None:
        where = f"revision {standing_at}" if standing_at else "no revision, as before the first"
        super().__init__(
            f"A migration failed after {where}: {cause}. The steps before it stay, and of that step what was "
            "done in transactions of its own. Remove the cause and migrate again: every step takes up what "
            "an interrupted one left."
        )
        self.standing_at = standing_at


class NotAdoptableError(LlamalogError):
    """What bears the log's name can't be taken over as it is."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(
            f"The database can't be taken over as it is: {'; '.join(problems)}. "
            "Nothing was changed. Remove the cause, and run the same command again."
        )
        self.problems = tuple(problems)
