"""Whether two entries may be one person: what is proposed before somebody is entered a second time. Pure.

A proposal costs a glance, a patient with two histories costs more, so it is generous: names nearly alike in
any order, unless the birth or the sex speaks against it; or the same telephone and names half alike, for a
family shares one. Only a person decides.
"""

import dataclasses
import difflib
from typing import Final

from edge.records.names import PersonName
from edge.store.normalise import normalise, normalise_identifier

ALIKE: Final = 0.78
"""Of names, so much: ``Fatima``/``Fatema``, ``Aït Ali``/``Ait-Aly``, a family name before or after."""
ALIKE_WITH_PHONE: Final = 0.5
YEARS_APART: Final = 2
"""Years of birth are often told by guess."""
PROPOSED: Final = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Traits:
    """What tells one person from another.

    Attributes:
        family, given: in Latin letters, or in whatever ones they were typed.
        birth: YYYY, YYYY-MM or YYYY-MM-DD.
        phone: however its digits are grouped.
    """

    family: str
    given: str
    sex: str = "unknown"
    birth: str | None = None
    phone: str | None = None
    family_arabic: str = ""
    given_arabic: str = ""

    @property
    def spellings(self) -> tuple[tuple[str, str], ...]:
        """(family, given) in every script in which they are known."""
        return PersonName(self.family, self.given, self.family_arabic, self.given_arabic).spellings


def likeness(one: Traits, other: Traits) -> float:
    """From 0 to 1 how much two may be one person; 0 where something speaks against it."""
    if not _sexes_fit(one.sex, other.sex) or not _births_fit(one.birth, other.birth):
        return 0.0
    names = max(
        (
            difflib.SequenceMatcher(None, _words(*mine), _words(*theirs), autojunk=False).ratio()
            for mine in one.spellings
            for theirs in other.spellings
        ),
        default=0.0,
    )
    same_phone = one.phone is not None and other.phone is not None and _digits(one) == _digits(other)
    return names if names >= (ALIKE_WITH_PHONE if same_phone else ALIKE) else 0.0


def _words(family: str, given: str) -> str:
    return " ".join(sorted(normalise(f"{family} {given}").split()))


def _digits(traits: Traits) -> str:
    return normalise_identifier(traits.phone or "")


def _sexes_fit(one: str, other: str) -> bool:
    return one == other or "unknown" in {one, other}


def _births_fit(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return True
    if len(one) == len(other) == len("YYYY-MM-DD") and one[:4] != other[:4]:
        # Two whole dates: one digit of the year may be mistyped, no more.
        return one[4:] == other[4:] and sum(a != b for a, b in zip(one, other, strict=True)) == 1
    if len(one) == len(other) == len("YYYY-MM-DD"):
        swapped = f"{one[:4]}-{one[8:]}-{one[5:7]}"
        return swapped == other or sum(a != b for a, b in zip(one, other, strict=True)) <= 2
    return abs(int(one[:4]) - int(other[:4])) <= YEARS_APART
