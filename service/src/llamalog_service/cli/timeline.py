"""`llamalog timeline`: how an album, an artist or a track got into the database."""

from typing import Annotated

import typer
from rich.text import Text
from rich.tree import Tree as Drawn

from llamalog_service.bootstrap.following import open_log
from llamalog_service.cli.filters import Entity, EntityId, Json, Limit
from llamalog_service.cli.lineage_view import lineages
from llamalog_service.cli.pieces import whole_timeline
from llamalog_service.cli.runtime import console, print_json, read_database_settings, run
from llamalog_service.domain.errors import LlamalogError
from llamalog_service.queries.entities import EntityRef
from llamalog_service.queries.lineages import lineage_trees
from llamalog_service.queries.timeline import Timeline
from llamalog_service.settings import DatabaseSettings
from llamalog_service.styles import printable

Orphans = Annotated[
    bool, typer.Option("--orphans/--no-orphans", help="Also rows that name it and have no known root.")
]

Jobs = Annotated[
    bool, typer.Option("--jobs", help="Also the names of the jobs, which `tree` and `chain` take.")
]


class UnknownEntityError(LlamalogError):
    """The log has no row about that entity."""

    def __init__(self, entity: EntityRef) -> None:
        what = entity.type.lower()
        super().__init__(
            f"The log knows no {what} {entity.id}. Check the id, and what it is the id of; its event may not "
            "be read yet."
        )


def timeline(
    entity_type: Entity,
    entity_id: EntityId,
    *,
    orphans: Orphans = True,
    jobs: Jobs = False,
    limit: Limit = 1000,
    as_json: Json = False,
) -> None:
    """Show how an album, an artist or a track got into the database, and what happened to it afterwards."""
    entity = EntityRef(type=entity_type, id=entity_id)
    found = run(_read(read_database_settings(), entity, orphans=orphans, limit=limit))
    if as_json:
        print_json(found)
    else:
        console.print(timeline_tree(found, with_jobs=jobs))


async def _read(settings: DatabaseSettings, entity: EntityRef, *, orphans: bool, limit: int) -> Timeline:
    async with open_log(settings) as reader:
        found = await whole_timeline(reader, entity, include_orphans=orphans, limit=limit)
    if not found.entries:
        raise UnknownEntityError(entity)
    return found


def timeline_tree(timeline: Timeline, *, with_jobs: bool = False) -> Drawn:
    """A timeline as the trees of its jobs, whose names may be told too."""
    name = printable(timeline.name or f"the {timeline.entity.type.lower()}")
    title = Text.assemble(
        "The timeline of ", (name, "bold"), (f"  {timeline.entity.type} {timeline.entity.id}", "dim")
    )
    tops = lineage_trees(timeline.entries, timeline.parents)
    return lineages(title, timeline, tops, things="entries", with_jobs=with_jobs)
