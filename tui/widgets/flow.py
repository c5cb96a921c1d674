"""Lines of words that are never cut: what does not fit on a line goes to the next. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len, set_cell_size
from textual.content import Content

GAP: Final = 2


class Part(NamedTuple):
    """Words with their style; they stay together."""

    text: str
    style: str = ""


def flow(parts: Sequence[Part], width: int) -> list[list[Part]]:
    """The parts on as many lines as they need; a part wider than a line is shortened visibly."""
    lines: list[list[Part]] = [[]]
    used = 0
    for part in parts:
        fitting = Part(shortened(part.text, width), part.style)
        size = cell_len(fitting.text)
        if lines[-1] and used + GAP + size > width:
            lines.append([])
            used = 0
        used += size + (GAP if lines[-1] else 0)
        lines[-1].append(fitting)
    return lines


def content(lines: Sequence[Sequence[Part]]) -> Content:
    """The lines as a widget shows them."""
    made: list[Content] = []
    for line in lines:
        pieces: list[Content] = []
        for part in line:
            pieces += [Content(" " * GAP)] if pieces else []
            pieces.append(Content.styled(part.text, part.style) if part.style else Content(part.text))
        made.append(Content("").join(pieces))
    return Content("\n").join(made)


def wrapped(text: str, width: int) -> list[str]:
    """A text of any length on as many lines as it needs; its own line ends stay, and no letter is lost."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            joined = f"{line} {word}" if line else word
            if cell_len(joined) <= width:
                line = joined
                continue
            if line:
                lines.append(line)
            line = word
            while cell_len(line) > width:  # a word as long as that stands on several lines
                cut = max(1, len(set_cell_size(line, width).rstrip()))
                lines.append(line[:cut])
                line = line[cut:]
        lines.append(line)
    return lines


def shortened(text: str, width: int) -> str:
    """Words in at most so many cells. Never for numbers: those are shown whole or not at all."""
    if cell_len(text) <= width:
        return text
    return "" if width < 1 else set_cell_size(text, width - 1).rstrip() + "…"
