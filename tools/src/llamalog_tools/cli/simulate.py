"""`llamalog-dev simulate`."""

from rich.progress import Progress

from llamalog_service.cli.progress import progress_bar
from llamalog_service.cli.runtime import TIMEOUT, console, read_settings, run
from llamalog_service.kafka.topic_checks import require_fit_topics
from llamalog_service.settings import Settings
from llamalog_tools.cli.options import Albums, Bad, Duplicates, Late, Seed
from llamalog_tools.demo.publish import Played, Sample, play_sample


def simulate(
    albums: Albums = 68,
    late: Late = 0.05,
    duplicates: Duplicates = 0.01,
    bad: Bad = 0.001,
    seed: Seed = 7,
) -> None:
    """Play a day of the sample catalogue into Kafka."""
    sample = Sample(albums, late, duplicates, bad, seed)
    played = run(_play(read_settings(), sample))
    console.print(summary_of(played, sample.albums), soft_wrap=True)


async def _play(settings: Settings, sample: Sample) -> Played:
    await require_fit_topics(settings, timeout=TIMEOUT)
    with albums_bar() as bar:
        task = bar.add_task("playing the sample", total=sample.albums)

        def show(_: Played) -> None:
            bar.update(task, completed=len(sample.created_albums))

        return await play_sample(settings, sample.messages(), progress=show, timeout=TIMEOUT)


def albums_bar() -> Progress:
    """A progress bar over the albums of a sample."""
    return progress_bar("albums")


def summary_of(played: Played, albums: int) -> str:
    """The counts of a play, as a sentence."""
    return (
        f"Played {played.messages:,} messages of {albums:,} albums: {played.events:,} events "
        f"({played.late:,} of them after a child's), {played.duplicates:,} duplicates, "
        f"{played.bad:,} that are no valid event."
    )
