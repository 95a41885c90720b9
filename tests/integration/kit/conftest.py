"""The topic that consumers of the kit read."""

import pytest

from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings


@pytest.fixture
def topic(settings: Settings) -> str:
    return topics(settings.topic_prefix).provenance.name
