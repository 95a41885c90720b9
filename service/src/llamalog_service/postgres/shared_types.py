"""Types of columns and parameters, looked up in the catalogue once for all sessions of a database."""

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, ClassVar, Final

import asyncpg

_SHARED_KINDS: Final = {b"b", b"e"}
"""Base types, arrays among them, and enums: the others have parts, which may change under the same number."""
_STANDING: Final = """
    SELECT t.oid, t.typname AS name, t.typtype AS kind, t.typelem AS elemtype
    FROM pg_type t WHERE t.oid = ANY ($1::oid[])
"""
_KEPT: Final = SimpleNamespace(name="kept")
"""In place of the driver's own statement, which was not executed: no other was replaced by it."""


class SharedTypes:
    """The types that sessions have looked up: to plan the driver's statement takes PostgreSQL 5 ms."""

    def __init__(self) -> None:
        self._types: dict[int, asyncpg.Record] = {}

    def find(self, oids: Iterable[int]) -> list[asyncpg.Record] | None:
        """All that is known, the elements of an array before it, if these are; else None."""
        return list(self._types.values()) if self._types.keys() >= set(oids) else None

    def add(self, types: Sequence[asyncpg.Record]) -> None:
        """Keep types, as the driver has looked them up with those that they are made of."""
        if all(found["kind"] in _SHARED_KINDS for found in types):
            for found in types:
                self._types.setdefault(found["oid"], found)

    def clear(self) -> None:
        """Forget all."""
        self._types.clear()

    async def verify(self, session: asyncpg.Connection) -> None:
        """Forget all, if the session's database has not the same types: it may be another one by now."""
        if not self._types:
            return
        known = {_identity(found) for found in self._types.values()}
        if known != {_identity(found) for found in await session.fetch(_STANDING, list(self._types))}:
            self.clear()


@lru_cache(maxsize=16)
def shared_types(dsn: str) -> SharedTypes:
    """The types of a database, for all pools of the process."""
    return SharedTypes()


def _identity(found: asyncpg.Record) -> tuple[Any, ...]:
    return found["oid"], found["name"], found["kind"], found["elemtype"] or 0


class SessionOfSharedTypes(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """A connection that looks up those types alone which none before it has looked up."""

    __slots__ = ("_may_share",)
    shared_types: ClassVar[SharedTypes]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._may_share = False

    async def share_types(self) -> None:
        """Use the types that are known, if this session's database has them; to be called once connected."""
        await self.shared_types.verify(self)
        self._may_share = True

    async def _introspect_types(self, typeoids: Collection[int], timeout: float | None) -> Any:
        known = self.shared_types.find(typeoids) if self._may_share else None
        if known is not None:
            return known, _KEPT
        types, statement = await super()._introspect_types(typeoids, timeout)
        if self._may_share:
            self.shared_types.add(types)
        return types, statement

    def _drop_local_type_cache(self) -> None:
        self.shared_types.clear()
        super()._drop_local_type_cache()
