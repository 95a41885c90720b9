"""The kit warns of user ids that say who a person is."""

import sys
import warnings
from collections.abc import Iterator
from uuid import uuid4

import pytest

from llamalog_schemas.producer import EventFactory, PersonalDataWarning
from llamalog_schemas.producer.personal_data import _warn

EVENTS = EventFactory("/tests")


@pytest.fixture(autouse=True)
def not_warned_yet() -> Iterator[None]:
    _warn.cache_clear()
    yield
    _warn.cache_clear()


def test_an_address_of_mail_is_warned_of_once_a_process_at_the_callers_line_without_its_text() -> None:
    with pytest.warns(PersonalDataWarning) as caught:
        line = sys._getframe().f_lineno + 1
        EVENTS.created("ALBUM", uuid4(), operation="album:created", user_id="ada@example.org")
        EVENTS.failed("ALBUM", operation="album:created", user_id="bob@example.org")
    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, line)
    assert "ada" not in str(warning.message)


@pytest.mark.parametrize(
    "user", ["ada", "7", "@ada", "ada@", "ada@host", "a user@home at.1", None, 7, uuid4()]
)
def test_any_other_id_is_not_warned_of(user: object) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EVENTS.created("ALBUM", uuid4(), operation="album:created", user_id=user)  # type: ignore[arg-type]
