"""One spelling to search by, for names and identifiers in Latin and Arabic script."""

import re
import unicodedata
from typing import Final

_FOLDED: Final = str.maketrans(
    {
        "أ": "ا",  # noqa: RUF001  alef with hamza above
        "إ": "ا",  # noqa: RUF001  alef with hamza below
        "آ": "ا",  # noqa: RUF001  alef with madda
        "ٱ": "ا",  # noqa: RUF001  alef wasla
        "ؤ": "و",  # waw with hamza
        "ئ": "ي",  # yeh with hamza
        "ى": "ي",  # alef maqsura
        "ی": "ي",  # Farsi yeh
        "ک": "ك",  # Farsi keheh
        "ة": "ه",  # noqa: RUF001  teh marbuta
        "ء": "",  # hamza on its own
        "ـ": "",  # tatweel
        "œ": "oe",
        "æ": "ae",
    }
)
_NEITHER_LETTER_NOR_DIGIT: Final = re.compile(r"[\W_]+")


def normalise(text: str) -> str:
    """What is stored beside a name and what a search is turned into, so that both meet.

    Compatibility forms unified, case folded, accents and vowel marks dropped, Arabic letters that are
    written in several ways unified, everything else between words one space.
    """
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_FOLDED)
    bare = "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return _NEITHER_LETTER_NOR_DIGIT.sub(" ", bare.translate(_FOLDED)).strip()


def normalise_identifier(value: str) -> str:
    """One spelling of an identifier: neither case, nor blanks, nor punctuation tell two apart."""
    return normalise(value).replace(" ", "")
