"""How a person who signs in is called in the journal."""

import re
import unicodedata
from typing import Final

USER_ID: Final = re.compile(r"^[a-z0-9][a-z0-9._-]{0,31}$")


def user_id(typed: str) -> str:
    """The id for a name as somebody types it: ``Zoé Ben Ali`` signs in as ``zoe.ben.ali``.

    What comes out is an id only if `USER_ID` takes it.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", typed) if not unicodedata.combining(c))
    return re.sub(r"[\s'\u2019]+", ".", plain.strip().casefold())
