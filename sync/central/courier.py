"""The centre's end of a courier stick: land what it brings, give it receipts to take back.

Landing by a stick is landing by the broker: the same verification, the same transaction, the same receipts,
and no key that opens anything. Which folder a file lies in and what it is called are hints; what its unit
signed decides. Nothing on the stick is changed by reading it.
"""

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from edge.clock import Clock
from edge.spool import stick
from edge.spool.names import parse
from edge.spool.stick import Folder, Odd, Side, StickRefused
from sync.central import database, outbox, trouble
from sync.central.database import Connection
from sync.central.home import CentreHome, read_file
from sync.central.landing import Lander, Upward
from sync.central.receipts import ReceiptWriter
from sync.wire import topics
from sync.wire.cose import MAX_MESSAGE_BYTES
from sync.wire.keyset import Use

_GROUP: Final = 256
_GROUP_BYTES: Final = 4 * 1024 * 1024
"""How many files share a transaction, and about how much they hold together."""


@dataclasses.dataclass(slots=True)
class Imported:
    """What became of the files on a stick.

    Attributes:
        units: from whom sealed files lay there, by the names of their folders.
        empty: whose folders held none.
        new: landed now.
        repeated: had landed before.
        refused: by code; nothing of them is used.
        other: things that are no sealed files by their name; they were not looked at.
    """

    units: list[str] = dataclasses.field(default_factory=list[str])
    empty: list[str] = dataclasses.field(default_factory=list[str])
    new: int = 0
    repeated: int = 0
    refused: Counter[str] = dataclasses.field(default_factory=Counter[str])
    other: int = 0

    def as_json(self) -> dict[str, object]:
        return {
            "units": self.units,
            "empty": self.empty,
            "new": self.new,
            "repeated": self.repeated,
            "refused": dict(self.refused),
            "other": self.other,
        }


@dataclasses.dataclass(slots=True)
class Exported:
    """What a stick was given: how many files by unit, and how many lay on it already."""

    written: dict[str, int] = dataclasses.field(default_factory=dict[str, int])
    there: int = 0


def import_stick(
    home: CentreHome, place: Path, clock: Clock, progress: Callable[[int], None] = lambda _: None
) -> Imported:
    """Land everything on a stick that enrolled units signed.

    Args:
        home: the centre; of its keys only ``landed`` is read.
        place: where the stick is mounted.
        clock: what time receipts say it is.
        progress: called with how many files were taken so far.

    Raises:
        StickRefused: it is not there, brings nothing, or gives no more; what was taken stays taken.
        CentreError, CentreDatabaseError: the centre cannot be used.
    """
    settings = home.read_settings()
    private = home.read_key(Use.LANDED, settings.realm)
    writer = ReceiptWriter(Use.LANDED.value, settings.realm, settings.generation, private)
    names = stick.units(place)
    if not names:
        raise StickRefused(
            f"{place} brings nothing: there is no folder {stick.FOLDER} of a unit on it.",
            next_step="On the unit: qafila store courier-out DIR.",
            code="stick-empty",
        )
    done = Imported()
    connection = database.connect(home.database)
    try:
        lander = Lander(connection, settings.realm, clock, writer)
        for unit in names:
            with stick.folder(place, unit, Side.UP) as up:
                files = 0 if up is None else _land_all(lander, unit, up, done, progress)
                (done.units if files else done.empty).append(unit)
    finally:
        connection.close()
    return done


def _land_all(lander: Lander, unit: str, up: Folder, done: Imported, progress: Callable[[int], None]) -> int:
    """Land a unit's folder; how many sealed files there were, refused ones among them."""
    before = done.new + done.repeated + done.refused.total()
    group: list[Upward] = []
    size = 0
    for message in _messages(unit, up, done):
        group.append(message)
        size += len(message.payload)
        if len(group) >= _GROUP or size >= _GROUP_BYTES:
            _land(lander, group, done)
            group, size = [], 0
            progress(done.new + done.repeated + done.refused.total())
    _land(lander, group, done)
    return done.new + done.repeated + done.refused.total() - before


def _land(lander: Lander, group: Sequence[Upward], done: Imported) -> None:
    if not group:
        return
    with trouble.understood():
        landed = lander.take(group)
    done.new += landed.new
    done.repeated += landed.repeated
    done.refused.update(landed.dropped)


def _messages(unit: str, up: Folder, done: Imported) -> Iterator[Upward]:
    """The files one after the other, in the order the stick gives: the centre takes them in any."""
    for text in up.names():
        name = parse(text)
        if name is None:
            done.other += 1
            continue
        content = up.read(text, MAX_MESSAGE_BYTES)
        if isinstance(content, Odd):
            done.refused[content.value] += 1
        elif content is not None:
            yield Upward(topics.up(unit, name.word), content)


def export_receipts(home: CentreHome, place: Path, units: Sequence[str] = ()) -> Exported:
    """Write the newest receipts of both levels to a stick, and what is to go down, in place of older ones.

    Args:
        home: the centre; no key is read.
        place: where the stick is mounted.
        units: whose; those whose folders lie on the stick when it is left out.

    Raises:
        StickRefused: it is not there, names nobody, or takes no file; the next time goes on.
        CentreDatabaseError: the database cannot be used.
    """
    wanted = sorted(units) or stick.units(place)
    keyset = _keyset(home)
    done = Exported()
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            enrolled = {unit for (unit,) in connection.execute("SELECT unit FROM units").fetchall()}
            _check(wanted, enrolled, units)
            for unit in (each for each in wanted if each in enrolled):
                _write(place, unit, Side.RECEIPTS, _newest(connection, unit), done)
                _write(place, unit, Side.KEYSET, keyset, Exported())
                _write(place, unit, Side.DOWN, _down(connection, unit), done)
    finally:
        connection.close()
    return done


def _check(wanted: Sequence[str], enrolled: set[str], named: Sequence[str]) -> None:
    strangers = [unit for unit in named if unit not in enrolled]
    if strangers:
        raise StickRefused(
            f"No unit {strangers[0]} is enrolled here.",
            next_step="See qafila central units.",
            code="unit-unknown",
        )
    if not enrolled.intersection(wanted):
        raise StickRefused(
            "Nothing on the stick says whose receipts it shall take.",
            next_step="Name the unit with --unit, or use the stick that came from it.",
            code="stick-empty",
        )


def _newest(connection: Connection, unit: str) -> dict[str, bytes]:
    """By file name the last receipt of each level and epoch."""
    rows = connection.execute(
        "SELECT level, epoch, generation, rseq, raw FROM receipts WHERE unit = ?", (unit,)
    ).fetchall()
    return {f"{level}-{epoch}-{generation}-{rseq:012d}": raw for level, epoch, generation, rseq, raw in rows}


def _keyset(home: CentreHome) -> dict[str, bytes]:
    """By file name the centre's public keys: a receipt may be signed with one that a unit does not know."""
    version = home.read_keyset(home.read_settings().realm).version
    return {f"keyset-{version:012d}": read_file(home.keyset)}


def _down(connection: Connection, unit: str) -> dict[str, bytes]:
    """By file name what is to be told a unit: every order there ever was in one, and what it lacks."""
    rows = connection.execute("SELECT raw FROM orders WHERE unit = ?", (unit,)).fetchall()
    messages = [*(raw for (raw,) in rows), *outbox.for_stick(connection, unit)]
    return {f"down-{hashlib.sha256(raw).hexdigest()[:16]}": raw for raw in messages}


def _write(place: Path, unit: str, side: Side, files: dict[str, bytes], done: Exported) -> None:
    if not files:
        return
    lines = {_line(name) for name in files}
    written = 0
    with stick.folder(place, unit, side, make=True) as back:
        assert back is not None  # noqa: S101  it is made if it is not there
        for name, raw in sorted(files.items()):
            if back.read(name, len(raw)) == raw:
                done.there += 1
            else:
                back.write(name, raw)
                written += 1
        for name in list(back.names()):
            if name not in files and _line(name) in lines:
                back.remove(name)  # what it says is said by a newer one now
        back.sync()
    done.written[unit] = done.written.get(unit, 0) + written


def _line(name: str) -> str:
    """A file name without its number: of one line only the newest is kept."""
    return name.rpartition("-")[0]
