"""The channels of the contract: topics with their messages, keys, retention, writers and readers."""

from typing import Final, NamedTuple, get_args

from llamalog_schemas import (
    BackfillEvent,
    CloudEvent,
    Command,
    LegacyRow,
    OverrideEvent,
    ProvenanceRecorded,
    RowEvent,
)
from llamalog_schemas.upcast import UPCASTERS


class Operation(NamedTuple):
    """A use of a channel by the service; ``messages`` are all of the channel's where none are named."""

    name: str
    action: str
    summary: str
    messages: tuple[type[CloudEvent], ...] = ()


class Channel(NamedTuple):
    """One topic. A channel without models carries messages of other topics unchanged."""

    name: str
    topic: str
    about: str
    key: str
    retention: str
    models: tuple[type[CloudEvent], ...]
    operations: tuple[Operation, ...]


def every_version(latest: tuple[type[CloudEvent], ...]) -> tuple[type[CloudEvent], ...]:
    """Messages with their old versions, which are in the same topics."""
    return (*latest, *(old for old in UPCASTERS.old if UPCASTERS.latest_of(old) in latest))


CHANNELS: Final = (
    Channel(
        "entityEvents",
        "entity-events",
        "Entity events of producers, and the rows that were in the table before events existed: the source "
        "of truth.",
        "The lineage key: rootJobId, else parentJobId, else jobId, else entityId, else the event's id. A "
        "lineage mostly shares a partition; order across partitions is never relied upon.",
        "Kept for ever and never compacted: the log can be rebuilt from it at any time.",
        every_version(get_args(RowEvent)),
        (
            Operation("receiveEntityEvents", "receive", "The provenance consumer records every valid event."),
            Operation(
                "sendLegacyRows",
                "send",
                "`llamalog publish-legacy` publishes rows that were in the table before events existed.",
                (LegacyRow,),
            ),
        ),
    ),
    Channel(
        "overrides",
        "overrides",
        "Overrides of operators, which the service alone writes: a producer's have no effect, here or among "
        "entity events. With entity events the source of truth.",
        "The jobId of the override, of an erasure the userDigest.",
        "Kept for ever and never compacted, as entity events are.",
        every_version(get_args(OverrideEvent)),
        (
            Operation("receiveOverrides", "receive", "The provenance consumer keeps every valid override."),
            Operation(
                "sendOverrides",
                "send",
                "An operator adopts a job that was never seen as a root, or revokes that, or erases a "
                "person; a backfill adopts tops that were never logged.",
            ),
        ),
    ),
    Channel(
        "provenance",
        "provenance",
        "The rows of the log as stored, again with every change of root or origin. Delivery is at least "
        "once and in no order: keep the highest revision of an id. A partition is the CRC-32 of the key "
        "modulo their number.",
        "The id of the row.",
        "Compacted: at least the latest message of every row is kept.",
        every_version((ProvenanceRecorded,)),
        (
            Operation(
                "sendProvenance",
                "send",
                "Both consumers publish rows as stored, after the commit that wrote them.",
            ),
        ),
    ),
    Channel(
        "backfillCommands",
        "backfill-commands",
        "Commands to the migration consumer. A command becomes a run under its own id, so that "
        "sending it twice is harmless.",
        "A job id of the command, or the id of the run.",
        "Kept for days: a command is stored in the database as soon as it is read.",
        every_version(get_args(Command)),
        (
            Operation(
                "sendBackfillCommands",
                "send",
                "The provenance consumer finds stale roots, or an operator requests a backfill.",
            ),
            Operation(
                "receiveBackfillCommands",
                "receive",
                "The migration consumer stores commands as runs and works on them.",
            ),
        ),
    ),
    Channel(
        "backfillEvents",
        "backfill-events",
        "Progress and end of the backfills. An end is published at least once; progress is published at "
        "intervals, and a message of it may be lost.",
        "The id of the run.",
        "Kept for days: the runs themselves stay in the database.",
        every_version(get_args(BackfillEvent)),
        (
            Operation(
                "sendBackfillEvents", "send", "The migration consumer publishes the progress of backfills."
            ),
        ),
    ),
    Channel(
        "deadLetters",
        "dead-letters",
        "Messages that are invalid, or that conflict with one recorded before: key, value and headers as "
        "they came, with headers that hold the reason and the coordinates. A redelivery may repeat one, "
        "under the same coordinates.",
        "As it came, which may be null.",
        "Kept for weeks, and takes larger messages than its sources.",
        (),
        (
            Operation(
                "sendDeadLetters",
                "send",
                "Both consumers publish the messages that they refuse, for operators.",
            ),
        ),
    ),
)

DEAD_LETTER_HEADERS: Final = {
    "llamalog-reason": "A code that does not change between versions, such as unknown-field or id-conflict.",
    "llamalog-error": "A sentence for people: what was wrong, and where.",
    "llamalog-topic": "The topic that the message came from.",
    "llamalog-partition": "Its partition there, in decimal digits.",
    "llamalog-offset": "Its offset there, in decimal digits.",
}
