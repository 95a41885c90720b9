"""The channels of the contract: what travels where, keyed how, kept how long, said and read by whom."""

from typing import Final, NamedTuple, get_args

from llamalog_schemas import (
    BackfillEvent,
    CloudEvent,
    Command,
    Event,
    LegacyRow,
    ProvenanceRecorded,
    RootOverrideEvent,
)
from llamalog_schemas.upcast import UPCASTERS


class Operation(NamedTuple):
    """What the service does with a channel; ``messages`` are all of the channel's where none are named."""

    name: str
    action: str
    summary: str
    messages: tuple[type[CloudEvent], ...] = ()


class Channel(NamedTuple):
    """One topic. A channel without models carries the messages of others as they came."""

    name: str
    topic: str
    about: str
    key: str
    retention: str
    models: tuple[type[CloudEvent], ...]
    operations: tuple[Operation, ...]


def every_version(latest: tuple[type[CloudEvent], ...]) -> tuple[type[CloudEvent], ...]:
    """Messages with their old versions, which lie in the same topics."""
    return (*latest, *(old for old in UPCASTERS.old if UPCASTERS.latest_of(old) in latest))


CHANNELS: Final = (
    Channel(
        "entityEvents",
        "entity-events",
        "What producers say about entities, operators' overrides of roots, and the rows that were there "
        "before events existed: the source of truth.",
        "The lineage key: rootJobId, else parentJobId, else jobId, else entityId, else the event's id; "
        "the jobId of an override. A lineage so mostly shares a partition; order across partitions is never "
        "relied upon.",
        "Kept for ever and never compacted: the log can be rebuilt from it at any time.",
        every_version(get_args(Event)),
        (
            Operation("receiveEntityEvents", "receive", "The provenance consumer records every valid event."),
            Operation(
                "sendRootOverrides",
                "send",
                "An operator adopts a job that was never seen as a root, or takes that back.",
                get_args(RootOverrideEvent),
            ),
            Operation(
                "sendLegacyRows",
                "send",
                "`llamalog publish-legacy` tells of rows that were in the table before events existed.",
                (LegacyRow,),
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
                "Both consumers tell rows as they stand, after the commit that wrote them.",
            ),
        ),
    ),
    Channel(
        "backfillCommands",
        "backfill-commands",
        "What the migration consumer is asked to do. A command becomes a run under its own id, so that "
        "saying it twice is harmless.",
        "A job id of the command, or the id of the run.",
        "Kept for days: a command is stored in the database as soon as it is read.",
        every_version(get_args(Command)),
        (
            Operation(
                "sendBackfillCommands",
                "send",
                "The provenance consumer doubts the roots below some jobs, or an operator asks.",
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
        "How far the backfills are, and how they ended. An end is told at least once; progress is told now "
        "and then, and a message of it may be lost.",
        "The id of the run.",
        "Kept for days: the runs themselves stay in the database.",
        every_version(get_args(BackfillEvent)),
        (Operation("sendBackfillEvents", "send", "The migration consumer tells of the backfills it does."),),
    ),
    Channel(
        "deadLetters",
        "dead-letters",
        "Messages that are invalid, or that conflict with one recorded before: key, value and headers as "
        "they came, with headers that tell why and from where. A redelivery may repeat one; its coordinates "
        "tell.",
        "As it came, which may be null.",
        "Kept for weeks, and takes larger messages than its sources.",
        (),
        (Operation("sendDeadLetters", "send", "Both consumers keep what they refuse, for operators."),),
    ),
)

DEAD_LETTER_HEADERS: Final = {
    "llamalog-reason": "A code that does not change between versions, such as unknown-field or id-conflict.",
    "llamalog-error": "A sentence for people: what was wrong, and where.",
    "llamalog-topic": "The topic that the message came from.",
    "llamalog-partition": "Its partition there, in decimal digits.",
    "llamalog-offset": "Its offset there, in decimal digits.",
}
