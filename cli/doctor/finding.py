"""What a check finds: pass, warn or fail, what was seen, and what to do next."""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from edge.errors import QafilaError
from edge.i18n.catalogue import load

WITHHELD: Final = "…"


class Result(StrEnum):
    """The judgement. What is not known is a warning."""

    PASS = "pass"  # noqa: S105  a judgement
    WARN = "warn"
    FAIL = "fail"


class Word(str):
    """A word of the program itself, such as a code or a version: it says nothing about anybody."""

    __slots__ = ()


EXITS: Final[Mapping[Result, int]] = {Result.PASS: 0, Result.WARN: 1, Result.FAIL: 2}


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """One check's answer.

    Attributes:
        text: what was seen, with blanks for what belongs to this unit.
        step: what to do next, the same; empty after a pass.
        said: what the blanks hold. Numbers and `Word` may leave the unit in a support file, nothing else.
    """

    name: str
    result: Result
    text: str
    step: str = ""
    said: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object])

    def shown(self) -> dict[str, str]:
        """For the technician who stands in front of the unit."""
        return self._filled(str)

    def redacted(self) -> dict[str, str]:
        """For people elsewhere: no name, place, port or address of this unit."""
        return self._filled(lambda value: str(value) if type(value) in {int, float, Word} else WITHHELD)

    def _filled(self, form: Callable[[object], str]) -> dict[str, str]:
        blanks = {name: form(value) for name, value in self.said.items()}
        return {
            "name": self.name,
            "result": self.result.value,
            "detail": self.text.format_map(blanks),
            "next": self.step.format_map(blanks),
        }


def passed(name: str, text: str, /, **said: object) -> Finding:
    return Finding(name, Result.PASS, text, said=said)


def warned(name: str, text: str, step: str, /, **said: object) -> Finding:
    return Finding(name, Result.WARN, text, step, said)


def failed(name: str, text: str, step: str, /, **said: object) -> Finding:
    return Finding(name, Result.FAIL, text, step, said)


def troubled(name: str, error: QafilaError, /) -> Finding:
    """A failure that another part of the program has words for; those may name a place, so they stay here."""
    return failed(
        name,
        "{sentence} ({code})",
        "{step}",
        sentence=error.sentence,
        step=error.next_step,
        code=code(error.stable_code),
    )


def code(word: str) -> str:
    """A stable code as a word of the program, if it is one; else as it is."""
    return Word(word) if word in _known_codes() else word


@functools.cache
def _known_codes() -> frozenset[str]:
    """The stable codes that have words; none of them was made up by somebody."""
    return frozenset(each.split(".")[1] for each in load("en").codes if each.startswith("error."))


def exit_status(findings: Iterable[Finding]) -> int:
    """0, 1 or 2 by the worst finding."""
    return max((EXITS[finding.result] for finding in findings), default=0)
