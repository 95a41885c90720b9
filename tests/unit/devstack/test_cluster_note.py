"""Whether a database and a Kafka belong together, as `llamalog-dev up` decides it."""

from pathlib import Path

import pytest

from llamalog_tools.cli.cluster_note import NOTE, ClusterNote, is_stale


@pytest.mark.parametrize(
    ("noted", "durable", "has_read", "void"),
    [
        ("this", True, True, False),
        ("this", False, True, False),
        ("other", True, True, True),
        ("other", False, True, True),
        ("other", False, False, False),
        (None, True, True, False),
        (None, False, True, True),
        (None, False, False, False),
    ],
)
def test_offsets_are_void_if_they_were_read_from_another_memory(
    noted: str | None, durable: bool, has_read: bool, void: bool
) -> None:
    assert is_stale(noted, "this", durable=durable, has_read=has_read) is void


def test_a_note_is_read_back_for_its_database_only(tmp_path: Path) -> None:
    assert ClusterNote(tmp_path, "one").read() is None
    ClusterNote(tmp_path, "one").write("memory-1")
    assert ClusterNote(tmp_path, "one").read() == "memory-1"
    assert ClusterNote(tmp_path, "another").read() is None


@pytest.mark.parametrize("content", ["", "[]", "null", '{"memory": "memory-1"}', "\udcff"])
def test_a_damaged_note_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / NOTE).write_bytes(content.encode(errors="surrogateescape"))
    assert ClusterNote(tmp_path, "one").read() is None
