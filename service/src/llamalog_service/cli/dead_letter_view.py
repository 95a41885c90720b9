"""Dead letters rendered for a terminal and as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from llamalog_service.cli.rendering import shown
from llamalog_service.kafka.dead_letters import StoredDeadLetter
from llamalog_service.telemetry.logging import printable

_MAX_KEY = 60
_MAX_SENTENCE = 300
_MAX_BYTES = 8 * 1024
_BYTES_A_LINE = 16


def dead_letter_in_brief(dead_letter: StoredDeadLetter) -> Text:
    """Two lines: time, reason, coordinates and size; then the fault."""
    line = Text.assemble((f"{dead_letter.kept_at:%Y-%m-%d %H:%M:%S}", "dim"), "  ")
    line.append(f"{shown(dead_letter.reason):20}", "red")
    line.append(f"  {shown(coordinates_of(dead_letter))}  ", "bold")
    line.append(f"{len(dead_letter.value or b''):,} bytes, key {_brief(dead_letter.key)}")
    if dead_letter.truncated is not None:
        line.append("  cut", "yellow")
    return line.append(f"\n  {printable(dead_letter.sentence[:_MAX_SENTENCE])}", "dim")


def coordinates_of(dead_letter: StoredDeadLetter) -> str:
    """The coordinates of the message, in the form that the commands take."""
    return printable(str(dead_letter.came_from)) if dead_letter.came_from is not None else "(unknown)"


def dead_letter_lines(dead_letter: StoredDeadLetter, *, in_hex: bool, in_full: bool) -> Iterator[Text]:
    """All fields of a dead letter; bytes as text if they are UTF-8, else in hex."""
    facts = {
        "reason": dead_letter.reason,
        "what is wrong": dead_letter.sentence,
        "where it was read": coordinates_of(dead_letter),
        "producer": dead_letter.producer or "(not readable)",
        "dead letter": f"{dead_letter.position}, since {dead_letter.kept_at:%Y-%m-%d %H:%M:%S} UTC",
    }
    if dead_letter.truncated is not None:
        facts["cut"] = f"only {dead_letter.truncated} were kept"
    for name, fact in facts.items():
        yield Text.assemble((f"{name:18}", "bold"), printable(fact))
    yield from _bytes_lines("key", dead_letter.key, in_hex=in_hex, in_full=in_full)
    for name, content in dead_letter.headers:
        yield from _bytes_lines(f"header {printable(name)}", content, in_hex=in_hex, in_full=in_full)
    yield from _bytes_lines("value", dead_letter.value, in_hex=in_hex, in_full=in_full)


def dead_letter_as_json(dead_letter: StoredDeadLetter, *, with_value: bool) -> dict[str, Any]:
    """A dead letter for programs: bytes as text if they are UTF-8, else as hex; null stays null."""
    came_from = dead_letter.came_from
    fields: dict[str, Any] = {
        "where": str(came_from) if came_from is not None else None,
        "position": str(dead_letter.position),
        "keptAt": dead_letter.kept_at.isoformat(),
        "reason": dead_letter.reason,
        "error": dead_letter.sentence,
        "producer": dead_letter.producer,
        "truncated": dead_letter.truncated,
        "key": bytes_as_json(dead_letter.key),
        "valueBytes": None if dead_letter.value is None else len(dead_letter.value),
    }
    if with_value:
        fields["headers"] = [
            {"name": name, **bytes_as_json(content)} for name, content in dead_letter.headers
        ]
        fields["value"] = bytes_as_json(dead_letter.value)
    return fields


def bytes_as_json(content: bytes | None) -> dict[str, str | None]:
    """``{"text": …}``, ``{"hex": …}`` if it is no UTF-8, ``{"text": null}`` for null."""
    text = _as_text(content or b"")
    if content is None or text is not None:
        return {"text": None if content is None else text}
    return {"hex": content.hex()}


def _bytes_lines(name: str, content: bytes | None, *, in_hex: bool, in_full: bool) -> Iterator[Text]:
    heading = Text.assemble((f"{name:18}", "bold"))
    if content is None:
        yield heading.append("null", "dim")
        return
    shown = content if in_full else content[:_MAX_BYTES]
    text = None if in_hex else _as_text(content)
    if text is not None:
        # A cut may fall within a character.
        yield heading.append(printable(text if in_full else shown.decode(errors="ignore"), keep="\n\t"))
    else:
        yield heading.append(f"{len(content):,} bytes, in hex", "dim")
        yield from (Text(line) for line in hex_lines(shown))
    if len(shown) < len(content):
        yield Text(f"… {len(content) - len(shown):,} bytes more; --full shows all", "yellow")


def hex_lines(content: bytes) -> Iterator[str]:
    """Lines of a hex dump: offset, bytes, ASCII."""
    for start in range(0, len(content), _BYTES_A_LINE):
        line = content[start : start + _BYTES_A_LINE]
        ascii_text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
        yield f"  {start:08x}  {line.hex(' '):<{3 * _BYTES_A_LINE}} {ascii_text}"


def _as_text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _brief(content: bytes | None) -> str:
    if content is None:
        return "null"
    text = _as_text(content)
    brief = printable(text) if text is not None else content.hex()
    return brief if len(brief) <= _MAX_KEY else f"{brief[:_MAX_KEY]}…"
