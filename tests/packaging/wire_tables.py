"""The tables of docs/reference/wire.md, made from the code: ``python -m tests.packaging.wire_tables``.

A table stands between ``<!-- table NAME -->`` and ``<!-- end -->``; the text around it is written by hand.
"""

import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from edge import cbor
from edge.clock import ClockQuality
from edge.records import fields
from edge.records.fields import Field, Kind, Source, Stream
from sync.boxend import sealer
from sync.wire import (
    batches,
    beside,
    columns,
    cose,
    enrolment,
    errors,
    habits,
    keys,
    keyset,
    receipts,
    sessions,
    squeeze,
)
from sync.wire.habits import Habit
from sync.wire.shape import Mode

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "wire.md"
_TABLE: Final = re.compile(r"(<!-- table (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables() -> dict[str, str]:
    """Every table by its name."""
    return {
        "fields": _table(("number", "field", "value"), _fields()),
        "streams": _table(("number", "stream"), ((int(stream), f"`{stream.word}`") for stream in Stream)),
        "kinds": _table(("number", "kind"), ((int(kind), _name(kind.name)) for kind in Kind)),
        "sources": _table(("number", "source"), ((int(source), _name(source.name)) for source in Source)),
        "qualities": _table(("number", "clock"), ((int(each), _name(each.name)) for each in ClockQuality)),
        "priorities": _table(
            ("priority", "word"), ((n, f"`{word}`") for word, n in sealer.PRIORITIES.items())
        ),
        "purposes": _table(("purpose",), ((f"`{purpose}`",) for purpose in cose.Purpose)),
        "uses": _table(("use",), ((f"`{use}`",) for use in keyset.Use)),
        "modes": _table(("mode", "name"), ((int(mode), mode.name.lower()) for mode in Mode)),
        "habits": _table(("field", "habit", "numbers", "by code"), _habits()),
        "refusals": _table(
            ("code", "sentence"), ((f"`{code}`", text) for code, text in errors.REFUSALS.items())
        ),
        "schemas": _table(("stream", "schemas"), _schemas()),
        "limits": _table(("what", "limit"), _limits()),
    }


def rendered(page: str) -> str:
    """The page with every table as it has to be.

    Raises:
        KeyError: the page asks for a table that there is not.
    """
    made = tables()
    return _TABLE.sub(lambda found: f"{found[1]}\n{made[found['name']]}\n{found[3]}", page)


def names_in(page: str) -> list[str]:
    return [found["name"] for found in _TABLE.finditer(page)]


def _fields() -> Iterable[Sequence[object]]:
    """Numbers from the code, what stands there from the comment beside it."""
    comments = dict(
        re.findall(r"^    ([A-Z_]+) = \d+  # (.+)$", inspect.getsource(fields.Field), re.MULTILINE)
    )
    return ((int(field), f"`{field.name}`", comments[field.name]) for field in Field)


def _habits() -> Iterable[Sequence[object]]:
    for field in Field:
        habit = habits.HABITS.get(field, Habit.STEADY)
        by_code = field in habits.DEPEND_ON_CODE
        if habit is not Habit.STEADY or by_code:
            numbers = habits.arity(field) if habit in {Habit.TICKING, Habit.MEASURED} else ""
            yield int(field), habit.name.lower(), numbers, "yes" if by_code else ""


def _schemas() -> Iterable[Sequence[object]]:
    """Which schemas a batch of each stream may be of."""
    for stream in Stream:
        also = [batches.WITH_BYTES] if stream in beside.STREAMS else []
        yield f"`{stream.word}`", ", ".join(map(str, [fields.SCHEMA_VERSION, *also]))


def _limits() -> Iterable[Sequence[object]]:
    yield "bytes of a message", f"{cose.MAX_MESSAGE_BYTES:,}"
    yield "entries of a batch", f"{squeeze.MAX_ENTRIES:,}"
    yield "bytes of the payloads of a batch, and of its plain list", f"{squeeze.MAX_UNPACKED_BYTES:,}"
    yield "fields of a payload that is written as columns", columns.MAX_FIELDS
    yield "lists and maps one in another", cbor.MAX_DEPTH
    yield "recipients of a key message", sessions.MAX_RECIPIENTS
    yield "keys, generations of a keyset", f"{keyset.MAX_KEYS}, {keyset.MAX_GENERATIONS}"
    yield (
        "gaps of a stream, nacks, sessions of a receipt",
        (f"{receipts.MAX_MISSING}, {receipts.MAX_NACKS}, {receipts.MAX_SESSIONS}"),
    )
    yield "brokers of a bundle", enrolment.MAX_BROKERS
    yield "bytes of a hybrid public key", f"{keys.SEAL_PUBLIC_BYTES:,}"


def _name(name: str) -> str:
    return name.lower().replace("_", " ")


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
