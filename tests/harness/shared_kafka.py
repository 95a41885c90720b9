"""One Apache Kafka for all workers of a test run: idle it costs a twentieth of a core, its start two seconds.

The topics and groups of a test have names of their own, so that it needs no broker to itself; tests that
stop, kill or restart a broker start another.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from harness.fast_folders import fast_folder
from llamalog_tools.devstack import StackOptions
from llamalog_tools.devstack.apache_kafka import ApacheKafka
from llamalog_tools.devstack.errors import ApacheKafkaUnavailableError
from llamalog_tools.devstack.stack import choose_kafka


class SharedKafka:
    """A worker's share in the broker: the first worker that needs it starts it, and outlives the others.

    Args:
        folder: shared by the workers of this run, for the broker's address and data.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._users: int | None = None
        self._broker: ApacheKafka | None = None
        self._data = ExitStack()

    def options(self) -> StackOptions:
        """The environment's options with the shared broker as the given one, which is started if none runs.

        A broker that the environment gives, or that is not Apache Kafka, is not shared.
        """
        options = StackOptions.from_environment()
        if options.kafka:
            return options
        self._folder.mkdir(exist_ok=True)
        with _locked(self._folder / "start.lock"):
            if not self._current.exists():
                try:
                    self._start(options)
                except ApacheKafkaUnavailableError:
                    return options
            broker = Path(self._current.read_text())
            if self._users is None:
                self._users = os.open(broker / "users.lock", os.O_CREAT | os.O_RDWR)
                fcntl.flock(self._users, fcntl.LOCK_SH)
            return replace(options, kafka=(broker / "address").read_text())

    def release(self) -> None:
        """Stop using the broker; the worker that started it stops it once no other uses it."""
        if self._users is None:
            return
        if self._broker is not None:
            with _locked(self._folder / "start.lock"):
                self._current.unlink()  # a worker that begins now starts another
            fcntl.flock(self._users, fcntl.LOCK_EX)
            self._broker.stop()
            self._data.close()
        os.close(self._users)

    @property
    def _current(self) -> Path:
        """The file that names the folder of the broker that new users get."""
        return self._folder / "current"

    def _start(self, options: StackOptions) -> None:
        folder = Path(mkdtemp(dir=self._folder))
        data = self._data.enter_context(fast_folder(folder))
        broker = choose_kafka(data, replace(options, require_apache=True), print)
        assert isinstance(broker, ApacheKafka)
        broker.start()
        (folder / "address").write_text(broker.bootstrap)
        self._current.write_text(str(folder))
        self._broker = broker


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
