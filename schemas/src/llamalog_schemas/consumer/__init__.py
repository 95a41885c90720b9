"""For services that consume provenance: each row's news once, and corrections as such.

`llamalog_schemas.consumer.subscriber` (FastStream) is imported by who uses it.
"""

from llamalog_schemas.consumer.errors import KafkaAwayError, NoGroupError
from llamalog_schemas.consumer.news import News, Position, RememberedRevisions, Revisions, Unreadable
from llamalog_schemas.consumer.reader import ProvenanceConsumer
from llamalog_schemas.consumer.starts import AtTime, Beginning, Committed, Start, Stored

__all__ = [
    "AtTime",
    "Beginning",
    "Committed",
    "KafkaAwayError",
    "News",
    "NoGroupError",
    "Position",
    "ProvenanceConsumer",
    "RememberedRevisions",
    "Revisions",
    "Start",
    "Stored",
    "Unreadable",
]
