"""A job's id is held to the contract where it is named, and never breaks the work of its caller."""

import logging
from typing import Any
from uuid import UUID, uuid4

import pytest

from llamalog_schemas.errors import InvalidMessageError
from llamalog_schemas.jobs import EnrichAlbum
from llamalog_schemas.producer import (
    EventFactory,
    InMemoryTransport,
    Job,
    LlamaLogger,
    UnknownRootWarning,
    current_job,
)

JOB = UUID("6B1F0000-0000-4000-8000-00000000000A")

BAD_IDS: list[tuple[Any, str]] = [
    ("", "is empty"),
    ("x" * 101, "has 101 characters; 100 are allowed"),
    ("a\0b", "NUL"),
    ("\ud800", "UTF-8"),
    (7, "is of type int"),
    (None, "is empty"),
    (b"album-create-1", "is of type bytes"),
]


@pytest.fixture
def memory() -> InMemoryTransport:
    return InMemoryTransport()


async def publish(log: LlamaLogger, **details: Any) -> None:
    await log.created("ALBUM", uuid4(), operation="album:created", **details)


async def test_a_uuid_names_a_job_as_its_text_does(memory: InMemoryTransport) -> None:
    log = LlamaLogger(memory, source="/x", strict=True)
    child = uuid4()
    from_uuid: Any = JOB
    with log.job(JOB) as job:
        await publish(log)
        await publish(log, job_id=JOB)
        with log.job(str(JOB)):
            await publish(log)
        with log.job(child):
            await publish(log)
        await publish(log, job_id=child)
    assert job == Job(str(JOB)) == Job(from_uuid)
    assert job.child(JOB) is job
    assert Job.from_payload(child, EnrichAlbum(album_id="a", parent_job_id=str(JOB))).id == str(child)
    chain = [(event.data.job_id, event.data.parent_job_id) for event in memory.events]
    assert chain == [(str(JOB), None)] * 3 + [(str(child), str(JOB))] * 2


def test_the_longest_id_and_the_shortest_are_accepted() -> None:
    log = LlamaLogger(InMemoryTransport(), source="/x", strict=True)
    for job_id in ("x", "日" * 100):
        with log.job(job_id) as job:
            assert job.id == job_id


@pytest.mark.parametrize(("job_id", "complaint"), BAD_IDS)
def test_a_strict_logger_refuses_a_bad_id_where_it_is_named(job_id: Any, complaint: str) -> None:
    log = LlamaLogger(InMemoryTransport(), source="/x", strict=True)
    jobs = [job_id, Job(job_id), Job(job_id).child("child")]
    if job_id is not None:
        jobs += [Job("child", job_id), Job("child", "parent", job_id)]
    for job in jobs:
        with pytest.raises(InvalidMessageError, match=complaint):
            log.job(job)


@pytest.mark.parametrize(("job_id", "complaint"), BAD_IDS)
async def test_a_bad_id_lets_the_work_go_on_and_loses_its_events_with_a_sentence(
    job_id: Any, complaint: str, memory: InMemoryTransport, caplog: pytest.LogCaptureFixture
) -> None:
    losses: list[str] = []
    log = LlamaLogger(memory, source="/x", on_loss=lambda loss: losses.append(str(loss.error)))
    worked = False
    with caplog.at_level(logging.ERROR), log.job(job_id):
        await publish(log)
        with log.job("child"):
            await publish(log)
        worked = True
    await publish(log)
    assert worked
    assert current_job() is None
    assert complaint in caplog.text
    assert (log.stats.published, log.stats.refused, log.stats.delivered) == (3, 2, 1)
    assert all(complaint in sentence for sentence in losses)


@pytest.mark.parametrize(("job_id", "complaint"), BAD_IDS)
def test_a_bad_id_does_not_leave_the_process(job_id: Any, complaint: str) -> None:
    log = LlamaLogger(InMemoryTransport(), source="/x")
    payload = EnrichAlbum(album_id="a", parent_job_id="parent", root_job_id="root")
    with log.job(job_id) as job:
        assert job.headers() == {}
        assert job.propagate_to(payload) == EnrichAlbum(album_id="a")
    assert Job("child", job.id, "root").headers() == {
        "llamalog-job-id": "child",
        "llamalog-root-job-id": "root",
    }


@pytest.mark.parametrize(("job_id", "complaint"), BAD_IDS)
def test_a_factory_for_an_outbox_does_not_raise_either(
    job_id: Any, complaint: str, caplog: pytest.LogCaptureFixture
) -> None:
    events = EventFactory("/x")
    with events.job(job_id):
        events.created("ALBUM", uuid4(), operation="album:created")
    assert complaint in caplog.text


async def test_the_id_of_a_parent_may_stand_for_it(memory: InMemoryTransport) -> None:
    """Its root is not known then, which is warned of."""
    log = LlamaLogger(memory, source="/x", strict=True)
    with pytest.warns(UnknownRootWarning, match="child was started by album-create-1"):
        first = log.job("child", parent="album-create-1")
    with pytest.warns(UnknownRootWarning, match=f"child was started by {JOB}"):
        second = log.job("child", parent=JOB)
    for scope in (first, second):
        with scope:
            await publish(log)
    lineages = [(event.data.parent_job_id, event.data.root_job_id) for event in memory.events]
    assert lineages == [("album-create-1", None), (str(JOB), None)]


@pytest.mark.parametrize(
    "headers",
    [
        {"llamalog-job-id": 7},
        {"llamalog-job-id": "a\0"},
        {"llamalog-job-id": "x" * 101},
        [(b"llamalog-job", b"a")],
        [("llamalog-job-id", ["a"])],
        [(7, "a")],
        None,
    ],
)
def test_headers_without_a_job_are_no_error(headers: Any) -> None:
    assert Job.from_headers(headers) is None
