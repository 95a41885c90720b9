"""`llamalog api`: the HTTP server of the API and its pages."""

from llamalog_service.bootstrap.api import run_api
from llamalog_service.cli.runtime import read_settings, run


def api() -> None:
    """Serve the log over HTTP: an API, and pages under /ui.

    Without tokens (LLAMALOG_API_TOKENS_FILE) on this machine only.
    """
    run(run_api(read_settings()))
