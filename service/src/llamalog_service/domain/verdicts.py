"""What is to be done about a failure."""

from dataclasses import dataclass

from llamalog_service.domain.errors import UnavailableError


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
    """What a failure of a batch calls for; a record that is bad by itself is dead-lettered before."""
    if isinstance(error, UnavailableError):
        return Retry(str(error))
    return Stop(f"{type(error).__name__}: {error}")
