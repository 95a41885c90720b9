"""A share of what `make chaos` breaks, in small: what needs no server of its own."""

from pathlib import Path
from random import SystemRandom

import pytest

from chaos.fault import Fault
from chaos.faults import FAULTS
from chaos.run import survive
from llamalog_tools.devstack import LocalStack

pytestmark = pytest.mark.apache_kafka

SHARE = {"cut-in-commit", "rebalance-storm", "open-transactions"}


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, id=fault.name) for fault in FAULTS if fault.name in SHARE]
)
async def test_nothing_is_lost_doubled_or_wrong_under_any_fault(
    stack: LocalStack, tmp_path: Path, fault: Fault
) -> None:
    seed = SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    survived = await survive(fault, stack, tmp_path, messages=800, seconds=4, seed=seed)
    assert survived.wrong == []
    assert survived.verdict.messages >= 800
