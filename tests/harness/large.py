"""Large rows in the table, and what a process takes for them; README states the limits."""

from pathlib import Path
from typing import Any
from uuid import UUID

from harness.service import ServiceProcess

ALLOWED_MEGABYTES, REFUSED_MEGABYTES = 256, 384
"""Of a consumer, for inputs that the contract allows, and for those that it refuses."""

LARGE_ROWS = """
    INSERT INTO llama_logs (id, operation, category, status, job_id, root_job_id, origin, metadata)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'x', 'CREATED', 'SUCCESS', 'job-' || n, 'job-' || n, 'ROOT',
           filling.metadata
    FROM generate_series(1, $1::integer) n
    CROSS JOIN (
        SELECT jsonb_build_object('lists', jsonb_agg(jsonb_build_array(m, '{}'::jsonb))) AS metadata
        FROM generate_series(1, $2::integer * 65) m
    ) filling
"""
"""$1 root jobs' rows, numbered from 1, with about $2 kilobytes of metadata each: many small values."""


def dense(kilobytes: int) -> dict[str, Any]:
    """Metadata of many small values: decoded they take twenty times as much."""
    return {"lists": [[]] * (kilobytes * 1000 // 3)}


def json_of(kilobytes: int) -> dict[str, Any]:
    """Ordinary metadata."""
    track = {"title": "A song of some length", "seconds": 215.4, "tags": ["rock", "live"], "explicit": False}
    return {"tracks": [track | {"id": str(UUID(int=number))} for number in range(kilobytes * 1000 // 145)]}


def peak_megabytes(process: ServiceProcess) -> int:
    """The largest resident memory that a process ever had."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
