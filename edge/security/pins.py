"""Which PINs are taken.

A PIN gates the use of a slot that also needs the device secret; it never protects the key alone.
"""

import itertools
import sys
from typing import Final

from edge.security.errors import PinTooWeak

FEWEST_DIGITS: Final = 6
SHORTEST_PASSPHRASE: Final = 8
LONGEST: Final = 128
_FEWEST_DIFFERENT: Final = 3


def check_pin(pin: str) -> None:
    """Accept six digits or more, or a passphrase of eight characters or more; refuse what is tried first.

    Raises:
        PinTooWeak: too short, too long, one step repeated (111111, 123456), or hardly any variety.
    """
    if len(pin) > LONGEST or len(pin) < (FEWEST_DIGITS if pin.isdecimal() else SHORTEST_PASSPHRASE):
        raise PinTooWeak(
            "This PIN is too short or too long.",
            next_step=f"Take {FEWEST_DIGITS} digits or more, or {SHORTEST_PASSPHRASE} characters or more.",
        )
    wrap = 10 if pin.isdecimal() else sys.maxunicode  # 890123 counts up too
    steps = {(ord(b) - ord(a)) % wrap for a, b in itertools.pairwise(pin)}
    if len(steps) == 1 or len(set(pin)) < _FEWEST_DIFFERENT:
        raise PinTooWeak(
            "This PIN is one of the first that are tried.",
            next_step="Take digits that do not repeat or count up or down.",
        )
