"""The list of planted faults fits the source: `python -m planted_faults` plants them."""

import pytest

from planted_faults.fault import Fault
from planted_faults.faults import FAULTS
from planted_faults.planting import check_found


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_old_text_of_a_fault_is_in_its_file_once_and_its_tests_are_there(fault: Fault) -> None:
    check_found(fault)


def test_there_are_thirty_faults_and_no_two_of_one_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 30
