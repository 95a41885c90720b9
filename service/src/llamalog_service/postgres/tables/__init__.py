"""Every table of the service, for migrations and simple reads; the hot path writes with SQL of its own.

The migrations make these tables step by step; a test holds both equal. The order of columns is the one
to read them in: in a database that was migrated, columns stand in the order in which they were added.
"""

from typing import Final

from sqlalchemy import MetaData
from sqlmodel import SQLModel

from llamalog_service.postgres.tables import log, overrides, runs

__all__ = ["METADATA", "log", "overrides", "runs"]

METADATA: Final[MetaData] = SQLModel.metadata
"""Of all tables."""
