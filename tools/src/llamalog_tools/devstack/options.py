"""What a person can say about the local stack from outside."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llamalog_tools.devstack.errors import LocalStackError

EMBEDDED = "embedded"


@dataclass(frozen=True)
class StackOptions:
    """The choices, and where they may come from.

    Attributes:
        kafka: a broker that runs already, as host:port, or the word `embedded` (LLAMALOG_KAFKA).
        database_url: a PostgreSQL that runs already (LLAMALOG_DATABASE_URL).
        require_apache: it is an error if Apache Kafka cannot be started (LLAMALOG_REQUIRE_APACHE_KAFKA).
        cache: folder for what is fetched once; None: the user's own (LLAMALOG_CACHE).
    """

    kafka: str | None = None
    database_url: str | None = None
    require_apache: bool = False
    cache: Path | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> StackOptions:
        """Reads the four variables; an empty one counts as unset.

        Raises:
            LocalStackError: LLAMALOG_REQUIRE_APACHE_KAFKA is neither yes nor no.
        """
        cache = environment.get("LLAMALOG_CACHE")
        return cls(
            kafka=environment.get("LLAMALOG_KAFKA") or None,
            database_url=environment.get("LLAMALOG_DATABASE_URL") or None,
            require_apache=_yes(environment.get("LLAMALOG_REQUIRE_APACHE_KAFKA", "")),
            cache=Path(cache) if cache else None,
        )


def _yes(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes"):
        return True
    if word in ("", "0", "false", "no"):
        return False
    raise LocalStackError(f"LLAMALOG_REQUIRE_APACHE_KAFKA has to be 1 or 0; it has {text!r}.")
