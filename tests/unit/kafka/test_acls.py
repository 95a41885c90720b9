"""The matrix of rights: written down in the document, and least of all for producers."""

import re
from pathlib import Path

from pydantic import SecretStr

from llamalog_service.kafka.acls import ABOUT, Resource, Role, default_principals, grants, script, table
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"
SETTINGS = Settings(database_url=SecretStr("postgresql://u:p@h/d"), kafka="kafka:9092", _env_file=None)  # type: ignore[call-arg]
PRINCIPALS = default_principals()
MATRIX = grants(topics(), SETTINGS, PRINCIPALS)


def test_the_document_has_the_matrix_and_the_commands() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert table(MATRIX, topics()) in text
    (commands,) = re.findall(r"```sh\n(kafka-acls.*?)```", text, re.DOTALL)
    assert commands == script(MATRIX, PRINCIPALS)
    for role, about in ABOUT.items():
        assert f"| {role} | {about} |" in text


def test_the_service_alone_writes_overrides() -> None:
    names = topics()
    writers = {
        role
        for role, granted in MATRIX.items()
        for grant in granted
        if grant.resource is Resource.TOPIC and names.overrides.name in grant.names
        if "Write" in grant.operations
    }
    assert writers == {Role.MIGRATION_CONSUMER, Role.API, Role.OPERATOR}
    assert [grant.names for grant in MATRIX[Role.PRODUCER] if grant.resource is Resource.TOPIC] == [
        (names.entity_events.name,)
    ]
