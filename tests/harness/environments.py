"""What processes of a test find in their environment: ours, and no setting of llamalog's but those given."""

import os
from pathlib import Path

from llamalog_service.settings import Settings

_TESTS = Path(__file__).resolve().parents[1]


def without_settings() -> dict[str, str]:
    """Ours without any setting of llamalog's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LLAMALOG_")}


def environment_of(settings: Settings) -> dict[str, str]:
    """Ours with these settings; the tests' own modules can be imported."""
    path = os.pathsep.join([str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
    return without_settings() | settings.as_environment() | {"PYTHONPATH": path}


def environment_of_database(database_url: str) -> dict[str, str]:
    """Ours with a database and no Kafka."""
    return without_settings() | {"LLAMALOG_DATABASE_URL": database_url, "LLAMALOG_LOG_FORMAT": "json"}
