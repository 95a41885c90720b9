"""The only builder of pools, producers and brokers; the only user of settings.

connections     pools and clients
consumers       the two consumers, run until told to stop
dead_letters    what was refused, read and sent back
decrees         operators' words about jobs, published
topics          the topics created and judged
database        the database brought up to date
observation     reads for whoever watches: traffic, counts, timelines
sample          the sample day played to Kafka
"""

from llamalog_service.wiring.connections import open_admin, open_pool, open_producer, open_reader
from llamalog_service.wiring.consumers import run_migration_consumer, run_provenance_consumer
from llamalog_service.wiring.database import check_database, forget_everything, migrate_database
from llamalog_service.wiring.dead_letters import chosen_letters, replay_letters
from llamalog_service.wiring.decrees import Decreed, decree_root
from llamalog_service.wiring.observation import Backlog, Observation, open_observation
from llamalog_service.wiring.sample import Sample, play_sample, play_slowly
from llamalog_service.wiring.topics import create_missing_topics, find_topic_faults, refuse_unfit_topics

__all__ = [
    "Backlog",
    "Decreed",
    "Observation",
    "Sample",
    "check_database",
    "chosen_letters",
    "create_missing_topics",
    "decree_root",
    "find_topic_faults",
    "forget_everything",
    "migrate_database",
    "open_admin",
    "open_observation",
    "open_pool",
    "open_producer",
    "open_reader",
    "play_sample",
    "play_slowly",
    "refuse_unfit_topics",
    "replay_letters",
    "run_migration_consumer",
    "run_provenance_consumer",
]
