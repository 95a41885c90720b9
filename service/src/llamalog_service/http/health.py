"""How an installation is, as it is told."""

from datetime import datetime

from msgspec import Struct


class TopicLag(Struct, frozen=True, kw_only=True, rename="camel"):
    """How far a consumer group is behind.

    Attributes:
        records: messages past the committed offsets.
    """

    topic: str
    group: str
    records: int


class Rates(Struct, frozen=True, kw_only=True, rename="camel"):
    """What the consumers do a second, as measured over so many seconds."""

    seconds: float
    events: float
    rows_recorded: float
    rows_corrected: float


class TimeToRoot(Struct, frozen=True, kw_only=True, rename="camel"):
    """Seconds from a row's recording until its root was known, since the consumers' start.

    Attributes:
        p50, p99: upper bounds of the buckets that hold them; null if it took longer than all of them.
    """

    rows: int
    p50: float | None
    p99: float | None


class TableSize(Struct, frozen=True, kw_only=True, rename="camel"):
    """The log on disk.

    Attributes:
        bytes: its indexes included.
        rows: as PostgreSQL estimates it.
        bytes_per_row: null for an empty log.
    """

    bytes: int
    rows: int
    bytes_per_row: float | None


class WorkLeft(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is kept and not done yet.

    Attributes:
        open_repairs: runs that are not completed.
        untold: corrections that are not published.
    """

    open_repairs: int
    untold: int


class HealthSummary(Struct, frozen=True, kw_only=True, rename="camel"):
    """How an installation is; what could not be asked is null, and `silent` says what that was.

    Attributes:
        silent: what did not answer: PostgreSQL, Kafka, or the address of a consumer's metrics.
        rates: null until the consumers were asked twice.
        time_to_root: null before the first row.
        live_streams: server-sent events under way in this process.
    """

    at: datetime
    lag: tuple[TopicLag, ...] | None
    rates: Rates | None
    time_to_root: TimeToRoot | None
    table: TableSize | None
    work: WorkLeft | None
    unresolved: dict[str, int] | None
    live_streams: int
    silent: tuple[str, ...]
