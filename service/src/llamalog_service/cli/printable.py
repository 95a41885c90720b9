"""What others wrote, made fit for a terminal."""


def printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )
