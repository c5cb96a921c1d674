"""A person's name in two scripts. Pure."""

import dataclasses
import re
from typing import Final

_ARABIC: Final = re.compile(
    "[\u0620-\u064a\u066e-\u06d3\u06fa-\u06ff\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc]"
)
_LATIN: Final = re.compile("[A-Za-z\u00aa\u00ba\u00c0-\u024f\u1e00-\u1eff]")


@dataclasses.dataclass(frozen=True, slots=True)
class PersonName:
    """Family and given name, in Latin letters, in Arabic ones, or in both; empty where not known."""

    family: str
    given: str
    family_arabic: str = ""
    given_arabic: str = ""

    @property
    def spellings(self) -> tuple[tuple[str, str], ...]:
        """(family, given) in every script in which something of it is known."""
        pairs = ((self.family, self.given), (self.family_arabic, self.given_arabic))
        return tuple(pair for pair in pairs if any(pair))

    @property
    def shown(self) -> tuple[str, str]:
        """(family, given) as a list shows them: in Latin letters where they are known."""
        return self.spellings[0] if self.spellings else ("", "")


def is_arabic(text: str) -> bool:
    """Whether it is written in Arabic letters and in no Latin ones."""
    return bool(_ARABIC.search(text)) and not _LATIN.search(text)


def in_own_fields(family: str, given: str, family_arabic: str, given_arabic: str) -> PersonName | None:
    """What somebody typed, each script in its own fields; None when one script stands where the other should.

    A name that is known in Arabic letters only may be typed where the Latin one is asked for.
    """
    if any(part and not is_arabic(part) for part in (family_arabic, given_arabic)):
        return None
    arabic = [is_arabic(part) for part in (family, given) if part]
    if not any(arabic):
        return PersonName(family, given, family_arabic, given_arabic)
    if not all(arabic) or family_arabic or given_arabic:
        return None
    return PersonName("", "", family, given)
