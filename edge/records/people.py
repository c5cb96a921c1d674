"""How a person who signs in is called in the journal."""

import re
import unicodedata
from typing import ClassVar, Final

from edge.errors import QafilaError

USER_ID: Final = re.compile(r"^[a-z0-9][a-z0-9._-]{0,31}$")


class NoUserName(QafilaError):
    """Nobody could sign in under this name."""

    code: ClassVar[str] = "user-name"

    def __init__(self) -> None:
        super().__init__(
            "Nobody could sign in under this name.",
            next_step="Use 1 to 32 Latin letters, digits, dots or hyphens, such as fatima.",
        )


def checked_user_id(typed: str) -> str:
    """The id for a name, if it can be one.

    Raises:
        NoUserName: it cannot.
    """
    made = user_id(typed)
    if not USER_ID.fullmatch(made):
        raise NoUserName
    return made


def user_id(typed: str) -> str:
    """The id for a name as somebody types it: ``Zoé Ben Ali`` signs in as ``zoe.ben.ali``.

    What comes out is an id only if `USER_ID` takes it.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", typed) if not unicodedata.combining(c))
    return re.sub(r"[\s'\u2019]+", ".", plain.strip().casefold())
