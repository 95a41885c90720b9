"""`llamalog consumer` and `llamalog migration-consumer`: the two processes of an installation."""

from llamalog_service.bootstrap.consumers import run_migration_consumer, run_provenance_consumer
from llamalog_service.cli.runtime import read_settings, run


def consumer() -> None:
    """Consume entity events: write the log, publish provenance."""
    run(run_provenance_consumer(read_settings()))


def migration_consumer() -> None:
    """Consume backfill commands, repair roots, publish corrections."""
    run(run_migration_consumer(read_settings()))
