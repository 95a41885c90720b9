"""The only builder of pools, producers and brokers; the only user of settings.

adoption        a database looked at and taken over
api             the log over HTTP, served until told to stop
backfills       commands to the migration consumer, and how far its runs are
connections     pools and clients
consumers       the two consumers, run until told to stop
dead_letters    what was refused, read and sent back
decrees         operators' words about jobs, published
topics          the topics created and judged
database        the database brought up to date
following       the log read, and followed as it grows
observation     reads for whoever watches: traffic, counts, timelines
provenance      what is told of rows, followed from now on
sample          the sample day played to Kafka
"""

from llamalog_service.wiring.adoption import Found, adopt_roots, look_at_database
from llamalog_service.wiring.api import run_api
from llamalog_service.wiring.backfills import (
    Followed,
    UnknownRunError,
    ask_for_backfill,
    ask_of_run,
    follow_backfill,
    open_backfills,
)
from llamalog_service.wiring.connections import open_admin, open_pool, open_producer, open_reader
from llamalog_service.wiring.consumers import run_migration_consumer, run_provenance_consumer
from llamalog_service.wiring.database import check_database, forget_everything, migrate_database
from llamalog_service.wiring.dead_letters import chosen_letters, replay_letters
from llamalog_service.wiring.decrees import Decreed, decree_root
from llamalog_service.wiring.following import follow_log, open_log
from llamalog_service.wiring.observation import Backlog, Observation, open_observation
from llamalog_service.wiring.provenance import open_provenance_feed
from llamalog_service.wiring.sample import Sample, play_sample, play_slowly
from llamalog_service.wiring.topics import create_missing_topics, find_topic_faults, refuse_unfit_topics

__all__ = [
    "Backlog",
    "Decreed",
    "Followed",
    "Found",
    "Observation",
    "Sample",
    "UnknownRunError",
    "adopt_roots",
    "ask_for_backfill",
    "ask_of_run",
    "check_database",
    "chosen_letters",
    "create_missing_topics",
    "decree_root",
    "find_topic_faults",
    "follow_backfill",
    "follow_log",
    "forget_everything",
    "look_at_database",
    "migrate_database",
    "open_admin",
    "open_backfills",
    "open_log",
    "open_observation",
    "open_pool",
    "open_producer",
    "open_provenance_feed",
    "open_reader",
    "play_sample",
    "play_slowly",
    "refuse_unfit_topics",
    "replay_letters",
    "run_api",
    "run_migration_consumer",
    "run_provenance_consumer",
]
