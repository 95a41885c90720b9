"""Start one of the two services; both run until stopped, and resume after a crash.

python -m album_import catalogue --kafka 127.0.0.1:9092 --database postgresql+asyncpg://… --albums 100
python -m album_import enricher --kafka 127.0.0.1:9092
"""

import argparse
import asyncio

from album_import import catalogue, enricher


def some_albums(number: int) -> list[tuple[str, str]]:
    """Titles with their artists, some of whom made several albums."""
    return [(f"Album {count}", f"Artist {count % 7}") for count in range(number)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("service", choices=["catalogue", "enricher"])
    parser.add_argument("--kafka", required=True, help="bootstrap servers, host:port")
    parser.add_argument("--prefix", default="llamalog.", help="what the names of the topics begin with")
    parser.add_argument("--database", help="of the catalogue")
    parser.add_argument("--albums", type=int, default=20, help="how many the catalogue adds")
    options = parser.parse_args()
    if options.service == "enricher":
        asyncio.run(enricher.run(options.kafka, options.prefix))
    elif options.database is None:
        parser.error("the catalogue needs a --database")
    else:
        albums = some_albums(options.albums)
        asyncio.run(catalogue.run(options.kafka, options.database, options.prefix, albums))
