"""Erasures: a person is removed from the rows of all events, past and to come."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace

from llamalog_schemas.events import RowEvent, UserErased, is_erased, is_legacy_row, row_id, user_digest
from llamalog_service.domain.legacy import LegacyContent
from llamalog_service.domain.rows import Content, utc_milliseconds

_Content = TypeVar("_Content", bound=Content)


class Erasure(NamedTuple):
    """One erasure as kept in `erasures`; a person may be erased several times."""

    id: UUID
    user_digest: str
    metadata_keys: tuple[str, ...]
    reason: str
    requested_by: str
    erased_at: datetime


class Erasures(NamedTuple):
    """The persons that are erased, by digest, and the metadata keys that their rows lose.

    The keys of all erasures count for each of them: a row of which a person was erased no longer leads to
    that person, so that keys that a later erasure adds can reach it in no other way.
    """

    digests: frozenset[str] = frozenset()
    metadata_keys: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.digests)

    def of(self, user_id: str | None) -> frozenset[str] | None:
        """The metadata keys to remove from what bears this id; None if the person is not erased."""
        if user_id is None or not self.digests or user_digest(user_id) not in self.digests:
            return None
        return self.metadata_keys

    def with_all(self, erasures: Iterable[Erasure]) -> "Erasures":
        """These and others."""
        added = list(erasures)
        if not added:
            return self
        return Erasures(
            self.digests.union(one.user_digest for one in added),
            self.metadata_keys.union(*(one.metadata_keys for one in added)),
        )


def erasure_of(event: UserErased) -> Erasure:
    """The erasure that an event states."""
    data = event.data
    return Erasure(
        row_id(event),
        data.user_digest,
        data.metadata_keys,
        data.reason,
        data.requested_by,
        utc_milliseconds(event.time),
    )


def erased_event(event: RowEvent, erasures: Erasures) -> RowEvent:
    """An event without the person that is erased, marked as such; the event itself if it names none."""
    if not _concerns(erasures, event.data.user_id, erased=is_erased(event)):
        return event
    keys = erasures.metadata_keys
    if is_legacy_row(event):
        legacy = event.data
        text = None if legacy.metadata is None else _text_without(legacy.metadata, keys)
        return replace(event, data=replace(legacy, user_id=None, metadata=text), erased=True)
    data = event.data
    return replace(
        event, data=replace(data, user_id=None, metadata=without_keys(data.metadata, keys)), erased=True
    )


def erased_content(content: _Content, erasures: Erasures, *, erased: bool = False) -> _Content | None:
    """The content of a row without the person that is erased; None if the row is none of an erased person.

    Args:
        erased: whether a person was erased from the row before.
    """
    if isinstance(content, LegacyContent):
        columns = dict(content.columns)
        if not _concerns(erasures, columns.pop("user_id", None), erased=erased):
            return None
        if (text := columns.get("metadata")) is not None:
            columns["metadata"] = _text_without(text, erasures.metadata_keys)
        return replace(content, columns=columns)
    if not _concerns(erasures, content.user_id, erased=erased):
        return None
    metadata = without_keys(content.metadata, erasures.metadata_keys)
    return replace(content, user_id=None, metadata=metadata)


def without_keys(metadata: Any, keys: frozenset[str]) -> Any:
    """Metadata without some of its keys; what is no object stays as it is."""
    if type(metadata) is msgspec.Raw:
        return msgspec.Raw(_text_without(bytes(metadata).decode(), keys).encode())
    if type(metadata) is not dict or keys.isdisjoint(metadata):
        return metadata
    return {key: value for key, value in metadata.items() if key not in keys}


def _concerns(erasures: Erasures, user_id: str | None, *, erased: bool) -> bool:
    return erased or erasures.of(user_id) is not None


def _text_without(text: str, keys: frozenset[str]) -> str:
    """A JSON text likewise, whose other values stay as they are written; blanks as PostgreSQL has them."""
    try:
        members: dict[str, msgspec.Raw] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return text
    if keys.isdisjoint(members):
        return text
    left = (
        f"{msgspec.json.encode(key).decode()}: {bytes(value).decode().strip()}"
        for key, value in members.items()
        if key not in keys
    )
    return f"{{{', '.join(left)}}}"
