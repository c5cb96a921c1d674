"""A field that digits fill in: what is chosen stands beside its name."""

from collections.abc import Sequence
from typing import ClassVar, Final

from textual.widgets import Static

from tui import theme
from tui.widgets.flow import Part, content, flow

LABEL_WIDTH: Final = 14


class Choice(Static, can_focus=True):
    """One of some options, or any number of them.

    Args:
        label: what it is.
        options: the words of each; the first is chosen by 1.
        several: digits mark and unmark.
    """

    DEFAULT_CSS: ClassVar[str] = f"""
    Choice {{ height: auto; background: #263238; }}
    Choice:focus {{ background: #37474f; text-style: bold; }}
    Choice.-wrong {{ color: {theme.NOTICE}; }}
    """

    def __init__(self, label: str, options: Sequence[str], *, several: bool = False, id: str) -> None:  # noqa: A002  Textual's own name
        super().__init__("", id=id)
        self._label = label
        self._options = list(options)
        self._several = several
        self.chosen: set[int] = set()
        self.said = ""

    @property
    def one(self) -> int | None:
        """The digit that is chosen."""
        return next(iter(self.chosen), None)

    @property
    def several(self) -> bool:
        return self._several

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def offer(self, options: Sequence[str], chosen: set[int]) -> None:
        """Other options, so many of them chosen."""
        self._options, self.chosen = list(options), chosen
        self.redraw()

    def choose(self, digit: int) -> bool:
        """Take a digit; whether there is such an option."""
        if not 1 <= digit <= len(self._options):
            return False
        self.chosen = self.chosen ^ {digit} if self._several else {digit}
        self.said = ""
        self.redraw()
        return True

    def say(self, words: str) -> None:
        """Words beside what is chosen: from when it is, as an instance."""
        self.said = words
        self.redraw()

    def hint(self) -> list[Part]:
        """What each digit means."""
        return [Part(f"{digit} {words}") for digit, words in enumerate(self._options, 1)]

    def redraw(self) -> None:
        width = max(LABEL_WIDTH + 10, self.size.width or self.app.size.width - 2)
        if self._several:
            words = [
                Part(f"[{'x' if digit in self.chosen else ' '}] {digit} {option}")
                for digit, option in enumerate(self._options, 1)
            ]
        else:
            words = [Part(f"{digit} {self._options[digit - 1]}") for digit in sorted(self.chosen)]
        words += [Part(self.said, theme.LABEL)] if self.said else []
        lines = flow(words, width - LABEL_WIDTH - 2)
        shown = [
            [Part((self._label if at == 0 else "").ljust(LABEL_WIDTH), theme.LABEL), *line]
            for at, line in enumerate(lines)
        ]
        self.update(content(shown))
