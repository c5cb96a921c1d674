"""A page of the tutorials, taken apart: the files it shows, the commands, and what they answer."""

import dataclasses
import re
from pathlib import Path
from typing import Final

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAME: Final = re.compile(r"\*\*`([^`]+)`\*\*[^\n]*\n\n\Z")
_SHELL: Final = "console"
_SHOWN: Final = "text"


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """Text of a file; of one that is there already, its end."""

    path: str
    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Command:
    """A command line, and what the page shows of its answer: ``…`` stands for anything."""

    words: str
    shown: str

    def answers(self, said: str) -> bool:
        """Whether what was said is what the page shows."""
        return re.fullmatch(_pattern(self.shown), said.rstrip("\n"), re.DOTALL) is not None


@dataclasses.dataclass(frozen=True, slots=True)
class Screen:
    """Lines that are on the screen; ``…`` as in a command's answer."""

    lines: tuple[str, ...]

    def shows(self, seen: str) -> bool:
        """Whether every line is there."""
        return all(re.search(_pattern(line), seen) for line in self.lines)


Step = File | Command | Screen


def read(page: Path) -> list[Step]:
    """Every block of code of a page, in order.

    Raises:
        ValueError: a block of which it is not clear what it is.
    """
    text = page.read_text()
    steps: list[Step] = []
    for fence in _FENCE.finditer(text):
        language, block = fence[1], fence[2]
        if language == _SHELL:
            steps += _commands(block)
        elif language == _SHOWN:
            steps.append(Screen(tuple(block.splitlines())))
        elif (named := _NAME.search(text[: fence.start()])) is not None:
            steps.append(File(named[1], block))
        else:
            raise ValueError(f"a block without a name: {block[:40]!r}")
    return steps


def _commands(block: str) -> list[Command]:
    before, *parts = re.split(r"^\$ ", block, flags=re.MULTILINE)
    if before:
        raise ValueError(f"an answer without a command: {before[:40]!r}")
    return [
        Command(words, shown.rstrip("\n")) for words, _, shown in (part.partition("\n") for part in parts)
    ]


def _pattern(shown: str) -> str:
    return ".*".join(re.escape(part) for part in shown.split("…"))
