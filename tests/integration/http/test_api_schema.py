"""The API does what its OpenAPI document describes, and the document describes what the API does."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg
import httpx
from pydantic import SecretStr

from harness.api import running_api
from harness.environments import without_settings
from harness.filled import fill_installation
from llamalog_service.settings import Settings

EXAMPLES = os.environ.get("LLAMALOG_API_EXAMPLES", "3")
"""Requests drawn for an operation, and histories of several; `make fuzz-api` draws more."""

WHO = "schemathesis-0001"
CONFIG = Path(__file__).parents[2] / "harness/schemathesis.toml"

STREAMS = "^/(logs/stream|backfills/{id}/events)$"
"""They end when their client goes, and are tested by themselves."""


async def test_schemathesis_finds_nothing(settings: Settings, pool: asyncpg.Pool, tmp_path: Path) -> None:
    await fill_installation(settings, pool)
    guarded = settings.model_copy(update={"api_tokens": SecretStr(f"tester admin {WHO}")})
    async with running_api(guarded) as api:
        # Schemathesis waits ten seconds for a document by HTTP, whose reading takes longer on a busy machine.
        document = tmp_path / "openapi.json"
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {WHO}"}) as client:
            document.write_bytes((await client.get(f"{api.url}/openapi.json")).content)
        done = await asyncio.create_subprocess_exec(
            Path(sys.executable).parent / "schemathesis",
            "--config-file",
            CONFIG,
            "run",
            document,
            "--url",
            api.url,
            "--header",
            f"Authorization: Bearer {WHO}",
            "--exclude-path-regex",
            STREAMS,
            "--checks",
            "all",
            "--continue-on-failure",
            "--no-color",
            "--seed",
            "7",
            "--max-examples",
            EXAMPLES,
            cwd=tmp_path,
            env=without_settings(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await done.communicate()
    assert done.returncode == 0, printed.decode()
