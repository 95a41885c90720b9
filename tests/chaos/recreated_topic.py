"""The topic of entity events deleted and created again, under positions that the database has recorded."""

import time
from pathlib import Path
from random import Random

from chaos.faults import Fault
from chaos.run import Survived
from chaos.scene import scene
from chaos.verdict import judge
from harness.log_table import stored_rows
from harness.settled import wait_until_settled
from harness.topics import end_offsets, publish
from histories import chains
from llamalog_service.stack import LocalStack

_SETTLED_WITHIN = 120.0
_NEW_EVENTS = 60
_EXPLANATION = "deleted and created again"


async def survive_a_new_topic(
    fault: Fault, stack: LocalStack, folder: Path, *, messages: int, seconds: float, seed: int
) -> Survived:
    """The consumers that run go on with what the new topic holds; one that is started ends and explains.

    Going on is right, since every message of the new topic is new; beginning is not, since the database
    says that more was recorded than the topic holds, and nobody can tell which part is missing.
    """
    async with scene(stack, folder, messages=messages, seconds=seconds, seed=seed) as here:
        await here.load.say_all()
        await wait_until_settled(here.settings, here.pool, _SETTLED_WITHIN)
        verdict = await judge(here)
        wrong = list(verdict.differences)
        begun = time.monotonic()
        await fault.strike(here, Random(seed))
        ended = time.monotonic()
        events = chains(_NEW_EVENTS)
        await publish(here.settings, events)
        said = await end_offsets(here.settings.kafka, here.topics.entity_events.name)
        await wait_until_settled(here.settings, here.pool, _SETTLED_WITHIN)
        recovery = time.monotonic() - ended
        stored = await stored_rows(here.pool)
        if len(stored) != verdict.rows + len(events):
            wrong.append(f"{len(stored)} rows, not {verdict.rows} and {len(events)} of the new topic")
        recorded = await here.recorded()
        if not any(recorded[partition] > end for partition, end in said.items()):
            wrong.append("no position lies past the end: nothing is shown")
        exit_codes = [await process.stop() for process in here.processes]
        newcomer = here.new_consumer()
        if await newcomer.ended() != 1 or _EXPLANATION not in newcomer.output:
            wrong.append(f"a consumer started then ended with {newcomer.exit_code}: {newcomer.output[-500:]}")
        return Survived(
            fault=fault,
            verdict=verdict._replace(rows=len(stored), differences=wrong),
            lasted=ended - begun,
            recovery=recovery,
            silence=0.0,
            restarts=0,
            waits=0,
            put_back=0,
            exit_codes=exit_codes,
        )
