"""The errors of the service; an error's docstring says when it is raised, its message what to do."""

from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the service's processes, for their supervisor."""

    STOPPED = 0
    """Ended by a signal or by the end of its work."""
    ERROR = 1
    """Its last line says what is wrong; a restart alone cures nothing."""
    SETTINGS = 2
    """A setting is missing or wrong."""
    STALLED = 70
    """It had stopped making progress though nothing was away: a restart cures it."""
    BROKEN = 75
    """A connection or its memory of the database is of no more use: a restart cures it."""
    CONFIGURATION = 78
    """A server or a file is not as the settings say, EX_CONFIG of sysexits.h: a restart cures nothing."""


RESTART_CURES_NOTHING = frozenset({ExitCode.SETTINGS, ExitCode.CONFIGURATION})
"""A supervisor that restarts other processes lets one with such a code end."""


class LlamalogError(Exception):
    """The base of every error that the service raises on purpose.

    Attributes:
        exit_code: of a process that it ends.
    """

    exit_code = ExitCode.ERROR


class UnavailableError(LlamalogError):
    """PostgreSQL or Kafka cannot be reached, or refuses for the moment: waiting helps."""


class LoginRefusedError(UnavailableError):
    """A server answers and refuses the login: a wrong setting at the start, later perhaps a failover."""

    exit_code = ExitCode.CONFIGURATION


class TookTooLongError(UnavailableError):
    """PostgreSQL has stopped a statement that took longer than it is given: asking for less helps."""


class StoppedAgainError(LlamalogError):
    """PostgreSQL has stopped the same statement several times in a row: repeating it does not help."""


class RowRefusedError(LlamalogError):
    """PostgreSQL refuses a value of a batch for good: waiting does not help.

    Attributes:
        sqlstate: PostgreSQL's five-character code.
    """

    def __init__(self, message: str, sqlstate: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


class RowExistsError(LlamalogError):
    """Another writer recorded one of the batch's ids meanwhile: read the ids again, then write the rest."""


class RowsLockedError(UnavailableError):
    """Another session holds the rows for longer than the statement waits: nothing was written."""


class PositionPastEndError(LlamalogError):
    """A stored position lies past the end of its partition: the topic is not the one that was read.

    Args:
        recorded: the next offset of the partition, as the database has it.
        end: the offset that the next message of the partition will get.
        advice: the end of the message, which says what to do and what follows.
    """

    def __init__(self, topic: str, partition: int, recorded: int, end: int, *, advice: str) -> None:
        super().__init__(
            f"{topic}, partition {partition}: the database has recorded up to offset {recorded}, the "
            f"partition ends at {end}. The topic was probably deleted and created again. {advice}"
        )


class TopicGoneError(LlamalogError):
    """A topic that is read was deleted: what is under that name later is another topic."""

    exit_code = ExitCode.BROKEN


class DatabaseWentBackError(LlamalogError):
    """The database knows less than this process has recorded in it: it was replaced by an older copy."""

    exit_code = ExitCode.BROKEN


@dataclass(frozen=True, slots=True)
class Retry:
    """The world is in the way, not the event: wait and do the same again."""

    sentence: str


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """The event is bad and stays bad: keep its bytes with the reason, go on with its neighbours."""

    reason: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Going on would do harm: end the process and say why."""

    sentence: str


def verdict_on(error: Exception) -> Retry | Stop:
    """The verdict on a failure of a batch; a record that is bad by itself is dead-lettered before."""
    if isinstance(error, UnavailableError):
        return Retry(str(error))
    return Stop(f"{type(error).__name__}: {error}")
