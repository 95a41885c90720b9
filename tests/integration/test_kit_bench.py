"""The kit's bench runs and measures what it says; how fast it was here is not the question."""

from bench.kit import IMPORT_SECONDS_BAR, MICROSECONDS_BAR, RATIO_BAR, Figures, measure
from llamalog_service.settings import Settings


async def test_the_bench_times_saying_beside_sending(settings: Settings) -> None:
    figures = await measure(settings.kafka, settings.topic_prefix, rounds=1)
    assert 500 < figures.value_bytes < 800
    assert figures.ratio == figures.saying / figures.sending > 0
    assert min(figures.importing.values()) > 0


def test_each_bar_counts() -> None:
    kept = Figures(MICROSECONDS_BAR, MICROSECONDS_BAR / RATIO_BAR, 650, {"a": IMPORT_SECONDS_BAR})
    assert kept.bars_kept
    assert not kept._replace(saying=MICROSECONDS_BAR + 1).bars_kept
    assert not kept._replace(sending=kept.sending - 1).bars_kept
    assert not kept._replace(importing={"a": 0.1, "b": IMPORT_SECONDS_BAR + 0.1}).bars_kept
