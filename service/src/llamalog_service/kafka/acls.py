"""The rights that each principal needs at Kafka, and no more; and the commands that grant them.

The one source of the matrix in docs/security.md, of `llamalog topics acls`, and of the test that applies it.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from llamalog_service.kafka.topic_copy import REWRITE_PREFIX
from llamalog_service.kafka.topics import Topics
from llamalog_service.settings import Settings


class Role(StrEnum):
    """The parts that a principal plays."""

    PRODUCER = "producer"
    CONSUMER = "consumer"
    PROVENANCE_CONSUMER = "provenance-consumer"
    MIGRATION_CONSUMER = "migration-consumer"
    API = "api"
    OPERATOR = "operator"
    REBUILD = "rebuild"


ABOUT: Final[Mapping[Role, str]] = {
    Role.PRODUCER: "a service that publishes entity events",
    Role.CONSUMER: "a service that reads provenance",
    Role.PROVENANCE_CONSUMER: "`llamalog consumer`",
    Role.MIGRATION_CONSUMER: "`llamalog migration-consumer`",
    Role.API: "`llamalog api`",
    Role.OPERATOR: "commands of operators: topics, overrides, erasures, backfills, dead letters, legacy rows",
    Role.REBUILD: "`llamalog archive` and `llamalog rebuild`",
}


class Resource(StrEnum):
    """The kinds of resources, by the options of `kafka-acls`."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Grant(NamedTuple):
    """Operations that a role may do on resources of one kind.

    Attributes:
        is_prefix: the names are beginnings of names.
    """

    resource: Resource
    names: tuple[str, ...]
    operations: tuple[str, ...]
    is_prefix: bool = False


DESCRIBE: Final = ("Describe", "DescribeConfigs")
READ: Final = ("Read",)
WRITE: Final = ("Write",)


def grants(names: Topics, settings: Settings, principals: Mapping[Role, str]) -> dict[Role, list[Grant]]:
    """The matrix of an installation.

    Args:
        principals: the name of each role's principal; groups and transactional ids of producers and consumers
            begin with it. The topics that an operator may rewrite are named by the beginnings of their names.
    """
    every = tuple(topic.name for topic in names)
    events, overrides = names.entity_events.name, names.overrides.name
    provenance, dead_letters = names.provenance.name, names.dead_letters.name
    commands, progress = names.backfill_commands.name, names.backfill_events.name
    checked = Grant(Resource.TOPIC, every, DESCRIBE)
    groups = (settings.consumer_group, settings.migration_group)
    producer, consumer = principals[Role.PRODUCER], principals[Role.CONSUMER]
    return {
        Role.PRODUCER: [
            Grant(Resource.TOPIC, (events,), WRITE),
            Grant(Resource.TRANSACTIONAL_ID, (producer,), WRITE, is_prefix=True),
        ],
        Role.CONSUMER: [
            Grant(Resource.TOPIC, (provenance,), READ),
            Grant(Resource.GROUP, (consumer,), READ, is_prefix=True),
        ],
        Role.PROVENANCE_CONSUMER: [
            checked,
            Grant(Resource.TOPIC, (events, overrides), READ),
            Grant(Resource.TOPIC, (provenance, dead_letters, commands), WRITE),
            Grant(Resource.GROUP, groups[:1], READ),
        ],
        Role.MIGRATION_CONSUMER: [
            checked,
            Grant(Resource.TOPIC, (commands,), READ),
            Grant(Resource.TOPIC, (provenance, dead_letters, progress, overrides), WRITE),
            Grant(Resource.GROUP, groups[1:], READ),
        ],
        Role.API: [
            checked,
            Grant(Resource.TOPIC, (provenance, dead_letters), READ),
            Grant(Resource.TOPIC, (commands, overrides), WRITE),
            Grant(Resource.GROUP, groups, ("Describe",)),
        ],
        Role.OPERATOR: [
            Grant(Resource.TOPIC, every, ("Create", *DESCRIBE)),
            Grant(Resource.TOPIC, (overrides, provenance, progress, dead_letters), READ),
            Grant(Resource.TOPIC, (events, overrides, provenance, commands), WRITE),
            Grant(
                Resource.TOPIC, (events, dead_letters), ("Create", *DESCRIBE, *READ, *WRITE), is_prefix=True
            ),
            Grant(Resource.TRANSACTIONAL_ID, (REWRITE_PREFIX,), WRITE, is_prefix=True),
            Grant(Resource.GROUP, (REWRITE_PREFIX,), READ, is_prefix=True),
            Grant(Resource.GROUP, groups, READ),
        ],
        Role.REBUILD: [
            checked,
            Grant(Resource.TOPIC, (events, overrides), READ),
            Grant(Resource.TOPIC, (provenance,), WRITE),
            Grant(Resource.GROUP, groups[:1], READ),
        ],
    }


def default_principals() -> dict[Role, str]:
    """A principal for each role."""
    return {role: f"llamalog-{role}" for role in Role}


def commands(
    matrix: Mapping[Role, Sequence[Grant]], principals: Mapping[Role, str], *, connection: Sequence[str]
) -> Iterator[list[str]]:
    """The words of the `kafka-acls` commands that grant the matrix.

    Args:
        connection: the options that name the broker and the credentials of an administrator.
    """
    for role, granted in matrix.items():
        for grant in granted:
            words = ["kafka-acls", *connection, "--add", "--allow-principal", f"User:{principals[role]}"]
            for operation in grant.operations:
                words += ["--operation", operation]
            for name in grant.names:
                words += [f"--{grant.resource}", name]
            if grant.is_prefix:
                words += ["--resource-pattern-type", "prefixed"]
            yield words


def script(matrix: Mapping[Role, Sequence[Grant]], principals: Mapping[Role, str]) -> str:
    """The commands as lines for a shell, which has BOOTSTRAP and CREDENTIALS."""
    lines = []
    for words in commands(matrix, principals, connection=()):
        tool, *rest = words
        lines.append(
            f'{tool} --bootstrap-server "$BOOTSTRAP" --command-config "$CREDENTIALS" {shlex.join(rest)}'
        )
    return "\n".join(lines) + "\n"


def table(matrix: Mapping[Role, Sequence[Grant]], names: Topics) -> str:
    """The matrix of topics as a table in Markdown: a column for each role."""
    lines = [
        "| topic | " + " | ".join(matrix) + " |",
        "|---|" + "---|" * len(matrix),
    ]
    for topic in names:
        cells = [", ".join(_operations(granted, topic.name)) for granted in matrix.values()]
        lines.append(f"| `{topic.name}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _operations(granted: Sequence[Grant], topic: str) -> list[str]:
    found = {
        operation
        for grant in granted
        if grant.resource is Resource.TOPIC and topic in grant.names
        for operation in grant.operations
    }
    return sorted(found)
