"""Dead letters as they are printed, for people and as JSON."""

from collections.abc import Iterator
from typing import Any

from rich.text import Text

from llamalog_service.kafka.dead_letters import StoredDeadLetter
from llamalog_service.styles import printable

_SHORT = 60
_LONGEST_SENTENCE = 300
_SHOWN_BYTES = 8 * 1024
_BYTES_A_LINE = 16


def letter_in_brief(letter: StoredDeadLetter) -> Text:
    """Two lines: when, why, from where and how large; then what is wrong."""
    line = Text.assemble((f"{letter.kept_at:%Y-%m-%d %H:%M:%S}", "dim"), "  ")
    line.append(f"{printable(letter.reason):20}", "red")
    line.append(f"  {where_of(letter)}  ", "bold")
    line.append(f"{len(letter.value or b''):,} bytes, key {_brief(letter.key)}")
    if letter.truncated is not None:
        line.append("  cut", "yellow")
    return line.append(f"\n  {printable(letter.sentence)[:_LONGEST_SENTENCE]}", "dim")


def where_of(letter: StoredDeadLetter) -> str:
    """Its coordinates as the commands take them."""
    return printable(str(letter.came_from)) if letter.came_from is not None else "(nobody knows)"


def letter_lines(letter: StoredDeadLetter, *, in_hex: bool, in_full: bool) -> Iterator[Text]:
    """Everything about a letter; bytes as text where they are text, else in hex."""
    facts = {
        "reason": letter.reason,
        "what is wrong": letter.sentence,
        "where it was read": where_of(letter),
        "letter": f"{letter.position}, since {letter.kept_at:%Y-%m-%d %H:%M:%S} UTC",
    }
    if letter.truncated is not None:
        facts["cut"] = f"only {letter.truncated} were kept"
    for name, said in facts.items():
        yield Text.assemble((f"{name:18}", "bold"), printable(said))
    yield from _bytes_lines("key", letter.key, in_hex=in_hex, in_full=in_full)
    for name, content in letter.headers:
        yield from _bytes_lines(f"header {printable(name)}", content, in_hex=in_hex, in_full=in_full)
    yield from _bytes_lines("value", letter.value, in_hex=in_hex, in_full=in_full)


def letter_as_json(letter: StoredDeadLetter, *, with_value: bool) -> dict[str, Any]:
    """A letter for programs: bytes as text where they are UTF-8, else as hex; null stays null."""
    came_from = letter.came_from
    told: dict[str, Any] = {
        "where": str(came_from) if came_from is not None else None,
        "letter": str(letter.position),
        "keptAt": letter.kept_at.isoformat(),
        "reason": letter.reason,
        "error": letter.sentence,
        "truncated": letter.truncated,
        "key": bytes_as_json(letter.key),
        "valueBytes": None if letter.value is None else len(letter.value),
    }
    if with_value:
        told["headers"] = [{"name": name, **bytes_as_json(content)} for name, content in letter.headers]
        told["value"] = bytes_as_json(letter.value)
    return told


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
    shown = content if in_full else content[:_SHOWN_BYTES]
    text = None if in_hex else _as_text(content)
    if text is not None:
        # What is cut may end within a character.
        yield heading.append(printable(text if in_full else shown.decode(errors="ignore"), keep="\n\t"))
    else:
        yield heading.append(f"{len(content):,} bytes, in hex", "dim")
        yield from (Text(line) for line in hex_lines(shown))
    if len(shown) < len(content):
        yield Text(f"… {len(content) - len(shown):,} bytes more; --full shows all", "yellow")


def hex_lines(content: bytes) -> Iterator[str]:
    """Offset, bytes, and what of them is ASCII."""
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
    return brief if len(brief) <= _SHORT else f"{brief[:_SHORT]}…"
