"""For producers: publish the events of entities, with the ids of the current job.

`llamalog_schemas.producer.middleware` (FastStream) and `llamalog_schemas.producer.outbox` (SQLAlchemy) are
imported by services that use them.
"""

from llamalog_schemas.producer.delivery import Limits
from llamalog_schemas.producer.events import Details, EventFactory
from llamalog_schemas.producer.job import Job, UnknownRootWarning, current_job, started_by
from llamalog_schemas.producer.logger import LlamaLogger
from llamalog_schemas.producer.scope import Attempt, JobScope
from llamalog_schemas.producer.stats import DeliveryStats, Loss, LossReason
from llamalog_schemas.producer.transports import (
    AiokafkaTransport,
    ConsoleTransport,
    FastStreamTransport,
    ImmediateTransport,
    InMemoryTransport,
    OutgoingMessage,
    Transport,
)

__all__ = [
    "AiokafkaTransport",
    "Attempt",
    "ConsoleTransport",
    "DeliveryStats",
    "Details",
    "EventFactory",
    "FastStreamTransport",
    "ImmediateTransport",
    "InMemoryTransport",
    "Job",
    "JobScope",
    "Limits",
    "LlamaLogger",
    "Loss",
    "LossReason",
    "OutgoingMessage",
    "Transport",
    "UnknownRootWarning",
    "current_job",
    "started_by",
]
