"""Names that were replaced by standard ones stay away."""

import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]

RETIRED = {
    "classes": r"\bclass (Announcer|Asked|Standing|Told|Decree|RootDecree|Judge|Fate|Duty|Sieve|Ledger|News"
    r"|Account|Place|Speaks|Eventless\w*|(Queued|Claimed)Repair|RepairQueue|TopicTail|ProvenanceFeed|Said)\b",
    "functions and constants": r"\b(when_available|tell_new|doubted_jobs|_look_again|hand_down|of_payload"
    r"|say_now|is_decree|SILENT|NOBODY_READS)\b",
    "packages": r"llamalog_service[./](wiring|replay|letters|genesis|publish|delivery|stack|sample|looks"
    r"|store)\b",
    "modules": r"\b(novelty|taking_up|taking_in|second_look|settling|mending|refusals|decrees"
    r"|eventless_\w+)\.(py|sql)\b"
    r"|\b(kafka[./]feeds|backfill[./]repairs|telemetry[./](connections|server)|http[./]api[./]catalogue)\b",
    "commands and options": r"llamalog (genesis|migrator|up|simulate)\b"
    r"|--(add-words|keep-eventless|most-removed|archive-alone|settle)\b",
    "tables and columns": r"\b(root_decrees|decreed_at|legacy_told|end_told|telling_progress|takes_in)\b"
    r"|_(take_in|untold|wish)_",
    "helpers of tests": r"harness[./](told|asked_histories)\b"
    r"|\b(until_something_is_said|ask_many|told_fully|say_in_jobs|standing_at)\b"
    r"|\b(process|consumer|transactions|installation|scene|commands|command)\.(say|says|said|told)\(",
    "settings": r"LLAMALOG_MIGRATOR_PORT|migrator_port",
    "log events": r"[\"'](going on|batches put back|batches given up)[\"']",
}
HISTORY = (
    "CHANGELOG.md",
    "docs/adr/",
    "migrations/versions/",
    "adoption/migration_check.py",  # it knows the tables of every revision
    "tests/integration/adoption/test_renaming.py",
    Path(__file__).name,
)


def lines_of_the_project() -> list[tuple[str, str]]:
    """The lines of all texts that are tracked, but for history: file and number, line."""
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    names = [
        name
        for name in listed.stdout.splitlines()
        if name.endswith((".py", ".sql", ".md", ".html", ".js", ".toml", ".yml", ".yaml", ".sh"))
        and not any(part in name for part in HISTORY)
        and (CHECKOUT / name).exists()
    ]
    return [
        (f"{name}:{number}", line)
        for name in names
        for number, line in enumerate((CHECKOUT / name).read_text().splitlines(), 1)
    ]


@pytest.mark.parametrize("kind", RETIRED)
def test_no_retired_name_is_left(kind: str) -> None:
    pattern = re.compile(RETIRED[kind])
    assert [f"{at}: {line.strip()}" for at, line in lines_of_the_project() if pattern.search(line)] == []


def test_documents_and_sources_name_their_actors() -> None:
    """At most twenty lines leave their actor open; some name the user `nobody`."""
    vague = re.compile("somebody|nobody|whoever|whatever", re.IGNORECASE)
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    texts = [
        CHECKOUT / name
        for name in listed.stdout.splitlines()
        if not name.startswith("tests/") and (CHECKOUT / name).is_file()
    ]
    found = [
        f"{path.relative_to(CHECKOUT)}: {line.strip()}"
        for path in texts
        for line in path.read_text(errors="replace").splitlines()
        if vague.search(line)
    ]
    assert len(found) <= 20, "\n".join(found)
