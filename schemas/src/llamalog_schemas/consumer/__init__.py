"""For consumers of provenance: each update of a row once, corrections marked as such; removals.

`llamalog_schemas.consumer.subscriber` (FastStream) is imported by services that use it.
"""

from llamalog_schemas.consumer.reader import ProvenanceConsumer
from llamalog_schemas.consumer.starts import AtTime, Beginning, Committed, Start, Stored
from llamalog_schemas.consumer.updates import (
    Change,
    KafkaUnavailableError,
    NoGroupError,
    Position,
    ProvenanceUpdate,
    Removed,
    RevisionCache,
    RevisionStore,
    UnreadableRecord,
)

__all__ = [
    "AtTime",
    "Beginning",
    "Change",
    "Committed",
    "KafkaUnavailableError",
    "NoGroupError",
    "Position",
    "ProvenanceConsumer",
    "ProvenanceUpdate",
    "Removed",
    "RevisionCache",
    "RevisionStore",
    "Start",
    "Stored",
    "UnreadableRecord",
]
