"""Making room for another store without losing the one that is there: its files get another name."""

from pathlib import Path
from typing import Final

_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")
_MOST_ASIDE: Final = 1000


def set_aside(database: Path) -> Path | None:
    """Give a store and what lies beside it another name; the name, or None where there is nothing.

    Raises:
        OSError: the directory takes no names; the store may be found under either.
    """
    if not any(database.with_name(database.name + companion).exists() for companion in _COMPANIONS):
        return None
    for number in range(1, _MOST_ASIDE):
        aside = database.with_name(f"{database.name}.set-aside-{number}")
        if any(aside.with_name(aside.name + companion).exists() for companion in _COMPANIONS):
            continue
        for companion in _COMPANIONS:  # the store first: without its log it would open as an older one
            there = database.with_name(database.name + companion)
            if there.exists():
                there.rename(aside.with_name(aside.name + companion))
        return aside
    raise OSError(database)
