"""The command `llamalog` as a process of its own."""

import asyncio
import os
import sys
from pathlib import Path

EXECUTABLE = Path(sys.executable).parent / "llamalog"


async def start_llamalog(database_url: str, *words: str) -> asyncio.subprocess.Process:
    """Start it on a database, outside of any checkout; its output in pipes."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LLAMALOG_")}
    return await asyncio.create_subprocess_exec(
        EXECUTABLE,
        *words,
        env={
            **kept,
            "LLAMALOG_DATABASE_URL": database_url,
            "LLAMALOG_KAFKA": "127.0.0.1:1",
            "LLAMALOG_LOG_FORMAT": "json",
        },
        cwd="/",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def llamalog(database_url: str, *words: str) -> tuple[int | None, str, str]:
    """Run it to its end: exit code, standard output, standard error."""
    process = await start_llamalog(database_url, *words)
    out, errors = await process.communicate()
    return process.returncode, out.decode(), errors.decode()
