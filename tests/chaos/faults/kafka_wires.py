"""Connections to Kafka that are cut, slow, or get no answer."""

from random import Random

from chaos.absences import hang, reset, slow_down
from chaos.fault import AWAY, Fault
from chaos.scene import Scene
from chaos.servers import Servers

_DELAY = 0.1
"""Seconds that each piece takes on a slow way."""
_SHORT_LIVES = 500, 100_000
"""Bytes: from one that breaks before it has learned of a topic to one that lasts for some batches."""


async def freeze_kafka_connections(scene: Scene, _: Random) -> None:
    await hang(scene.kafka_wire, 2 * AWAY)


async def reset_kafka_connections(scene: Scene, dice: Random) -> None:
    await reset(scene.kafka_wire, dice, _SHORT_LIVES, 2 * AWAY)


async def slow_kafka_connections(scene: Scene, _: Random) -> None:
    await slow_down(scene, scene.kafka_wire, _DELAY)


FAULTS = (
    Fault(
        "kafka-hang",
        f"Kafka does not answer for {2 * AWAY:.0f} s",
        freeze_kafka_connections,
        servers=Servers.PROXIED,
    ),
    Fault(
        "kafka-resets",
        f"connections to Kafka reset after 500 to 100,000 bytes, for {2 * AWAY:.0f} s",
        reset_kafka_connections,
        servers=Servers.PROXIED,
    ),
    Fault(
        "slow-kafka",
        f"{_DELAY * 1000:.0f} ms more on every way to and from Kafka",
        slow_kafka_connections,
        servers=Servers.PROXIED,
    ),
)
