"""The yardstick: one plain UPDATE that sets the same columns of the same rows."""

import time

import asyncpg

_UPDATE = """
    UPDATE llama_logs
    SET root_job_id = job_id, origin = 'RESOLVED', cycle_members = NULL, parent_conflict = false,
        revision = revision + 1
"""


async def plain_update(url: str) -> float:
    """The seconds that it takes, its commit included."""
    connection = await asyncpg.connect(url, command_timeout=3600, server_settings={"jit": "off"})
    try:
        began = time.perf_counter()
        await connection.execute(_UPDATE)
        return time.perf_counter() - began
    finally:
        await connection.close()
