"""`llamalog consumer`, `migration-consumer` and `api`: the processes of an installation.

Each imports its own framework alone: a consumer does without the web, which takes as long to import as the
rest of it, and the API without FastStream.
"""

from llamalog_service.cli.runtime import read_settings, run


def consumer() -> None:
    """Consume entity events: write the log, publish provenance."""
    from llamalog_service.bootstrap.consumers import run_provenance_consumer

    run(run_provenance_consumer(read_settings()))


def migration_consumer() -> None:
    """Consume backfill commands, recompute roots, publish corrections."""
    from llamalog_service.bootstrap.consumers import run_migration_consumer

    run(run_migration_consumer(read_settings()))


def api() -> None:
    """Serve the log over HTTP: an API, and pages under /ui.

    Without tokens (LLAMALOG_API_TOKENS_FILE) on this machine only.
    """
    from llamalog_service.bootstrap.api import run_api

    run(run_api(read_settings()))
