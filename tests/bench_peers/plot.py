"""The plot, as SVG: a bar for each contender's events a second, and one for the CPU time of an event.

Both axes are logarithmic: the contenders lie two orders of magnitude apart.
"""

from collections.abc import Iterator, Sequence
from html import escape
from math import floor, log10

from bench_peers.own import SERVICE
from bench_peers.report import Line

_WIDTH, _LABELS, _PANEL, _GAP, _ROW, _BAR, _TOP = 1080, 330, 330, 45, 26, 15, 54
_INK, _FAINT, _OURS, _THEIRS = "#222222", "#d8d8d8", "#5e35b1", "#9aa3ad"


def plot(figures: Sequence[Line]) -> str:
    """The plot of these figures, from the fastest to the slowest."""
    ordered = sorted(figures, key=lambda line: -line.rate)
    height = _TOP + _ROW * len(ordered) + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12">',
        "<title>Events a second, and CPU time of an event, by contender</title>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        *_labels(ordered),
        *_panel("events a second", _LABELS, [line.rate for line in ordered], ordered),
        *_panel(
            "CPU µs an event, all processes (less is better)",
            _LABELS + _PANEL + _GAP,
            [line.all_cpu for line in ordered],
            ordered,
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _labels(ordered: Sequence[Line]) -> Iterator[str]:
    for row, line in enumerate(ordered):
        weight = ' font-weight="bold"' if line.contender == SERVICE else ""
        yield (
            f'<text x="{_LABELS - 10}" y="{_middle(row) + 4}" text-anchor="end" fill="{_INK}"{weight}>'
            f"{escape(_short(line.contender))}</text>"
        )


def _panel(title: str, left: int, values: Sequence[float], ordered: Sequence[Line]) -> Iterator[str]:
    lowest = floor(log10(min(values)))
    highest = log10(max(values)) + 0.25  # leaves room for the figure behind the longest bar
    bottom = _TOP + _ROW * len(values)

    def along(value: float) -> float:
        return (log10(value) - lowest) / (highest - lowest) * _PANEL

    yield f'<text x="{left}" y="18" fill="{_INK}" font-weight="bold">{escape(title)}</text>'
    for power in range(lowest, floor(highest) + 1):
        at = left + along(10**power)
        yield f'<line x1="{at:.1f}" y1="{_TOP - 8}" x2="{at:.1f}" y2="{bottom}" stroke="{_FAINT}"/>'
        yield f'<text x="{at:.1f}" y="{_TOP - 14}" text-anchor="middle" fill="{_INK}">{10**power:,}</text>'
    for row, (value, line) in enumerate(zip(values, ordered, strict=True)):
        colour = _OURS if line.contender == SERVICE else _THEIRS
        top, long = _middle(row) - _BAR / 2, max(along(value), 1.0)
        yield f'<rect x="{left}" y="{top}" width="{long:.1f}" height="{_BAR}" fill="{colour}"/>'
        yield f'<text x="{left + long + 5:.1f}" y="{_middle(row) + 4}" fill="{_INK}">{value:,.0f}</text>'


def _middle(row: int) -> float:
    return _TOP + _ROW * row + _ROW / 2


def _short(contender: str) -> str:
    return contender.replace("Kafka Connect + Debezium JDBC sink", "Connect + Debezium")
