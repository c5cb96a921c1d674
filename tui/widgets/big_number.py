"""Digits three rows high, drawn with lines that every console font has."""

from typing import Final

HEIGHT: Final = 3

_GLYPHS: Final[dict[str, tuple[str, str, str]]] = {
    "0": ("┏━┓", "┃ ┃", "┗━┛"),
    "1": (" ┓ ", " ┃ ", " ┻ "),
    "2": ("╺━┓", "┏━┛", "┗━╸"),
    "3": ("╺━┓", " ━┫", "╺━┛"),
    "4": ("╻ ╻", "┗━┫", "  ╹"),
    "5": ("┏━╸", "┗━┓", "╺━┛"),
    "6": ("┏━╸", "┣━┓", "┗━┛"),
    "7": ("╺━┓", "  ┃", "  ╹"),
    "8": ("┏━┓", "┣━┫", "┗━┛"),
    "9": ("┏━┓", "┗━┫", "╺━┛"),
    "-": ("  ", "╺╸", "  "),
    "/": ("  ╱", " ╱ ", "╱  "),  # noqa: RUF001  a line drawn, no slash
    ".": (" ", " ", "●"),
    ",": (" ", " ", "●"),
}


def big(value: str) -> tuple[str, str, str] | None:
    """The three rows of a value, or None when a character has no big form."""
    if any(character not in _GLYPHS for character in value):
        return None
    glyphs = [_GLYPHS[character] for character in value]
    first, second, third = (" ".join(glyph[row] for glyph in glyphs) for row in range(HEIGHT))
    return first, second, third
