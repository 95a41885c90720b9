"""The list of faults."""

from typing import Final

from planted_faults.fault import Fault
from planted_faults.reading import READING
from planted_faults.recording import RECORDING
from planted_faults.repairing import REPAIRING

FAULTS: Final[tuple[Fault, ...]] = (*RECORDING, *REPAIRING, *READING)
