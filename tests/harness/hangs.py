"""Hooks for a test that hangs: its report names its tasks, and a worker that does not recover is ended."""

import asyncio
import faulthandler
import io
from collections.abc import Generator

import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key

_TIMED_OUT = "Timeout (>"
"""The beginning of pytest-timeout's message."""

_SECONDS_TO_CLEAN_UP = 120


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the stacks of the test's asyncio tasks to the report of a test that timed out.

    The traceback of such a test ends in the event loop, which does not name what it waits for.
    """
    report = yield
    if _has_timed_out(call) and (stacks := _stacks_of_tasks(item)):
        report.sections.append(("asyncio tasks", stacks))
    return report


def pytest_exception_interact(node: pytest.Item | pytest.Collector, call: pytest.CallInfo[None]) -> None:
    """Write all stacks and end the process, unless the test ends within two minutes of its time-out.

    SIGALRM comes once, and pytest's own `faulthandler_timeout` is off from the first failure of a test on.
    """
    if _has_timed_out(call):
        stderr = node.config.stash[fault_handler_stderr_fd_key]
        faulthandler.dump_traceback_later(_SECONDS_TO_CLEAN_UP, exit=True, file=stderr)


def _has_timed_out(call: pytest.CallInfo[None]) -> bool:
    return call.excinfo is not None and str(call.excinfo.value).startswith(_TIMED_OUT)


def _stacks_of_tasks(item: pytest.Item) -> str:
    text = io.StringIO()
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, asyncio.Runner):
            for task in asyncio.all_tasks(value.get_loop()):
                task.print_stack(file=text)
    return text.getvalue()
