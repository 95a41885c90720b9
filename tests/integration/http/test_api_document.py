"""The examples of docs/api.md do what they promise, typed as they are there."""

import asyncio
import re
import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from harness.api import RunningApi
from harness.environments import without_settings
from harness.filled import ALBUM, ROOT_JOB, RUN, fill_installation

DOCUMENT = Path(__file__).resolve().parents[3] / "docs/api.md"
STREAMING = "--no-buffer"


def examples() -> list[str]:
    """The commands with `curl`, those over two lines made one."""
    text = DOCUMENT.read_text().replace("\\\n", " ")
    return [line.strip() for line in re.findall(r"^    (curl .*)$", text, re.MULTILINE)]


async def test_every_example_is_answered(api: RunningApi, pool: asyncpg.Pool) -> None:
    await fill_installation(api.settings, pool)
    await pool.execute(
        "UPDATE history_start SET kept_since = '2026-01-01'"
    )  # examples ask for times after it
    known = {
        "API": api.url,
        "ALBUM": str(ALBUM),
        "JOB": ROOT_JOB,
        "RUN": str(RUN),
        "KEY": str(uuid4()),
    }
    assert len(examples()) > 15
    for example in examples():
        fails = "--silent --show-error --fail-with-body --max-time " + ("3" if STREAMING in example else "30")
        command = example.replace("curl ", f"curl {fails} ", 1)
        done = await asyncio.create_subprocess_shell(
            command,
            env={**without_settings(), **known},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await done.communicate()
        ended_well = (0, 28) if STREAMING in example else (0,)
        assert done.returncode in ended_well, f"{command}\n{errors.decode()}{out.decode()}"
        assert out.startswith(b"event: " if STREAMING in example else b"{"), f"{command}\n{out.decode()}"


@pytest.fixture(autouse=True)
def _needs_curl() -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not on this machine")
