"""How long others wait for the table while it is migrated: `python -m bench.migration_locks`."""

import argparse
import asyncio
import tempfile
from pathlib import Path
from time import perf_counter

from harness.databases import new_database
from harness.environments import environment_of_database
from harness.old_tables import POINTS, make_old_table
from harness.started_commands import llamalog
from harness.table_users import in_use
from llamalog_tools.devstack.postgres import LocalPostgres

LONGEST_ALLOWED = 1.0
TIMEOUT = 3600.0


async def measure(postgres_url: str, point: str, rows: int) -> bool:
    """Make a table, migrate it in use, print; whether no session waited too long."""
    async with new_database(postgres_url) as url:
        await make_old_table(url, point, rows)
        async with in_use(url, rows) as waits:
            await asyncio.sleep(1)
            began = perf_counter()
            code, _, errors = await llamalog(
                "migrate", environment=environment_of_database(url), within=TIMEOUT
            )
            took = perf_counter() - began
        print(f"{point}, {rows:,} rows: migrated in {took:.1f} s, exit code {code}\n{waits}", flush=True)
        if code:
            print(errors)
        return code == 0 and waits.longest < LONGEST_ALLOWED


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--point", choices=POINTS, action="append")
    chosen = options.parse_args()
    held = []
    with tempfile.TemporaryDirectory() as folder:
        postgres = LocalPostgres(Path(folder))
        postgres.start()
        try:
            for point in chosen.point or POINTS:
                held.append(asyncio.run(measure(postgres.url, point, chosen.rows)))
        finally:
            postgres.stop()
    return 0 if all(held) else 1


if __name__ == "__main__":
    raise SystemExit(main())
