"""Which tables hold: the project's own, and what a programme has put in the place of some of them.

A programme's table is taken whole or not at all, and only where everything that applies it finds there what
it looks for. One version is one text: a table of the same version that says something else is refused, since
results carry no more than the version.
"""

from collections.abc import Callable, Mapping
from importlib import resources
from typing import Final, TypeAlias

from edge.scoring import ladders, limits, tables
from edge.scoring.ladders import ClassTable
from edge.scoring.limits import LimitTable
from edge.scoring.tables import Table, TableRefused

AnyTable: TypeAlias = Table | ClassTable | LimitTable

_READERS: Final[Mapping[str, Callable[[str], AnyTable]]] = {
    **dict.fromkeys(("news2", "qsofa", "pews", "meows", "imci-rr"), tables.read),
    **dict.fromkeys(
        ("bp", "bp-protocol", "orthostatic", "bmi", "growth", "muac", "glucose", "spo2"), ladders.read
    ),
    limits.NAME: limits.read,
}
MAX_CHARACTERS: Final = 60_000
"""Of one table of a programme's."""


class Installed:
    """Tables by their rule's name, each read once."""

    def __init__(self) -> None:
        self._texts: Mapping[str, str] = {}
        self._read: dict[str, AnyTable] = {}

    def table(self, name: str) -> AnyTable:
        """The table that holds.

        Raises:
            KeyError: no rule of this name stands on a table.
        """
        if name not in self._read:
            text = self._texts.get(name)
            self._read[name] = own(name) if text is None else _READERS[name](text)
        return self._read[name]

    def replaced(self) -> list[str]:
        """The names of those that are a programme's."""
        return sorted(self._texts)

    def put(self, texts: Mapping[str, str]) -> None:
        """Have these hold in the place of the project's own, and no others of a programme's.

        Raises:
            TableRefused: one of them may not; nothing has changed.
        """
        check(texts)
        self._texts, self._read = dict(texts), {}


def names() -> list[str]:
    """The rules whose tables a programme may replace."""
    return sorted(_READERS)


def own(name: str) -> AnyTable:
    """The project's own table.

    Raises:
        KeyError: there is none of this name.
    """
    reader = _READERS[name]
    return reader((resources.files("edge.scoring") / "tables" / f"{name}.toml").read_text("utf-8"))


def read(name: str, text: str) -> AnyTable:
    """A programme's table for a rule.

    Raises:
        KeyError: no rule of this name stands on a table.
        TableRefused: it is none.
    """
    return _READERS[name](text)


def check(texts: Mapping[str, str]) -> None:
    """Whether a programme's tables may take the place of the project's own.

    Raises:
        TableRefused: which one may not, and why.
    """
    for name, text in texts.items():
        if name not in _READERS:
            raise TableRefused(f"{name}: no rule of this name stands on a table")
        if len(text) > MAX_CHARACTERS:
            raise TableRefused(f"{name}: more than {MAX_CHARACTERS} characters")
        try:
            _check_fits(name, _READERS[name](text), own(name))
        except TableRefused as refused:
            raise TableRefused(f"{name}: {refused}") from None


def _check_fits(name: str, new: AnyTable, ours: AnyTable) -> None:
    if new.rule != name:
        raise TableRefused(f"it is of the rule {new.rule}")
    if new.version == ours.version and new != ours:
        raise TableRefused(f"its version is {new.version} like the project's own, and it says something else")
    if isinstance(new, Table) and isinstance(ours, Table):
        known = {each.key for each in ours.inputs}
        strange = sorted({each.key for each in new.inputs} - known)
        if strange or set(new.contexts) != set(ours.contexts):
            raise TableRefused(f"the rule is not given {', '.join(strange) or 'such contexts'}")
    elif isinstance(new, ClassTable) and isinstance(ours, ClassTable) and _shape(new) != _shape(ours):
        raise TableRefused("its ladders, classes or numbers are called otherwise than the rule's")


def _shape(table: ClassTable) -> object:
    ladders_of = {name: (each.classes, sorted(each.of)) for name, each in sorted(table.ladders.items())}
    return ladders_of, sorted(table.numbers)


IN_FORCE: Final = Installed()
"""Those of this process."""


def limit_table() -> LimitTable:
    """The limits that hold."""
    table = IN_FORCE.table(limits.NAME)
    assert isinstance(table, LimitTable)  # noqa: S101  its reader makes no other
    return table
