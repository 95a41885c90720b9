"""The file of differing rows: whole or not there, and whole before anything is repaired."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from llamalog_service.domain.errors import LlamalogError


class DifferencesFileError(LlamalogError):
    """It can't be written."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"The differing rows can't be written to {path}: {error.strerror or error}. Nothing was changed. "
            "Name another file with --differences, or make room."
        )


class DifferencesFile:
    """Lines under a name of their own until they are kept; then they take the place of an earlier run's.

    Raises:
        DifferencesFileError: on entering already, if nothing could be written; also in `note` and `keep`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        with self._told():
            if self._path.exists() and not self._path.is_file():
                raise OSError("it is no file")
            self._part.touch()
            self._part.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            with self._told():
                self._file.close()
        self._part.unlink(missing_ok=True)

    def note(self, line: str) -> None:
        """Write a line."""
        with self._told():
            self._file = self._file or self._part.open("w", encoding="utf-8")
            self._file.write(f"{line}\n")

    def keep(self) -> None:
        """There are no more lines: give the file its name, or remove an earlier one if there was no line."""
        with self._told():
            if self._file is None:
                self._path.unlink(missing_ok=True)
            else:
                self._file.flush()
                os.fsync(self._file.fileno())
                self._part.replace(self._path)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DifferencesFileError(self._path, error) from error
