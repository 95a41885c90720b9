"""A producer in another language checks its messages with the JSON Schemas, and is recorded."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn
from uuid import UUID

import asyncpg
import msgspec
import pytest

from contract.golden_payloads import load, load_all
from harness.service import running
from harness.settled import wait_until_consumed
from llamalog_schemas.jobs import JOBS, ChainedJob, JobPayload, decode_job, encode_job
from llamalog_service.kafka.topics import topics
from llamalog_service.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMAS = CHECKOUT / "schemas/json"
REFUSED: dict[str, dict[str, Any]] = {
    "an unknown field": {"colour": "red"},
    "a status of another list": {"status": "GOOD"},
    "no operation": {"operation": ""},
    "an id that is none": {"entityId": "6b1f"},
    "a count below zero": {"retryCount": -1},
    "a name that is too long": {"jobId": "x" * 101},
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs, with what they need from npm."""
    if shutil.which("npm") is None:
        absent("needs node and npm")
    folder = tmp_path_factory.mktemp("node")
    for file in (CHECKOUT / "tests/node").glob("*.*"):
        shutil.copy(file, folder)
    install = ["npm", "ci", "--no-audit", "--no-fund"]
    ran = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        absent(f"npm could not install what the programs need: {ran.stderr[-1000:]}")
    return folder


def absent(what: str) -> NoReturn:
    """Skip where it may be missing; CI, which may miss no part, sets this variable."""
    if os.environ.get("LLAMALOG_REQUIRE_APACHE_KAFKA") == "1":
        pytest.fail(what)
    pytest.skip(what)


def run(folder: Path, *arguments: str, stdin: str = "") -> list[Any]:
    """What a program prints, a JSON value a line."""
    ran = subprocess.run(
        ["node", *arguments], cwd=folder, input=stdin, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.split("\n") if line]


def judged(folder: Path, messages: list[dict[str, Any]]) -> list[Any]:
    """None for each message that its schema accepts, else why not."""
    lines = "\n".join(json.dumps(message) for message in messages)
    return run(folder, "validate.mjs", str(SCHEMAS), stdin=lines)


def test_the_schemas_accept_every_golden_payload_whose_uuids_have_dashes(node: Path) -> None:
    """Without dashes the service reads them too; a validator that asserts formats is stricter."""
    golden = load_all()
    verdicts = judged(node, [payload.structured for payload in golden])
    complaints = {
        payload.name: {(error["keyword"], error["params"].get("format")) for error in errors}
        for payload, errors in zip(golden, verdicts, strict=True)
        if errors is not None
    }
    assert len(complaints) < len(golden) / 4
    assert set().union(*complaints.values()) <= {("format", "uuid")}, complaints


def test_the_schemas_refuse_what_the_service_would(node: Path) -> None:
    good = load("entity-created/v1/full").structured
    bad = [good | {"data": good["data"] | change} for change in REFUSED.values()]
    without = {name: value for name, value in good.items() if name != "time"}
    verdicts = judged(node, [*bad, without, good | {"type": "llamalog.entity-created.v9"}])
    assert None not in verdicts
    assert len(verdicts) == len(REFUSED) + 2


TEXT = 'Björk – 🎶 \u2028 </script> \\ "'
VALUES: dict[str, Any] = {"priority": "high", "force": False, "extract_albums": True, "includes": ("a", TEXT)}
NUMBERS = ("limit", "offset")


def payloads(job: type[JobPayload]) -> list[JobPayload]:
    """With every field, and with no more than it needs."""
    fields = msgspec.structs.fields(job)
    full = {each.name: VALUES.get(each.name, 7 if each.name in NUMBERS else TEXT) for each in fields}
    needed = {each.name: full[each.name] for each in fields if each.required}
    return [job(**full), job(**needed)]


def test_payloads_go_through_a_queue_of_another_language_and_back(node: Path) -> None:
    known = [payload for job in JOBS.values() for payload in payloads(job)]
    lines = [{"name": payload.operation, "data": json.loads(encode_job(payload))} for payload in known]
    encoded = run(node, "queue.mjs", stdin="\n".join(map(json.dumps, lines)))
    for number, (payload, queued) in enumerate(zip(known, encoded, strict=True), 1):
        kept = queued["kept"]
        assert decode_job(JOBS[kept["name"]], kept["data"]) == payload
        assert kept["data"].encode() == encode_job(payload)  # to the byte: same keys, same order, same text
        if isinstance(payload, ChainedJob):
            after = decode_job(type(payload), queued["next"])
            root = payload.root_job_id or payload.parent_job_id or str(number)
            assert (after.request_id, after.parent_job_id, after.root_job_id) == (None, str(number), root)


async def test_what_another_language_publishes_is_recorded(
    node: Path, settings: Settings, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    topic = topics(settings.topic_prefix).entity_events.name
    sent = run(node, "produce.mjs", str(SCHEMAS), settings.kafka, topic)
    assert len(sent) == 7
    async with running("consumer", settings, tmp_path):
        await wait_until_consumed(settings)
    rows = {row["id"]: row for row in await pool.fetch("SELECT * FROM llama_logs")}
    assert rows.keys() == {UUID(message["id"]) for message in sent}
    root = sent[0]["data"]["jobId"]
    for message in sent:
        row, data = rows[UUID(message["id"])], message["data"]
        assert row["operation"] == data["operation"]
        assert row["root_job_id"] == (root if {"jobId", "parentJobId"} & data.keys() else None)
    assert rows[UUID(sent[0]["id"])]["metadata"] == sent[0]["data"]["metadata"]
