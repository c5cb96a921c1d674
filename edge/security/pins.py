"""Which PINs are taken.

A PIN gates the use of a slot that also needs the device secret; it never protects the key alone. What is
refused is what a person who knows the user tries first: steps, repeats, the shapes that fingers draw on
the keys, dates, and the user's own name.
"""

import datetime
import itertools
import re
import sys
import unicodedata
from typing import Final

from edge.security.errors import PinTooWeak

FEWEST_DIGITS: Final = 6
SHORTEST_PASSPHRASE: Final = 8
LONGEST: Final = 128
_FEWEST_DIFFERENT: Final = 3
_SHORTEST_NAME: Final = 3
_DRAWN: Final = frozenset(
    (
        "135790", "246810", "102030", "147258", "147369", "147852", "147896", "159357",
        "159753", "258369", "258456", "321654", "357159", "369258", "456123", "741852",
        "753159", "753951", "789456", "789123", "852456", "951357", "951753", "963852",
        "987321",
    )
)  # fmt: skip
"""Odd and even, tens; columns, diagonals and corners of a telephone's or a keyboard's keys."""
_DATE_FORMS: Final = {6: ("%d%m%y", "%y%m%d"), 8: ("%d%m%Y", "%Y%m%d")}
_YEARS: Final = range(1900, 2100)


def check_pin(pin: str, *names: str) -> None:
    """Accept six digits or more, or a passphrase of eight characters or more; refuse what is tried first.

    Args:
        pin: as typed.
        names: how the person is called, in any spelling.

    Raises:
        PinTooWeak: too short, too long, or one of the first that are tried.
    """
    if len(pin) > LONGEST or len(pin) < (FEWEST_DIGITS if pin.isdecimal() else SHORTEST_PASSPHRASE):
        raise PinTooWeak(
            "This PIN is too short or too long.",
            next_step=f"Take {FEWEST_DIGITS} digits or more, or {SHORTEST_PASSPHRASE} characters or more.",
        )
    if _regular(pin) or pin in _DRAWN or _is_date(pin) or _is_named(pin, names):
        raise PinTooWeak(
            "This PIN is one of the first that are tried.",
            next_step="Take digits that do not repeat or count up or down, and no date and no name.",
        )


def _regular(pin: str) -> bool:
    """Steps, a part repeated or turned round, pairs, hardly any variety."""
    wrap = 10 if pin.isdecimal() else sys.maxunicode  # 890123 counts up too
    half = len(pin) // 2
    if len(set(pin)) < _FEWEST_DIFFERENT or len(_steps(pin, wrap)) == 1:
        return True
    if any(pin == pin[:n] * (len(pin) // n) for n in range(1, half + 1)):
        return True
    if not pin.isdecimal():
        return False
    odd, even = pin[::2], pin[1::2]
    if _counts(pin[:half]) and _counts(pin[half:]):
        return True
    if _counts(odd) and _counts(even) and _steps(odd) | _steps(even) != {1, 9}:
        return True
    return pin == pin[::-1]


def _steps(text: str, wrap: int = 10) -> set[int]:
    return {(ord(b) - ord(a)) % wrap for a, b in itertools.pairwise(text)}


def _counts(digits: str) -> bool:
    """One digit again and again, or each the next or the one before."""
    return len(_steps(digits)) == 1 and _steps(digits) <= {0, 1, 9}


def _is_date(pin: str) -> bool:
    """A day as people write it, or years one after the other."""
    if not pin.isdecimal():
        return False
    if len(pin) % 4 == 0 and all(int(pin[at : at + 4]) in _YEARS for at in range(0, len(pin), 4)):
        return True
    return any(_reads(pin, form) for form in _DATE_FORMS.get(len(pin), ()))


def _reads(pin: str, form: str) -> bool:
    try:
        day = datetime.datetime.strptime(pin, form).replace(tzinfo=datetime.UTC)
    except ValueError:
        return False
    return day.year in _YEARS


def _is_named(pin: str, names: tuple[str, ...]) -> bool:
    """Whether the PIN is a name with little more: less is left without it than a passphrase needs."""
    plain = _plain(pin)
    for word in {part for name in names for part in _plain(name).split()} | {
        _plain(name).replace(" ", "") for name in names
    }:
        if (
            len(word) >= _SHORTEST_NAME
            and len(plain.replace(word, "")) < SHORTEST_PASSPHRASE
            and word in plain
        ):
            return True
    return False


def _plain(text: str) -> str:
    """Lower case without accents; what joins the parts of a name becomes a space."""
    letters = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.sub(r"[\s._'\u2019-]+", " ", letters.casefold()).strip()
