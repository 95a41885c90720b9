"""A retried action: an unavailable server is waited for, up to a limit; a cancellation is not."""

import asyncio

import pytest
from structlog.testing import capture_logs

from llamalog_service.domain.errors import UnavailableError
from llamalog_service.retry import RETRIES, retry_until_available


async def test_a_cancellation_that_an_unavailable_server_replaces_still_ends_the_task() -> None:
    begun = asyncio.Event()
    attempts = 0

    async def lose_the_connection_while_cancelled() -> str:
        nonlocal attempts
        attempts += 1
        if attempts > 1:
            return "retried"
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise UnavailableError("the connection broke while it was closed")

    task = asyncio.create_task(retry_until_available(lose_the_connection_while_cancelled, doing="testing"))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert attempts == 1


async def test_a_task_that_was_cancelled_before_still_retries_what_it_does_at_its_end() -> None:
    attempts = 0

    async def succeed_at_the_second_attempt() -> str:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise UnavailableError("away")
        return "done"

    async def clean_up_when_cancelled(begun: asyncio.Event) -> str:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await retry_until_available(succeed_at_the_second_attempt, doing="testing")
        raise AssertionError("it is cancelled")

    begun = asyncio.Event()
    task = asyncio.create_task(clean_up_when_cancelled(begun))
    await begun.wait()
    task.cancel()
    assert await task == "done"


async def test_a_time_limit_around_the_retries_ends_them() -> None:
    async def turn_every_interruption_into_an_outage() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise UnavailableError("interrupted") from None

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await retry_until_available(turn_every_interruption_into_an_outage, doing="testing")


class Flaky:
    """An action that fails a number of times before it succeeds."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise UnavailableError("PostgreSQL is away")
        return "done"


async def test_an_action_is_retried_until_it_succeeds_and_the_log_has_one_line_for_each_change() -> None:
    action = Flaky(failures=2)
    with capture_logs() as logged:
        assert await retry_until_available(action, doing="acting") == "done"
    assert action.calls == 3
    assert [(line["event"], line["doing"]) for line in logged] == [
        ("waiting", "acting"),
        ("recovered", "acting"),
    ]
    assert RETRIES.doing() == ()


async def test_a_limit_ends_the_retries_with_the_last_error() -> None:
    action = Flaky(failures=6)
    with pytest.raises(UnavailableError, match="PostgreSQL is away"):
        await retry_until_available(action, doing="acting", timeout=0.3)
    assert action.calls < 6
    assert RETRIES.doing() == ()


async def test_another_error_is_not_retried() -> None:
    async def fail() -> None:
        raise KeyError("unforeseen")

    with pytest.raises(KeyError, match="unforeseen"):
        await retry_until_available(fail, doing="acting")
