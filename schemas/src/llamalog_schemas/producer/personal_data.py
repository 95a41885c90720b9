"""A warning where an event would keep more of a person than the id by which a service knows the person."""

import re
import warnings
from functools import cache
from typing import Any, Final

from llamalog_schemas.producer.job import call_site

_MAIL_ADDRESS: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class PersonalDataWarning(UserWarning):
    """A `user_id` looks like an address of mail, which is kept as long as the log is."""


def warn_about_mail_address(user_id: Any) -> None:
    """Warn, once a process, of a `user_id` that looks like an address of mail; its text is not quoted."""
    if type(user_id) is str and "@" in user_id and _MAIL_ADDRESS.fullmatch(user_id):
        _warn()


@cache  # once a process
def _warn() -> None:
    file, line = call_site()
    warnings.warn_explicit(
        "a `user_id` looks like an address of mail: it is kept in the log, its topics and its archives for "
        "as long as they are. Publish an id that means nothing outside of your service instead",
        PersonalDataWarning,
        file,
        line,
    )
