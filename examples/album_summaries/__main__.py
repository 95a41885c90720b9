"""Keep the summaries until stopped; after a crash, too, the next start resumes.

python -m album_summaries --kafka 127.0.0.1:9092 --file summaries.sqlite
"""

import argparse
import asyncio
from pathlib import Path

from album_summaries.store import SummaryStore
from llamalog_schemas.consumer import Beginning, ProvenanceConsumer, Stored


async def keep_summaries(kafka: str, topic: str, file: Path, *, replay: bool) -> None:
    """Follow the topic; a replay reads all of it again, over what the file holds."""
    store = SummaryStore(file)
    start = Beginning() if replay else Stored(store.positions)
    # No group: this is the only reader of its file, and the file holds the positions.
    async with ProvenanceConsumer(kafka, group=None, topic=topic, start=start, revisions=store) as changes:
        async for change in changes:
            store.apply(change)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True, help="bootstrap servers, host:port")
    parser.add_argument("--topic", default="llamalog.provenance")
    parser.add_argument("--file", required=True, type=Path)
    parser.add_argument("--replay", action="store_true", help="read the topic again from its beginning")
    options = parser.parse_args()
    asyncio.run(keep_summaries(options.kafka, options.topic, options.file, replay=options.replay))
