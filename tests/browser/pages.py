"""Every page that there is, over the story; and how a link to a job is written."""

from urllib.parse import quote, urlencode
from uuid import UUID

from browser.scene import Scene
from browser.story import HOSTILE, HOSTILE_ENTITY, HOSTILE_ROOT, LEMONADE, ROOT_JOB

_HOSTILE_ROWS = "SELECT id FROM llama_logs WHERE entity_id = $1 OR album_id = $1 ORDER BY id"
_RUNS = "SELECT id FROM backfill_runs WHERE kind = 'backfill-roots' ORDER BY requested_at DESC LIMIT 2"


def job_page(job: str) -> str:
    """The page of a job."""
    return f"/ui/jobs?job={quote(job, safe='')}"


def explanation_page(job: str) -> str:
    """The page that explains the root of a job."""
    return f"/ui/explanation?job={quote(job, safe='')}"


async def all_pages(scene: Scene) -> dict[str, str]:
    """Paths by a name for each kind of page."""
    runs = [record["id"] for record in await scene.pool.fetch(_RUNS)]
    return {
        "root jobs": "/ui",
        "logs": "/ui/logs",
        "logs, nothing found": f"/ui/logs?{urlencode({'job': 'no-such-job'})}",
        "album": f"/ui/entities/ALBUM/{LEMONADE[1]}",
        "job": job_page(ROOT_JOB),
        "next jobs": f"{job_page(ROOT_JOB)}&view=next",
        "row": f"/ui/logs/{(await _hostile_rows(scene))[0]}",
        "explained row": f"/ui/logs/{(await _hostile_rows(scene))[0]}/explanation",
        "explained job": explanation_page(ROOT_JOB),
        "job as of now": f"{job_page(ROOT_JOB)}&asOf=0s",
        "unknown origins": "/ui/unknown-origins",
        "waiting jobs": "/ui/waiting-jobs",
        "overrides": "/ui/overrides",
        "rival parents": "/ui/conflicts",
        "declarations": "/ui/conflicts?kind=declarations",
        "cycles": "/ui/conflicts?kind=cycles",
        "dead letters": "/ui/dead-letters",
        "backfills": "/ui/backfills",
        **{f"backfill {number}": f"/ui/backfills/{run}" for number, run in enumerate(runs)},
        "health": "/ui/health",
    }


async def hostile_pages(scene: Scene) -> list[str]:
    """Paths of all pages on which the hostile words are to be seen, or were requested."""
    named = ("child", "rival", "waits", "never seen", "a", "legacy")
    fields = ("operation", "source", "error", "job", "root", "user", "since", "entityId")
    return [
        "/ui",
        f"/ui?{urlencode({'q': HOSTILE, 'user': HOSTILE})}",
        f"/ui/entities/ALBUM/{HOSTILE_ENTITY[1]}",
        f"/ui/entities/ALBUM/{HOSTILE_ENTITY[1]}?order=time",
        job_page(HOSTILE_ROOT),
        *[job_page(f"{HOSTILE} {name}") for name in named],
        f"{job_page(HOSTILE_ROOT)}&view=next",
        *[explanation_page(f"{HOSTILE} {name}") for name in named],
        f"/ui/explanation?{urlencode({'job': HOSTILE})}",
        f"/ui/entities/ALBUM/{HOSTILE_ENTITY[1]}?{urlencode({'asOf': HOSTILE})}",
        "/ui/logs",
        f"/ui/logs?{urlencode(dict.fromkeys(fields, HOSTILE))}",
        *[f"/ui/logs/{row}" for row in await _hostile_rows(scene)],
        *[f"/ui/logs/{row}/explanation" for row in await _hostile_rows(scene)],
        f"/ui/find?{urlencode({'q': HOSTILE})}",
        "/ui/waiting-jobs",
        "/ui/overrides",
        *[f"/ui/conflicts?kind={kind}" for kind in ("parents", "declarations", "cycles")],
        "/ui/dead-letters",
        f"/ui/dead-letters?{urlencode({'reason': HOSTILE, 'topic': HOSTILE, 'since': HOSTILE})}",
        f"/ui/entities/{quote(HOSTILE, safe='')}/{quote(HOSTILE, safe='')}",
        job_page(f"{HOSTILE} unknown"),
        f"/ui/backfills/{quote(HOSTILE, safe='')}",
        f"/ui/{quote(HOSTILE, safe='')}",
    ]


async def _hostile_rows(scene: Scene) -> list[UUID]:
    return [record["id"] for record in await scene.pool.fetch(_HOSTILE_ROWS, HOSTILE_ENTITY[1])]
