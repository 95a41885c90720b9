"""Jobs never seen that operators adopt, and events that contradict each other: with real processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from harness.commands import Commands
from harness.log_table import differences, stored_rows
from harness.provenance import believed
from harness.service import running
from harness.settled import wait_until_settled
from harness.topics import publish, read_all
from histories import event
from llamalog_schemas.codec import decode_event
from llamalog_schemas.events import Event, is_root_override
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

CHILD, GRANDCHILD = event(1, "child", "lost"), event(2, "grandchild", "child")


class Installation:
    """Both consumers at work, and what was published to them."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool) -> None:
        self._settings = settings
        self._pool = pool
        self.command = Commands(settings)

    async def publish(self, *events: Event) -> None:
        await publish(self._settings, events)
        await self.settle()

    async def settle(self) -> None:
        await wait_until_settled(self._settings, self._pool)

    async def roots(self) -> dict[str, tuple[str | None, str]]:
        rows = await self._pool.fetch("SELECT job_id, root_job_id, origin FROM llama_logs")
        return {row["job_id"]: (row["root_job_id"], row["origin"]) for row in rows}

    async def published_roots(self) -> dict[str, tuple[str | None, str]]:
        """What a reader of the provenance topic believes."""
        name = topics(self._settings.topic_prefix).provenance.name
        rows = believed(record.value for record in await read_all(self._settings.kafka, name)).values()
        return {str(row.job_id): (row.root_job_id, str(row.origin)) for row in rows}

    async def is_the_fold(self) -> bool:
        """Whether the table equals the fold of all that the topics hold."""
        names = topics(self._settings.topic_prefix)
        published = [
            decode_event(record.value)
            for topic in (names.entity_events, names.overrides)
            for record in await read_all(self._settings.kafka, topic.name)
        ]
        return differences(await stored_rows(self._pool), published) == []


@pytest.fixture
async def installation(settings: Settings, pool: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Installation]:
    async with running("consumer", settings, tmp_path), running("migration-consumer", settings, tmp_path):
        yield Installation(settings, pool)


async def test_a_root_is_adopted_and_revoked(installation: Installation) -> None:
    await installation.publish(CHILD, GRANDCHILD)
    pending = {"child": (None, "PENDING"), "grandchild": (None, "PENDING")}
    assert await installation.roots() == pending

    printed = await installation.command.done("adopt-root", "lost", "--reason", "its queue was dropped")
    assert "once it is read, lost counts as a root" in printed
    await installation.settle()
    adopted = {"child": ("lost", "ADOPTED"), "grandchild": ("lost", "ADOPTED")}
    assert await installation.roots() == await installation.published_roots() == adopted

    again = await installation.command.done("adopt-root", "lost", "--reason", "again", "--by", "an operator")
    assert "It was adopted already, by " in again
    assert "its queue was dropped" in again

    await installation.command.done("revoke", "lost", "--reason", "it was found")
    await installation.settle()
    assert await installation.roots() == await installation.published_roots() == pending
    assert "was not adopted" in await installation.command.done("revoke", "lost", "--reason", "again")
    await installation.settle()
    listed = await installation.command.json_lines("overrides")
    assert [one["state"] for one in listed] == ["IN_EFFECT", "OVERRULED", "REVOKED", "OVERRULED"]
    assert (listed[2]["requestedBy"], listed[2]["reason"]) == ("an operator", "again")
    printed = await installation.command.done("overrides", "--limit", "1")
    assert "lost  adoption revoked by " in printed
    assert f"--after {listed[0]['cursor']}" in printed
    report = await installation.command.done("overrides", "publish")
    assert "0 overrides were published; 4 were in the topic already." in report
    assert await installation.is_the_fold()


async def test_an_adoption_lapses_when_an_event_of_the_job_comes(installation: Installation) -> None:
    await installation.publish(CHILD)
    await installation.command.done("adopt-root", "lost", "--reason", "a test")
    await installation.settle()
    assert await installation.roots() == {"child": ("lost", "ADOPTED")}

    await installation.publish(event(3, "lost", "top"))
    assert await installation.roots() == {"child": (None, "PENDING"), "lost": (None, "PENDING")}
    await installation.publish(event(4, "top"))
    resolved = {"child": ("top", "RESOLVED"), "lost": ("top", "RESOLVED"), "top": ("top", "ROOT")}
    assert await installation.roots() == await installation.published_roots() == resolved

    for command in ("adopt-root", "revoke"):
        refusal = await installation.command.refused(command, "lost", "--reason", "too late")
        assert "The job lost has been seen" in refusal
        assert "Nothing was published." in refusal
    assert await installation.is_the_fold()


async def test_conflicts_and_cycles_are_named_also_when_a_late_event_makes_or_ends_them(
    installation: Installation,
) -> None:
    await installation.publish(
        event(5, "a", "b"), event(6, "b", "c"), event(7, "below", "a", declared="boast")
    )
    assert await installation.command.json_lines("conflicts") == []

    await installation.publish(event(8, "c", "a"))
    (cycle,) = await installation.command.json_lines("conflicts")
    assert (cycle["kind"], cycle["members"], cycle["rows"]) == ("cycles", ["a", "b", "c"], 4)
    assert "a → b → c → a  (4 rows)" in await installation.command.done("conflicts")

    await installation.publish(event(1, "b", "top"), event(2, "top"))
    parents, declared = await installation.command.json_lines("conflicts")
    assert (parents["job"], parents["stated"], parents["counts"]) == ("b", "c", "top")
    assert (declared["job"], declared["stated"], declared["counts"]) == ("below", "boast", "top")
    assert await installation.command.json_lines("conflicts", "--kind", "cycles") == []
    behind = ["--kind", "parents", "--after", parents["cursor"]]
    assert await installation.command.json_lines("conflicts", *behind) == []
    assert {origin for _, origin in (await installation.roots()).values()} == {"ROOT", "RESOLVED"}
    assert await installation.is_the_fold()


async def test_an_override_is_published_although_the_database_is_away_and_prints_so(
    settings: Settings,
) -> None:
    nowhere = settings.model_copy(update={"database_url": SecretStr("postgresql://u:p@127.0.0.1:1/nowhere")})
    words = ["adopt-root", "lost", "--reason", "a test", "--by", "an operator"]
    printed = await Commands(nowhere).done(*words)
    assert "The database could not be read" in printed
    (record,) = await read_all(settings.kafka, topics(settings.topic_prefix).overrides.name)
    override = decode_event(record.value)
    assert is_root_override(override)
    assert (override.data.job_id, override.data.reason) == ("lost", "a test")
    assert (override.data.requested_by, record.key) == ("an operator", b"lost")

    assert "no row names the job" in await Commands(settings).done(*words)
    assert "That is no override" in await Commands(settings).refused("adopt-root", "j" * 101, "--reason", "x")
