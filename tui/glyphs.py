"""Which characters a terminal can draw, and what stands in for those it cannot.

Screens are written with all characters; a filter on the way to the terminal replaces what the chosen level
has not. Only waves and big digits ask for the level, because they draw differently.
"""

import os
import unicodedata
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter


class Level(StrEnum):
    """What the terminal's font has."""

    BRAILLE = "braille"
    """Everything: foot, xterm, tmux in a desktop's terminal."""
    BOX = "box"
    """Lines, boxes and Latin letters, no braille and no half blocks: the Linux console."""
    ASCII = "ascii"
    """Letters, digits and signs of ASCII only."""


_CONSOLE: Final = str.maketrans(
    {"₂": "2", "⇅": "↑", "◆": "♦", "✓": "■", "▏": "│", "\u00a0": " ", "\u202f": " "}
)
"""What Lat15-Terminus16 has not; a test compares every screen with that font's table."""
_FROM: Final = "₂⇅◆✓●↑↓→▲▼■▶…–—’‘«»·•°±œŒ≤≥×≈"  # noqa: RUF001  what is replaced
_TO: Final = "2^*+o^v>Av#>~--''\"\"..o+oO<>x~"
_ASCII: Final = {
    **dict.fromkeys("─━╌╶╴╺╸", "-"),
    **dict.fromkeys("│┃╵╷╹╻▏", "|"),
    **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+"),
    **dict.fromkeys("\u00a0\u202f", " "),
    **dict(zip(_FROM, _TO, strict=True)),
}  # each one cell wide, so that no line changes its length


def level_of(environment: Mapping[str, str]) -> Level:
    """The level to assume of a terminal until a person says otherwise."""
    term = environment.get("TERM", "")
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    if term in {"", "dumb", "vt100", "vt102", "vt220"}:
        return Level.ASCII
    if term.startswith("linux"):
        return Level.BOX
    if locale and "." in locale and "utf" not in locale.lower():
        return Level.ASCII
    return Level.BRAILLE


def of_this_terminal() -> Level:
    return level_of(os.environ)


@lru_cache(maxsize=4096)
def drawable(text: str, level: Level) -> str:
    """The text in characters of the level, as wide as it was."""
    if level is Level.BRAILLE or text.isascii():
        return text
    if level is Level.BOX:
        return text.translate(_CONSOLE)
    return "".join(_ascii(character) for character in text)


def _ascii(character: str) -> str:
    if character.isascii():
        return character
    known = _ASCII.get(character)
    if known is not None:
        return known
    plain = unicodedata.normalize("NFKD", character)[0]
    return plain.ljust(cell_len(character)) if plain.isascii() else "?" * cell_len(character)


class LevelFilter(LineFilter):
    """Replaces, on the way to the terminal, what it cannot draw."""

    def __init__(self, level: Level) -> None:
        super().__init__()
        self._level = level

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [Segment(drawable(text, self._level), style, control) for text, style, control in segments]
