"""A centre's copy, and the centre put back from one: a new generation, which the fleet refills.

A copy is one SQLite file whatever the centre runs on, so that it goes back into either. It holds what was
received, in the clear, and no private key: those are copied when they are made. What the fleet has sent since
is not in it, and every unit that is told so, by receipts of a higher generation that its keyset names, sends
it again as far as it still has it.
"""

import contextlib
import dataclasses
import hashlib
import os
import re
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from edge.clock import Clock
from edge.errors import QafilaError
from sync.central import authorities, database, decisions, erasing, grants, keyring, revoking, schema, trouble
from sync.central.connection import Connection
from sync.central.decisions import Decisions
from sync.central.exclusive import exclusive
from sync.central.home import CentreError, CentreHome
from sync.central.sqlite import SqliteConnection
from sync.wire.keyset import Use

_AT_ONCE: Final = 2_000
_MADE_OF: Final = "made_of"
_TABLE: Final = (
    f"CREATE TABLE {_MADE_OF} (roots TEXT NOT NULL, generation INTEGER NOT NULL, made_ms INTEGER NOT NULL)"
)
_DECIDED: Final[Mapping[str, Callable[[Connection, Mapping[str, Any]], bool]]] = {
    decisions.GRANTED: grants.decide_again,
    decisions.REVOKED: revoking.decide_again,
    decisions.ERASED: erasing.decide_again,
}
_GENERATION: Final = re.compile(r"^generation = \d+$", re.MULTILINE)


class CopyRefused(QafilaError):
    """No copy was made, or none was put back; the centre is as it was."""

    code: ClassVar[str] = "copy-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was made.

    Attributes:
        entries: how many received entries it holds.
    """

    file: Path
    entries: int
    size: int


@dataclasses.dataclass(frozen=True, slots=True)
class Restored:
    """A centre that was put back.

    Attributes:
        generation: the new one.
        entries: how many entries there are; None when the database was put back by other means.
        set_aside: where the database lies that was there before.
        again: how many decisions that the copy did not know were done again, by kind.
        decisions_since_ms: since when decisions are kept beside the database; None where they are not.
        copy_made_ms: when the copy was made; None when the database was put back by other means.
    """

    generation: int
    entries: int | None
    set_aside: Path | None
    again: dict[str, int]
    decisions_since_ms: int | None
    copy_made_ms: int | None

    @property
    def all_decided_again(self) -> bool:
        """Whether nothing can have been decided after the copy that is not done again."""
        since_ms, made_ms = self.decisions_since_ms, self.copy_made_ms
        return since_ms is not None and made_ms is not None and since_ms <= made_ms


def back_up(home: CentreHome, file: Path, clock: Clock) -> Copied:
    """Copy the database as it is at one moment, while everything runs.

    Raises:
        CopyRefused: the file is there, or cannot be written.
        CentreError, CentreDatabaseError: there is no centre, or its database cannot be used.
    """
    settings = home.read_settings()
    growing = file.with_name(f".{file.name}.growing")
    if file.exists():
        raise CopyRefused(f"{file} is there already.", next_step="name another file.", code="file-exists")
    growing.unlink(missing_ok=True)
    source = database.connect(home.database)
    try:
        with trouble.understood():
            into = _empty(growing)
            try:
                entries = _copy(source, into)
                with database.write(into):
                    into.execute(_TABLE)
                    into.execute(
                        f"INSERT INTO {_MADE_OF} VALUES (?, ?, ?)",  # noqa: S608  ours
                        (_roots(home), settings.generation, clock.now().wall_ms),
                    )
                into.empty_log()
            finally:
                into.close()
        _sync(growing)
        growing.rename(file)
        _sync(file.parent)
    except OSError as error:
        raise CopyRefused(
            f"{file} cannot be written: {error.strerror}.",
            next_step="name a folder with room that this user may write.",
            code="file-unwritable",
        ) from error
    finally:
        source.close()
        growing.unlink(missing_ok=True)
    return Copied(file, entries, file.stat().st_size)


def restore(
    home: CentreHome, file: Path | None, place: str | None = None, root: Path | None = None
) -> Restored:
    """Put a copy in the place of the database, and begin a new generation. Its processes must not run.

    The generation is in keyset and settings before the older rows are there: whatever ends this between two
    steps, no receipt of the old generation speaks of them, and doing it again goes on.

    Args:
        home: the centre, with its keys.
        file: from `back_up`; None when PostgreSQL was put back by its own means.
        place: a PostgreSQL database to put it into; the home's own file when left out.
        root: the private root that signs the keyset; the hot one when left out.

    Raises:
        CopyRefused: the file is no copy, or one of another centre, or the home's database is PostgreSQL and
            no place was named.
        CentreError: a process of the centre runs, or its files are not as they should be.
        CentreDatabaseError: the database cannot be used.
    """
    settings = home.read_settings()
    with _nobody_runs(home):
        copy = None if file is None else _open_copy(home, file)
        try:
            known = settings.generation if copy is None else max(settings.generation, _generation(copy))
            generation = keyring.add_generation(home, known, root)
            text = _GENERATION.sub(f"generation = {generation}", home.settings.read_text(), count=1)
            authorities.replace(home.settings, text.encode())
            made = decisions.read(home)
            if copy is None:
                connection = database.connect(home.database)
                try:
                    again = _decide_again(connection, made)
                finally:
                    connection.close()
                return Restored(generation, None, None, again, made.begun_ms, None)
            entries, aside, again = _put_back(home, copy, place, generation, made)
            return Restored(generation, entries, aside, again, made.begun_ms, _made_ms(copy))
        finally:
            if copy is not None:
                copy.close()


def _put_back(
    home: CentreHome, copy: Connection, place: str | None, generation: int, made: Decisions
) -> tuple[int, Path | None, dict[str, int]]:
    if place is not None:
        into = database.create_in(home.database, place)
        try:
            entries = _copy(copy, into)
            again = _decide_again(into, made)
        finally:
            into.close()
        database.note_address(home.database, place)
        return entries, None, again
    if database.address(home.database) is not None:
        raise CopyRefused(
            "This centre's database is in PostgreSQL.",
            next_step="name an empty one with --database postgresql://…",
            code="database-needed",
        )
    growing = home.database.with_name(f".{home.database.name}.growing")
    growing.unlink(missing_ok=True)
    fresh = _empty(growing)
    try:
        entries = _copy(copy, fresh)
        again = _decide_again(fresh, made)
        fresh.empty_log()
    finally:
        fresh.close()
    _sync(growing)
    aside = _set_aside(home.database, generation)
    growing.rename(home.database)
    _sync(home.directory)
    return entries, aside, again


def _decide_again(connection: Connection, made: Decisions) -> dict[str, int]:
    """Do again what the copy does not know, before anybody is believed by it; how many, by kind."""
    again = dict.fromkeys(_DECIDED, 0)
    with trouble.understood(), database.write(connection):
        for decision in made.made:
            decide = _DECIDED.get(decision["what"])
            if decide is not None and decide(connection, decision):
                again[decision["what"]] += 1
    connection.empty_log()
    return again


def _empty(path: Path) -> Connection:
    database.create(path)
    return SqliteConnection(path)


def _copy(source: Connection, into: Connection) -> int:
    """Every row of every table, as one moment has them; how many entries."""
    tables = [table for table in sorted(into.tables()) if table != _MADE_OF]
    with source.one_moment(), database.write(into):
        for table in tables:
            for rows in source.all_of(table, _AT_ONCE):
                into.insert_many(table, rows)
        into.resume_numbers()
    ((entries,),) = into.execute("SELECT count(*) FROM entries").fetchall()
    return int(entries)


def _open_copy(home: CentreHome, file: Path) -> Connection:
    if not file.is_file():
        raise CopyRefused(f"There is no file {file}.", next_step="name the copy.", code="file-missing")
    copy = SqliteConnection(file)
    try:
        with trouble.understood():
            copy.check_pages(whole=True)
            _check_copy(home, file, copy)
    except BaseException:
        copy.close()
        raise
    return copy


def _check_copy(home: CentreHome, file: Path, copy: Connection) -> None:
    if _MADE_OF not in copy.tables():
        raise CopyRefused(
            f"{file} is no copy of a centre.",
            next_step="name a file that `qafila central backup` has written.",
            code="copy-unknown",
        )
    ((roots,),) = copy.execute(f"SELECT roots FROM {_MADE_OF}").fetchall()  # noqa: S608  ours
    if roots != _roots(home):
        raise CopyRefused(
            "The copy is of another centre.",
            next_step="use the home, with its keys, of the centre it was made of.",
            code="copy-of-another",
        )
    if copy.version() != schema.VERSION:
        raise CopyRefused(
            f"The copy has schema {copy.version()}; this program knows schema {schema.VERSION}.",
            next_step="restore with the version that made it, then update.",
            code="copy-schema",
        )


def _generation(copy: Connection) -> int:
    ((generation,),) = copy.execute(f"SELECT generation FROM {_MADE_OF}").fetchall()  # noqa: S608  ours
    return int(generation)


def _made_ms(copy: Connection) -> int:
    ((made_ms,),) = copy.execute(f"SELECT made_ms FROM {_MADE_OF}").fetchall()  # noqa: S608  ours
    return int(made_ms)


def _roots(home: CentreHome) -> str:
    home.read_roots()
    return hashlib.sha256(home.roots.read_bytes()).hexdigest()


def _set_aside(path: Path, generation: int) -> Path | None:
    """Never overwritten: what was there may still be read by somebody."""
    aside = path.with_name(f"{path.name}-before-{generation}")
    if path.exists():
        path.rename(aside)
    for end in ("-wal", "-shm"):
        beside = path.with_name(path.name + end)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + end))
    return aside if aside.exists() else None


@contextlib.contextmanager
def _nobody_runs(home: CentreHome) -> Generator[None]:
    with contextlib.ExitStack() as stack:
        for use, what in ((Use.LANDED, "collector"), (Use.OPENED, "exploder")):
            lock = home.key_file(use).with_suffix(".lock")
            if not lock.parent.is_dir():
                raise CentreError(
                    f"{lock.parent} is missing.",
                    next_step="restore it from a backup.",
                    code="centre-key-missing",
                )
            stack.enter_context(exclusive(lock, what))
        yield


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
