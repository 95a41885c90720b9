"""The file of differing rows is complete or absent; one that can't be written is refused at once."""

from pathlib import Path

import pytest

from llamalog_service.cli.rebuild import DifferencesFile, DifferencesFileError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "differences.jsonl"
    file.write_text("an earlier run's\n")
    return file


def files_beside(path: Path) -> set[str]:
    return {file.name for file in path.parent.iterdir()}


def test_it_has_its_name_and_every_line_once_it_is_complete(path: Path) -> None:
    with DifferencesFile(path) as lines:
        lines.write("one")
        lines.write("two")
        assert path.read_text() == "an earlier run's\n"
        lines.complete()
        assert path.read_text() == "one\ntwo\n"
    assert files_beside(path) == {path.name}


def test_without_a_difference_the_file_of_an_earlier_run_is_deleted(path: Path) -> None:
    with DifferencesFile(path) as lines:
        lines.complete()
    assert files_beside(path) == set()


def test_a_refused_or_interrupted_run_leaves_the_earlier_file(path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), DifferencesFile(path) as lines:
        lines.write("one")
        raise KeyboardInterrupt
    assert path.read_text() == "an earlier run's\n"
    assert files_beside(path) == {path.name}


@pytest.mark.parametrize("where", ["absent/differences.jsonl", "."])
def test_a_file_that_can_not_be_written_is_refused_at_once(tmp_path: Path, where: str) -> None:
    with pytest.raises(DifferencesFileError, match="can't be written"), DifferencesFile(tmp_path / where):
        raise AssertionError("something was done")
