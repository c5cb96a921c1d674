"""What both ends of a courier stick say of what they refuse; `docs/reference/courier.md` holds the table."""

import sys
from collections.abc import Callable, Mapping
from typing import Final

from edge.spool.stick import Odd

_DAMAGED: Final = "Repeat the whole way with another stick; nothing is removed before it has arrived."
_STRANGER: Final = "Leave it; nothing of it is used. Ask where the stick has been."

REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    Odd.NO_FILE.value: ("A link, a folder, a pipe or a device where a file should be.", _STRANGER),
    Odd.TOO_LARGE.value: ("Larger than such a file can be.", _STRANGER),
    Odd.UNREADABLE.value: ("It cannot be read from the stick.", _DAMAGED),
    "unit-unknown": (
        "From a unit that is not enrolled here.",
        "Enrol it with qafila central enrol and import again, or take the stick to its own centre.",
    ),
    "unit": ("It names another unit than the folder it lies in.", _STRANGER),
    "topic": ("It holds something else than its name says.", _STRANGER),
    "kid": (
        "Signed with another key than the one that is known.",
        "Ask whether unit or centre was set up anew, and enrol again if so.",
    ),
    "signature": ("Its signature does not fit.", _DAMAGED),
    "realm": ("It belongs to the other realm.", "Training and production never mix: use another stick."),
    "version": ("It begins with a version byte that this program does not read.", "Update this program."),
    "form": ("It is damaged, cut short, or not what its name says.", _DAMAGED),
    "generation": (
        "Signed for a generation of the centre that this unit does not know.",
        "Ask the centre for a new bundle.",
    ),
}
"""Sentence and next step of each code; nothing of a refused file is used."""


def refusals(refused: Mapping[str, int]) -> list[str]:
    """A line for each code."""
    lines: list[str] = []
    for code, n in sorted(refused.items()):
        sentence, next_step = REFUSED.get(code, ("It is not in the form that is accepted.", _DAMAGED))
        lines.append(f"{n} refused: {sentence} Next: {next_step} (code: {code})")
    return lines


def counting(what: str) -> Callable[..., None]:
    """Shows on a terminal how far it is: ``show(done)`` or ``show(done, of)``."""

    def show(done: int, of: int | None = None) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{what}: {done}{'' if of is None else f' of {of}'}", end="", file=sys.stderr)
            if done == of:
                print("\r\033[K", end="", file=sys.stderr)

    return show
