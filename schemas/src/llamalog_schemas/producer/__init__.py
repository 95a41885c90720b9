"""For producers: publish the events of entities, with the ids of the current job.

`llamalog_schemas.producer.middleware` (FastStream) and `llamalog_schemas.producer.outbox` (SQLAlchemy) are
imported by services that use them.
"""

from llamalog_schemas.producer.buffer import Limits
from llamalog_schemas.producer.events import Details, EventFactory
from llamalog_schemas.producer.forks import ForkedProcessError
from llamalog_schemas.producer.job import Job, UnknownRootWarning, current_job, started_by
from llamalog_schemas.producer.logger import LlamaLogger
from llamalog_schemas.producer.personal_data import PersonalDataWarning
from llamalog_schemas.producer.retracting import RetractionError, retract
from llamalog_schemas.producer.scope import Attempt, JobScope
from llamalog_schemas.producer.stats import DeliveryStats, Loss, LossReason
from llamalog_schemas.producer.transports import (
    AiokafkaTransport,
    ConsoleTransport,
    FastStreamTransport,
    ImmediateTransport,
    InMemoryTransport,
    NoAcknowledgementError,
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
    "ForkedProcessError",
    "ImmediateTransport",
    "InMemoryTransport",
    "Job",
    "JobScope",
    "Limits",
    "LlamaLogger",
    "Loss",
    "LossReason",
    "NoAcknowledgementError",
    "OutgoingMessage",
    "PersonalDataWarning",
    "RetractionError",
    "Transport",
    "UnknownRootWarning",
    "current_job",
    "retract",
    "started_by",
]
