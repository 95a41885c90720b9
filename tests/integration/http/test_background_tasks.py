"""What the API does beside its answers: an unforeseen error neither ends it nor is hidden."""

import asyncio
from pkgutil import resolve_name
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from harness.api import running_api
from harness.waiting import eventually
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.http.background import supervise
from llamalog_service.live_feed.feed import FeedState, Gap, LiveFeed
from llamalog_service.settings import Settings


async def test_a_task_that_fails_is_logged_started_again_and_reported_as_not_running() -> None:
    runs: list[int] = []
    failures: list[int] = []

    async def work() -> None:
        runs.append(len(failures))
        if len(runs) < 4:
            raise KeyError("unforeseen")
        await asyncio.Event().wait()

    with capture_logs() as logged:
        task = asyncio.create_task(
            supervise(work, doing="working", failed=lambda: failures.append(1), first_wait=0.01)
        )

        async def works() -> bool:
            return len(runs) == 4

        await eventually(works)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert runs == [0, 1, 2, 3]
    assert [line["again_in_seconds"] for line in logged] == [0.01, 0.02, 0.04]
    assert all(line["log_level"] == "error" and line["exc_info"] for line in logged)


async def test_listeners_learn_that_the_feed_failed_and_that_rows_are_missing() -> None:
    feed = LiveFeed()
    feed.set_state(FeedState.LIVE)
    following = feed.follow()
    assert await anext(following) is FeedState.LIVE
    feed.reset(FeedState.FAILED)
    assert [await anext(following), await anext(following)] == [Gap(None), FeedState.FAILED]
    feed.set_state(FeedState.LIVE)
    assert await anext(following) is FeedState.LIVE
    await following.aclose()


async def test_the_api_says_so_while_its_tasks_fail_and_is_well_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_broken = True

    def may_break(where: str) -> None:
        kept = resolve_name(where)

        def call(*given: Any, **named: Any) -> Any:
            if is_broken:
                raise LlamalogError("unforeseen")
            return kept(*given, **named)

        monkeypatch.setattr(where.replace(":", "."), call)

    may_break("llamalog_service.kafka.following:open_reader")
    may_break("llamalog_service.http.health:parse_metrics")
    may_break("llamalog_service.postgres.reader:Reader.value")
    async with (
        running_api(settings) as running,
        httpx.AsyncClient(base_url=running.url) as client,
    ):
        heard: list[str] = []
        async with client.stream("GET", "/logs/stream") as answer, asyncio.timeout(60):
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    heard.append(line.removeprefix("event: "))
                if heard[-1:] == ["failed"] and is_broken:
                    unready = await client.get("/readyz")
                    assert unready.status_code == 503
                    assert "has failed" in unready.text
                    is_broken = False
                if heard[-1:] == ["live"]:
                    break
        assert "failed" in heard

        async def is_ready() -> bool:
            return (await client.get("/readyz")).status_code == 200

        await eventually(is_ready, 60)
