"""For consumers of provenance: each update of a row once, corrections marked as such.

`llamalog_schemas.consumer.subscriber` (FastStream) is imported by services that use it.
"""

from llamalog_schemas.consumer.reader import ProvenanceConsumer
from llamalog_schemas.consumer.starts import AtTime, Beginning, Committed, Start, Stored
from llamalog_schemas.consumer.updates import (
    KafkaUnavailableError,
    NoGroupError,
    Position,
    ProvenanceUpdate,
    RevisionCache,
    RevisionStore,
    UnreadableRecord,
)

__all__ = [
    "AtTime",
    "Beginning",
    "Committed",
    "KafkaUnavailableError",
    "NoGroupError",
    "Position",
    "ProvenanceConsumer",
    "ProvenanceUpdate",
    "RevisionCache",
    "RevisionStore",
    "Start",
    "Stored",
    "UnreadableRecord",
]
