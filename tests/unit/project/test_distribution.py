"""Files that need the same costly servers are run by one worker, all others by any."""

from harness.distribution import group_of


def test_the_files_of_the_browser_are_one_group() -> None:
    assert group_of("tests/browser/test_log.py") == group_of("tests/browser/test_hostile.py")


def test_the_files_that_break_servers_are_one_group() -> None:
    breaking = ("ingest/test_outages.py", "kit/test_kit_outages.py", "telemetry/test_liveness.py")
    assert len({group_of(f"tests/integration/{file}") for file in breaking}) == 1


def test_any_other_file_is_a_group_of_its_own() -> None:
    for file in ("tests/integration/ingest/test_delivery.py", "tests/unit/project/test_distribution.py"):
        assert group_of(file) == file
