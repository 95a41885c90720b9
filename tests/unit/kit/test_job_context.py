"""The current job is known in all code of its context, and propagates to other services."""

import asyncio
import inspect
import warnings
from uuid import uuid4

import pytest

from llamalog_schemas.events import EntityEvent, EntityFailed
from llamalog_schemas.jobs import EnrichAlbum, EnrichTrack, decode_job, encode_job
from llamalog_schemas.producer import (
    Attempt,
    InMemoryTransport,
    Job,
    LlamaLogger,
    UnknownRootWarning,
    current_job,
    started_by,
)

Chain = tuple[str | None, str | None, str | None]
"""Job, parent and root of an event."""


@pytest.fixture
def memory() -> InMemoryTransport:
    return InMemoryTransport()


@pytest.fixture
def log(memory: InMemoryTransport) -> LlamaLogger:
    return LlamaLogger(memory, source="/catalogue/albums", strict=True)


def chains_of(memory: InMemoryTransport) -> list[Chain]:
    events = [event for event in memory.events if isinstance(event, EntityEvent)]
    return [(event.data.job_id, event.data.parent_job_id, event.data.root_job_id) for event in events]


async def speak(log: LlamaLogger) -> None:
    await log.created("ALBUM", uuid4(), operation="album:created")


async def test_jobs_nest(memory: InMemoryTransport, log: LlamaLogger) -> None:
    with log.job("album-create-1"):
        await speak(log)
        with log.job("enrich-7"):
            await speak(log)
            with log.job("track-9"):
                await speak(log)
        await speak(log)
    await speak(log)
    top = ("album-create-1", None, None)
    assert chains_of(memory) == [
        top,
        ("enrich-7", "album-create-1", "album-create-1"),
        ("track-9", "enrich-7", "album-create-1"),
        top,
        (None, None, None),
    ]


async def test_tasks_begin_in_the_job_that_started_them_and_do_not_mix(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    async def work(name: str) -> None:
        with log.job(name):
            await asyncio.sleep(0)
            await speak(log)

    with log.job("root"):
        async with asyncio.TaskGroup() as tasks:
            for number in range(5):
                tasks.create_task(work(f"child-{number}"))
        thread = await asyncio.to_thread(current_job)
        await speak(log)
    assert sorted(chains_of(memory)[:5]) == [(f"child-{number}", "root", "root") for number in range(5)]
    assert chains_of(memory)[5] == ("root", None, None)
    assert thread == Job("root")


async def test_an_event_may_name_its_job_itself(memory: InMemoryTransport, log: LlamaLogger) -> None:
    with log.job("root"):
        await log.linked("ALBUM", uuid4(), operation="album:linked", job_id="below")
        await log.linked("ALBUM", uuid4(), operation="album:linked", job_id="b", parent_job_id="root")
        await log.linked(
            "ALBUM", uuid4(), operation="album:linked", job_id="b", parent_job_id="p", root_job_id="r"
        )
        await log.linked("ALBUM", uuid4(), operation="album:linked", root_job_id="declared")
    assert chains_of(memory) == [
        ("below", "root", "root"),
        ("b", "root", "root"),
        ("b", "p", "r"),
        ("root", None, "declared"),
    ]


async def test_a_job_entered_twice_is_no_child_of_its_own(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    with log.job("root"), log.job("child"), log.job("child"):
        await speak(log)
    assert chains_of(memory) == [("child", "root", "root")]


async def test_a_scope_may_be_entered_again_within_itself(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    scope = log.job("again")
    with scope:
        with scope:
            await speak(log)
        await speak(log)
    await speak(log)
    assert [job for job, _, _ in chains_of(memory)] == ["again", "again", None]


async def test_tasks_that_share_a_scope_leave_each_their_own_block(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    scope, left = log.job("shared"), asyncio.Event()

    async def first_to_enter() -> None:
        with scope:
            entered.set()
            await left.wait()
            await speak(log)
        await speak(log)

    async def first_to_leave() -> None:
        await entered.wait()
        with scope:
            await speak(log)
        await speak(log)
        left.set()

    entered = asyncio.Event()
    await asyncio.gather(first_to_enter(), first_to_leave())
    assert [job for job, _, _ in chains_of(memory)] == ["shared", None, "shared", None]


async def test_headers_take_the_job_to_another_service(memory: InMemoryTransport, log: LlamaLogger) -> None:
    with log.job("album-create-1"), log.job("enrich-7") as job:
        headers = job.headers()
    received = [(name, value.encode()) for name, value in headers.items()]
    with log.job("track-9", parent=Job.from_headers(received)):
        await speak(log)
    with started_by(Job.from_headers(headers)):
        await speak(log)
        with log.job("track-10"):
            await speak(log)
    assert chains_of(memory) == [
        ("track-9", "enrich-7", "album-create-1"),
        (None, "enrich-7", "album-create-1"),
        ("track-10", "enrich-7", "album-create-1"),
    ]


@pytest.mark.parametrize("job_id", ["album-create-1", "a/b:c?d=e&f #1", "Björk 🎶", "50 %25", "a\r\nb: c"])
def test_headers_carry_any_id_in_printable_ascii_in_any_case_of_names(job_id: str) -> None:
    job = Job(job_id, f"{job_id} above", f"{job_id} top")
    headers = job.headers()
    assert all(value.isascii() and value.isprintable() for value in headers.values())
    assert Job.from_headers(headers) == job
    assert Job.from_headers({name.title(): value for name, value in headers.items()}) == job
    assert Job.from_headers([(name, value.encode()) for name, value in headers.items()]) == job
    assert Job.from_headers([(name.encode(), value.encode()) for name, value in headers.items()]) == job


@pytest.mark.parametrize(
    "headers",
    [
        [],
        {},
        [("llamalog-job-id", None)],
        [("llamalog-job-id", b"\xff")],
        [("llamalog-job-id", b"%ff")],
        {"llamalog-job-id": ""},
        {"llamalog-job-id": "x" * 101},
        {"llamalog-root-job-id": "root"},
    ],
)
def test_headers_that_name_no_job_are_no_error(headers: dict[str, str]) -> None:
    assert Job.from_headers(headers) is None


async def test_a_queue_takes_parent_and_root_through_any_number_of_levels(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    with log.job("album-create-1") as job:
        queued = encode_job(job.propagate_to(EnrichAlbum(album_id="6b1f")))
    for level in range(3):
        payload = decode_job(EnrichAlbum, queued)
        with log.job(Job.from_payload(f"enrich-{level}", payload)) as job:
            await speak(log)
            queued = encode_job(job.propagate_to(payload))
    assert chains_of(memory) == [
        ("enrich-0", "album-create-1", "album-create-1"),
        ("enrich-1", "enrich-0", "album-create-1"),
        ("enrich-2", "enrich-1", "album-create-1"),
    ]


async def test_a_child_without_a_known_root_warns_once_where_it_is_entered(log: LlamaLogger) -> None:
    payload = EnrichTrack(track_id="t", parent_job_id="enrich-7")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(3):
            job = Job.from_payload(f"track-{number}", payload)
            with log.job(job):
                line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
                await speak(log)
    (warning,) = caught
    assert warning.category is UnknownRootWarning
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert "track-0 was started by enrich-7" in str(warning.message)


async def test_an_event_that_names_a_parent_without_a_root_warns_at_the_call(log: LlamaLogger) -> None:
    with pytest.warns(UnknownRootWarning) as caught:
        await log.created("ALBUM", uuid4(), operation="o", job_id="child", parent_job_id="unheard")
        line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


async def test_known_roots_do_not_warn(log: LlamaLogger) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with log.job("root"), log.job("child"):
            await speak(log)
        with started_by(Job("sender")):
            await speak(log)


class CatalogueError(Exception):
    code = "NO_ARTIST_DATA"


async def test_the_failure_of_a_body_is_published_and_propagates(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    album = Attempt(entity_type="ALBUM", operation="album:created:spotify", data={"title": "Lemonade"})
    artist = Attempt(entity_type="ARTIST", operation="artist:created:album", data={"odd": Job("x"), "n": {1}})
    with pytest.raises(ValueError, match="no such album"), log.job("album-create-1", attempt=album):
        raise ValueError("no such album")
    with pytest.raises(CatalogueError):
        async with log.job("album-create-2"), log.job("artist-3", attempt=artist):
            raise CatalogueError
    first, second = memory.events
    assert isinstance(first, EntityFailed)
    assert isinstance(second, EntityFailed)
    assert first.data.error_code == "ALBUM_CREATION_FAILED"
    assert first.data.error_message == "no such album"
    assert first.data.metadata == {"attempted": {"title": "Lemonade"}}
    assert first.data.entity_id is None
    assert second.data.error_code == "NO_ARTIST_DATA"
    assert second.data.error_message == "CatalogueError"
    assert chains_of(memory) == [
        ("album-create-1", None, None),
        ("artist-3", "album-create-2", "album-create-2"),
    ]
    assert current_job() is None


async def test_a_body_that_succeeds_or_is_cancelled_publishes_no_failure(
    memory: InMemoryTransport, log: LlamaLogger
) -> None:
    attempt = Attempt(entity_type="ALBUM", operation="album:created")
    async with log.job("a", attempt=attempt):
        await speak(log)
    with pytest.raises(asyncio.CancelledError):
        async with log.job("b", attempt=attempt):
            raise asyncio.CancelledError
    assert chains_of(memory) == [("a", None, None)]
