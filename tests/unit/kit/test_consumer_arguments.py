"""Arguments of a consumer that contradict each other are refused where it is made."""

from typing import Any

import pytest

from llamalog_schemas.consumer import Beginning, Committed, ProvenanceConsumer


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"group": None, "start": Committed()}, "there is no group: give `group`"),
        ({"group": None, "start": Committed(otherwise=Beginning())}, "there is no group: give `group`"),
        ({"group": ""}, "the group has no name"),
        ({"group": "g", "isolation_level": "read_uncommitted"}, "isolation_level: not an option here"),
        ({"group": "g", "enable_auto_commit": True}, "enable_auto_commit: not an option here"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        ProvenanceConsumer("127.0.0.1:1", **arguments)
