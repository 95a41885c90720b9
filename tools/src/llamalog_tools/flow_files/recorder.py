"""Runs a command of `llamalog` and records which of our functions each of its tasks and threads executes.

    python -m llamalog_tools.flow_files.recorder REPORT FIRST COMMAND...

REPORT is the file that is written when the process ends: calls by window. FIRST is a folder of the service,
whose first coroutine opens the window `flow`. With ``-`` windows are opened by name, a line each on standard
input; the file REPORT.window has the name of the open one.
"""

import asyncio
import inspect
import json
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import llamalog_schemas
import llamalog_service

_PACKAGES = tuple(
    str(Path(file).parent) + "/" for file in (llamalog_service.__file__, llamalog_schemas.__file__) if file
)
_SERVICE = _PACKAGES[0]


class Call(NamedTuple):
    """A function that was executed.

    Attributes:
        task: the thread and, of an event loop, the coroutine function that its task runs.
        file: its absolute path.
        function: its qualified name.
    """

    task: str
    file: str
    function: str


class Recorder:
    """Notes calls of our functions, by window.

    Args:
        first: the folder whose first coroutine opens the window `flow`; None: only `open` opens windows.
    """

    def __init__(self, first: str | None = None) -> None:
        self._first = None if first is None else _SERVICE + first.strip("/") + "/"
        self._window: str | None = None
        self._calls: dict[str, set[Call]] = defaultdict(set)
        self._ours: dict[CodeType, bool] = {}

    def start(self) -> None:
        """Record this thread, and those that are started from now on."""
        threading.setprofile(self._see)
        sys.setprofile(self._see)

    def open(self, window: str) -> None:
        """Note further calls under another window."""
        self._window = window

    def write(self, report: Path) -> None:
        """Write what was noted, as JSON."""
        threading.setprofile(None)
        sys.setprofile(None)
        self._window = None
        report.write_text(json.dumps({window: sorted(calls) for window, calls in self._calls.items()}))

    def _see(self, frame: FrameType, event: str, _: Any) -> None:
        if event != "call" or (self._window is None and self._first is None):
            return
        code = frame.f_code
        ours = self._ours.get(code)
        if ours is None:
            ours = self._ours[code] = code.co_filename.startswith(_PACKAGES)
        if not ours:
            return
        if self._window is None and self._first is not None:
            is_coroutine = code.co_flags & inspect.CO_COROUTINE
            if is_coroutine and code.co_filename.startswith(self._first):
                self._window = "flow"
        if self._window is None:
            return
        call = Call(_task(), code.co_filename, code.co_qualname)
        if call not in self._calls[self._window] and not _is_imported(frame):
            self._calls[self._window].add(call)


def _task() -> str:
    thread = threading.current_thread().name
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return thread
    if task is None:
        return f"{thread}: callbacks"
    return f"{thread}: {getattr(task.get_coro(), '__qualname__', 'a task')}"


def _is_imported(frame: FrameType | None) -> bool:
    """Whether the call is part of the import of a module."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def main() -> None:
    """Run the command that the arguments name."""
    report, first, *words = sys.argv[1:]
    recorder = Recorder(None if first == "-" else first)
    recorder.start()
    if first == "-":
        threading.Thread(target=_open_windows, args=(recorder, Path(f"{report}.window")), daemon=True).start()
    from llamalog_service.cli import app

    try:
        app(words, prog_name="llamalog")
    finally:
        recorder.write(Path(report))


def _open_windows(recorder: Recorder, opened: Path) -> None:
    for line in sys.stdin:
        recorder.open(line.strip())
        opened.write_text(line.strip())


if __name__ == "__main__":
    main()
