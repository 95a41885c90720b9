"""What a process shows of itself: written by its event loop, read by the thread that watches it."""

from llamalog_service.domain.errors import ExitCode, LlamalogError
from llamalog_service.kafka.consumer.delivery import BatchDelivery
from llamalog_service.retry import Retries
from llamalog_service.telemetry.liveness import Snapshot


class Signals:
    """The present state, in values that may be read while they are written.

    Attributes:
        heartbeats: turns of the event loop.
        delivery: whose progress is watched, once there is one.
        is_behind: whether something was left to fetch at the last look.
        away: what did not answer at the last look.
    """

    def __init__(self, waits: Retries) -> None:
        self._waits = waits
        self.heartbeats = 0
        self.delivery: BatchDelivery | None = None
        self.is_behind = False
        self.away: tuple[str, ...] = ()
        self._has_in_flight = False
        self._failed: ExitCode | None = None
        self._is_stopping = False

    def heartbeat(self) -> None:
        """The event loop turns."""
        self.heartbeats += 1
        if self.delivery is not None:
            self._has_in_flight = self.delivery.has_in_flight()

    def fail(self, error: BaseException) -> None:
        """Something has happened after which the process ends; the first error counts."""
        if self._failed is None:
            self._failed = error.exit_code if isinstance(error, LlamalogError) else ExitCode.ERROR

    def stop(self) -> None:
        """The process is shutting down."""
        self._is_stopping = True

    def snapshot(self) -> Snapshot:
        """All of it at this moment."""
        delivery = self.delivery
        progress = delivery.progress if delivery is not None else None
        return Snapshot(
            heartbeats=self.heartbeats,
            polls=progress.polls if progress else 0,
            commits=progress.commits if progress else 0,
            failures=self._waits.failures,
            is_joined=progress.is_joined if progress else False,
            has_work=self._has_in_flight or self.is_behind,
            away=self.away,
            waiting_for=self._waits.doing(),
            failed=self._failed,
            is_stopping=self._is_stopping,
        )
