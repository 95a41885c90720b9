"""`llamalog-dev up` ends what it has begun, also where a library swallows a cancellation."""

import asyncio

from llamalog_tools.cli.up import end


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def deaf() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed += 1

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await asyncio.wait_for(end(task), 10)
    assert swallowed == 1
    assert task.cancelled()


async def test_how_a_task_has_failed_is_of_no_interest_any_more() -> None:
    async def fail() -> None:
        raise ValueError

    task = asyncio.create_task(fail())
    await asyncio.wait_for(end(task), 10)
    assert task.done()
