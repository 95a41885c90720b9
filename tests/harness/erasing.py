"""Events of persons, and their erasures."""

from uuid import uuid4

from msgspec.structs import replace

from histories import NOON, event
from llamalog_schemas.events import EntityCreated, UserErased, UserErasedData, user_digest


def said_by(user: str, number: int) -> EntityCreated:
    """An event of a person, with an address of mail among its metadata."""
    one = event(number, f"job-{number}")
    assert isinstance(one, EntityCreated)
    metadata = {"mail": f"{user}@example.org", "kept": number}
    return replace(one, data=replace(one.data, user_id=user, metadata=metadata))


def erasure_of_user(user: str, *metadata_keys: str) -> UserErased:
    """The erasure of a person, with the keys of metadata that are personal."""
    data = UserErasedData(
        user_digest=user_digest(user), metadata_keys=metadata_keys, reason="their request", requested_by="op"
    )
    return UserErased(id=str(uuid4()), source="/tests", time=NOON, specversion="1.0", data=data)
