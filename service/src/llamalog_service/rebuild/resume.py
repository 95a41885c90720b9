"""How a rebuild begins: with a shadow of its own, or with what an earlier call has left."""

from uuid import uuid4

from llamalog_service.rebuild.errors import LeftoversError
from llamalog_service.rebuild.shadow import FORMAT, ShadowStore


async def take_up(
    shadow: ShadowStore, *, topic: str, source: str, begun_by: str, discard: bool, every_word: bool
) -> None:
    """Begin a shadow, or go on with the one that an earlier call of the same kind left.

    Args:
        discard: drop what stands first.
        every_word: begin anew where that call has left rows out whose words the live table's enums lack.

    Raises:
        LeftoversError: it was a call of another kind.
    """
    if discard:
        await shadow.discard()
    stands, about = await shadow.standing()
    if stands and (about is None or about[1:4] != (FORMAT, topic, source)):
        raise LeftoversError(about)
    if stands and not await shadow.go_on(every_word=every_word):
        await shadow.discard()
        stands = False
    if not stands:
        await shadow.make(id_=uuid4(), topic=topic, source=source, begun_by=begun_by, every_word=every_word)
