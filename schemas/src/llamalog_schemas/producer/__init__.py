"""For services that publish: say what happened to an entity, in the job at work.

`llamalog_schemas.producer.middleware` (FastStream) and `llamalog_schemas.producer.outbox` (SQLAlchemy)
are imported by who uses them.
"""

from llamalog_schemas.producer.account import Account, Loss, LossReason
from llamalog_schemas.producer.buffered import Limits
from llamalog_schemas.producer.details import Details
from llamalog_schemas.producer.job import Job, current_job, started_by
from llamalog_schemas.producer.logger import LlamaLogger
from llamalog_schemas.producer.scope import Attempt, JobScope
from llamalog_schemas.producer.statements import Statements
from llamalog_schemas.producer.transports import (
    Console,
    ImmediateTransport,
    InMemory,
    OutgoingMessage,
    OverAiokafka,
    OverFastStream,
    Transport,
)
from llamalog_schemas.producer.warn import UnknownRootWarning

__all__ = [
    "Account",
    "Attempt",
    "Console",
    "Details",
    "ImmediateTransport",
    "InMemory",
    "Job",
    "JobScope",
    "Limits",
    "LlamaLogger",
    "Loss",
    "LossReason",
    "OutgoingMessage",
    "OverAiokafka",
    "OverFastStream",
    "Statements",
    "Transport",
    "UnknownRootWarning",
    "current_job",
    "started_by",
]
