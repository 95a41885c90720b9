"""The topic of entity events deleted and created again, under positions that the database has recorded."""

import time
from pathlib import Path
from random import Random

from chaos.fault import Fault
from chaos.run import Survived
from chaos.scene import STOPS_WITHIN, scene
from chaos.verdict import judge
from harness.log_table import stored_rows
from harness.settled import wait_until_settled
from harness.topics import publish
from histories import chains
from llamalog_service.domain.errors import ExitCode
from llamalog_tools.devstack import LocalStack

_SETTLED_WITHIN = 120.0
_NEW_EVENTS = 60
_EXPLANATION = "deleted and created again"


async def survive_a_new_topic(
    fault: Fault, stack: LocalStack, folder: Path, *, messages: int, seconds: float, seed: int
) -> Survived:
    """Consumers of a lost topic end; on the new one they end and explain, until an operator accepts the loss.

    The recovery is timed from the operator's word that the old topic's loss is accepted.
    """
    async with scene(stack, folder, messages=messages, seconds=seconds, seed=seed) as here:
        await here.load.publish_all()
        await wait_until_settled(here.settings, here.pool, _SETTLED_WITHIN)
        verdict = await judge(here)
        wrong = list(verdict.differences)
        begun = time.monotonic()
        await fault.strike(here, Random(seed))
        exit_codes = [await consumer.ended(_SETTLED_WITHIN) for consumer in here.consumers]
        if set(exit_codes) != {ExitCode.BROKEN}:
            wrong.append(f"exit codes {exit_codes} of consumers whose topic had gone")
        for consumer in here.consumers:
            consumer.start()
            if await consumer.ended(_SETTLED_WITHIN) != ExitCode.ERROR or _EXPLANATION not in consumer.output:
                wrong.append(f"no explanation on the new topic: {consumer.output[-500:]}")
        ended = time.monotonic()
        await here.pool.execute(
            "DELETE FROM consumer_positions WHERE topic = $1", here.topics.entity_events.name
        )
        for consumer in here.consumers:
            consumer.start()
        events = chains(_NEW_EVENTS)
        await publish(here.settings, events)
        await wait_until_settled(here.settings, here.pool, _SETTLED_WITHIN)
        recovery = time.monotonic() - ended
        stored = await stored_rows(here.pool)
        if len(stored) != verdict.rows + len(events):
            wrong.append(f"{len(stored)} rows, not {verdict.rows} and {len(events)} of the new topic")
        return Survived(
            fault=fault,
            verdict=verdict._replace(rows=len(stored), differences=wrong),
            lasted=ended - begun,
            recovery=recovery,
            silence=0.0,
            restarts=2 * len(here.consumers),
            waits=0,
            put_back=0,
            exit_codes=[await process.stop(STOPS_WITHIN) for process in here.processes],
        )
