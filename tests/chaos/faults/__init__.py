"""What is broken, a function a fault: it breaks something in the middle of the load and mends it."""

from chaos.faults import (
    cluster,
    disks,
    failover,
    kafka,
    kafka_wires,
    neighbours,
    postgres,
    processes,
    producers,
    sessions,
)
from chaos.faults.kafka import RECREATED_UNDER_POSITIONS

__all__ = ["FAULTS", "RECREATED_UNDER_POSITIONS"]

FAULTS = (
    *processes.FAULTS,
    *postgres.FAULTS,
    *failover.FAULTS,
    *sessions.FAULTS,
    *neighbours.FAULTS,
    *kafka.FAULTS,
    *producers.FAULTS,
    *kafka_wires.FAULTS,
    *cluster.FAULTS,
    *disks.FAULTS,
)
