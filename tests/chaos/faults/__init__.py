"""What is broken, a function a fault: it breaks something in the middle of the load and mends it."""

from chaos.faults import kafka, postgres, processes, sessions
from chaos.faults.kafka import RECREATED_UNDER_POSITIONS

__all__ = ["FAULTS", "RECREATED_UNDER_POSITIONS"]

FAULTS = (*processes.FAULTS, *postgres.FAULTS, *sessions.FAULTS, *kafka.FAULTS)
