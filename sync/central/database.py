"""The centre's database: one SQLite file with two writing processes, and the tables they share.

Everything a receipt says is computed in here, inside the transaction that commits what it speaks of,
so that any process may be killed at any moment and a second collector would say the same.

Identities stand in the clear: ``epoch`` as hex text, ``stream`` as its word. Opened batches fill the
tables from ``entries`` down; a row there has passed its signature and its chain.
"""

import contextlib
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final, TypeAlias

import sqlcipher3.dbapi2

from sync.central import trouble
from sync.central.trouble import CentreDatabaseError

SCHEMA: Final = 2
_OLDEST_SQLITE: Final = (3, 51, 3)
"""Below this two writing connections can corrupt a database in WAL mode."""
_BUSY_MS: Final = 15_000
_CHECKED_WHOLE_BYTES: Final = 64 * 1024 * 1024
"""Up to this size the whole file is checked when it is opened: a fraction of a second."""
_ALWAYS_CHECKED: Final = ("units", "sessions", "spans", "receipts", "chains", "counters")
"""What both processes stand on, and small in a database of any size."""

_sqlite: Final[Any] = sqlcipher3.dbapi2
Connection: TypeAlias = Any
"""An `sqlcipher3` connection; the library ships no types."""


_TABLES: Final = """
CREATE TABLE units (
    unit        TEXT PRIMARY KEY,
    kid         BLOB NOT NULL,      -- which key signs: first 8 bytes of its SHA-256
    sign_public BLOB NOT NULL,      -- Ed25519
    recv_public BLOB NOT NULL,      -- ML-KEM-768 + X25519, for what goes down
    request     BLOB NOT NULL,      -- the request as it was accepted
    enrolled_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE landing (              -- verified batches, sealed as they came
    id        INTEGER PRIMARY KEY,
    unit      TEXT NOT NULL,
    epoch     TEXT NOT NULL,
    stream    TEXT NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL,
    head      BLOB NOT NULL,        -- the signed head after last, 16 bytes
    session   BLOB NOT NULL,        -- which session's key opens it
    state     TEXT NOT NULL,        -- waiting, opened, covered by others; key, decode, head: nacked
    settled   INTEGER NOT NULL,     -- 1 once opened or covered
    landed_ms INTEGER NOT NULL,
    digest    BLOB NOT NULL UNIQUE, -- SHA-256 of raw
    raw       BLOB NOT NULL
) STRICT;
CREATE INDEX landing_unsettled ON landing (unit, epoch, stream, first, id) WHERE settled = 0;
CREATE INDEX landing_sessions ON landing (unit, session) WHERE settled = 0;
CREATE INDEX landing_ends ON landing (unit, epoch, stream, last);

CREATE TABLE sessions (             -- key messages, and the sessions that lack one
    unit     TEXT NOT NULL,
    session  BLOB NOT NULL,
    epoch    TEXT NOT NULL,
    state    TEXT NOT NULL,         -- missing; landed; opened; refused: sealed to no key of ours
    since_ms INTEGER NOT NULL,      -- landed, or missed first
    raw      BLOB,                  -- the verified key message
    PRIMARY KEY (unit, session)
) STRICT;
CREATE INDEX sessions_by_epoch ON sessions (unit, epoch, since_ms);
CREATE INDEX sessions_new ON sessions (unit) WHERE state = 'landed';

CREATE TABLE spans (                -- what landed, as the fewest ranges that cover it
    unit   TEXT NOT NULL,
    epoch  TEXT NOT NULL,
    stream TEXT NOT NULL,
    first  INTEGER NOT NULL,
    last   INTEGER NOT NULL,
    head   BLOB NOT NULL,           -- the signed head after last; of two, the one that landed first
    PRIMARY KEY (unit, epoch, stream, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (             -- the last receipt of each level, as it was signed
    level      TEXT NOT NULL,
    unit       TEXT NOT NULL,
    epoch      TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rseq       INTEGER NOT NULL,
    made_ms    INTEGER NOT NULL,
    content    BLOB NOT NULL,       -- digest of what it says beside rseq and time
    raw        BLOB NOT NULL,
    PRIMARY KEY (level, unit, epoch)
) STRICT, WITHOUT ROWID;

CREATE TABLE chains (               -- how far each stream has been opened without a gap
    unit    TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    stream  TEXT NOT NULL,
    through INTEGER NOT NULL,
    head    BLOB NOT NULL,          -- all 32 bytes
    PRIMARY KEY (unit, epoch, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (              -- S_p of each patient; S_0 under an empty patient
    unit    TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    patient BLOB NOT NULL,
    secret  BLOB NOT NULL,
    PRIMARY KEY (unit, epoch, patient)
) STRICT, WITHOUT ROWID;

CREATE TABLE entries (              -- identity plus leaf: another leaf is another row, and a conflict
    unit          TEXT NOT NULL,
    epoch         TEXT NOT NULL,
    stream        TEXT NOT NULL,
    seq           INTEGER NOT NULL,
    leaf          BLOB NOT NULL,
    head          BLOB NOT NULL,
    kind          INTEGER NOT NULL,
    patient       TEXT,             -- hex, as the identifiers below
    request       TEXT,
    device_record TEXT,
    code          TEXT,
    origin_epoch  TEXT,             -- of an entry that was journalled again
    origin_stream TEXT,
    origin_seq    INTEGER,
    batch         INTEGER NOT NULL, -- landing.id
    payload       BLOB NOT NULL,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;

CREATE TABLE patients (             -- every revision; the highest is what is known now
    unit       TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf       BLOB NOT NULL,
    patient    TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    family     TEXT, given TEXT, sex TEXT, birth TEXT, phone TEXT, village TEXT,
    wall_ms    INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX patients_by_id ON patients (patient, revision);

CREATE TABLE identifiers (          -- of one revision of a patient
    unit     TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf     BLOB NOT NULL,
    position INTEGER NOT NULL,
    patient  TEXT NOT NULL,
    system   TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (unit, epoch, stream, seq, leaf, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE encounters (           -- one row when opened, one when closed
    unit      TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf      BLOB NOT NULL,
    encounter TEXT NOT NULL,
    patient   TEXT,
    event     TEXT NOT NULL,        -- opened, closed
    count     INTEGER,              -- observations, when closed
    operator  TEXT,
    wall_ms   INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX encounters_by_patient ON encounters (patient);

CREATE TABLE observations (
    unit          TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf          BLOB NOT NULL,
    patient       TEXT,             -- none: taken into the tray
    encounter     TEXT,
    code          TEXT NOT NULL,
    value         TEXT,             -- decimal, in the unit of the code
    missing       TEXT,             -- why there is no value
    source        INTEGER,
    device        TEXT,
    reading       INTEGER,
    operator      TEXT,
    wall_ms       INTEGER,
    clock_quality INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX observations_by_patient ON observations (patient);

CREATE TABLE alerts (
    unit      TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf      BLOB NOT NULL,
    patient   TEXT,
    encounter TEXT,
    code      TEXT NOT NULL,
    text      TEXT,
    operator  TEXT,
    wall_ms   INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;

CREATE TABLE assignments (          -- one row for each tray observation that found its patient
    unit      TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf      BLOB NOT NULL,
    assigned  INTEGER NOT NULL,     -- seq of the observation
    patient   TEXT,
    encounter TEXT,
    reason    TEXT,
    operator  TEXT,
    PRIMARY KEY (unit, epoch, stream, seq, leaf, assigned)
) STRICT, WITHOUT ROWID;

CREATE TABLE conflicts (            -- one identity, two contents; both are kept
    unit     TEXT NOT NULL,
    epoch    TEXT NOT NULL,
    stream   TEXT NOT NULL,
    seq      INTEGER NOT NULL,
    level    TEXT NOT NULL,         -- landed: two heads; opened: two leaves
    other    BLOB NOT NULL,         -- the head or leaf that came second
    kept     BLOB NOT NULL,         -- the one that came first
    batch    INTEGER NOT NULL,      -- landing.id of the second
    found_ms INTEGER NOT NULL,
    PRIMARY KEY (unit, epoch, stream, seq, level, other)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (           -- validly signed, cannot be opened; never counts as opened
    batch    INTEGER PRIMARY KEY,   -- landing.id
    reason   TEXT NOT NULL,         -- key, decode, head
    code     TEXT NOT NULL,         -- the error's own code
    found_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE alarms (               -- what an operator has to look at
    id        INTEGER PRIMARY KEY,
    code      TEXT NOT NULL,
    unit      TEXT NOT NULL,
    detail    TEXT NOT NULL,        -- identities, never contents
    raised_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE counters (             -- dropped and repeated, by reason; unit is empty for strangers
    unit    TEXT NOT NULL,
    code    TEXT NOT NULL,
    n       INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    PRIMARY KEY (unit, code)
) STRICT, WITHOUT ROWID;
"""

_ADDED_IN_2: Final = """
ALTER TABLE assignments ADD COLUMN assigned_epoch TEXT; -- of what was assigned, as it was called first

CREATE INDEX entries_by_origin ON entries (origin_epoch, origin_stream, origin_seq)
    WHERE origin_epoch IS NOT NULL;

CREATE TABLE lineage (              -- epochs that came after another one: the store went back in time
    unit     TEXT NOT NULL,
    epoch    TEXT NOT NULL,
    parent   TEXT NOT NULL,
    matched  TEXT NOT NULL,         -- JSON: up to which entry of each stream the parent is its history
    began_ms INTEGER NOT NULL,      -- by the unit's clock
    PRIMARY KEY (unit, epoch)
) STRICT, WITHOUT ROWID;
CREATE INDEX lineage_by_parent ON lineage (unit, parent);

CREATE TABLE clones (               -- an epoch that was written to after another had come after it
    unit     TEXT NOT NULL,
    epoch    TEXT NOT NULL,
    stream   TEXT NOT NULL,
    seq      INTEGER NOT NULL,      -- the first such entry that was seen
    found_ms INTEGER NOT NULL,
    PRIMARY KEY (unit, epoch)
) STRICT, WITHOUT ROWID;
"""
"""What made schema 2 of schema 1: going back in time."""


def create(path: Path) -> None:
    """Make the database file with its tables.

    Raises:
        CentreDatabaseError: the SQLite library is too old, or the disk does not take the file.
    """
    connection = _connect(path)
    try:
        with write(connection):
            _run(connection, _TABLES)
            _run(connection, _ADDED_IN_2)
            connection.execute(f"PRAGMA user_version={SCHEMA}")
    finally:
        connection.close()
    path.chmod(0o600)


def connect(path: Path) -> Connection:
    """Open the database that `create` made.

    Raises:
        CentreDatabaseError: it is not there, is damaged, cannot be written, has another version, or the
            SQLite library is too old.
    """
    if not path.is_file():
        raise CentreDatabaseError(
            f"There is no centre's database at {path}.",
            next_step="make the centre with `qafila central init`, or name its --home.",
            code="centre-missing",
        )
    connection = _connect(path)
    try:
        with trouble.understood():
            _check_schema(connection)
            _check_pages(connection, path.stat().st_size)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def write(connection: Connection) -> Generator[None]:
    """One durable transaction: everything in it, or nothing.

    Raises:
        CentreDatabaseError: the disk is full, read-only or fails, the file is damaged, or another process
            holds the database too long.
    """
    with trouble.understood():
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def raise_alarm(connection: Connection, code: str, unit: str, detail: str, now_ms: int) -> None:
    """Put something before the operator; ``detail`` holds identities only."""
    connection.execute(
        "INSERT INTO alarms (code, unit, detail, raised_ms) VALUES (?, ?, ?, ?)", (code, unit, detail, now_ms)
    )


def count(connection: Connection, code: str, unit: str, n: int, now_ms: int) -> None:
    """Add to a counter."""
    connection.execute(
        "INSERT INTO counters (unit, code, n, last_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (unit, code) DO UPDATE SET n = n + excluded.n, last_ms = excluded.last_ms",
        (unit, code, n, now_ms),
    )


def _connect(path: Path) -> Connection:
    if _sqlite.sqlite_version_info < _OLDEST_SQLITE:
        raise CentreDatabaseError(
            f"The SQLite library is {_sqlite.sqlite_version}, older than 3.51.3, and may damage a database "
            "that two processes write.",
            next_step="install sqlcipher3 0.6.4 or later.",
            code="sqlite-too-old",
        )
    with trouble.understood():
        connection = _sqlite.connect(str(path), isolation_level=None)
        try:
            connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA trusted_schema=OFF")
            connection.execute("PRAGMA cache_size=-16384")
            connection.execute("PRAGMA journal_size_limit=67108864")
        except BaseException:
            connection.close()
            raise
    return connection


def _run(connection: Connection, statements: str) -> None:
    for statement in re.split(r";(?: *--[^\n]*)?\n", statements):
        if statement.strip():
            connection.execute(statement)


def _bring_up_to_date(connection: Connection) -> None:
    """Take a database of schema 1 to schema 2, in one transaction, whichever process comes first."""
    if connection.execute("PRAGMA user_version").fetchone() != (1,):
        return
    with write(connection):
        if connection.execute("PRAGMA user_version").fetchone() == (1,):
            _run(connection, _ADDED_IN_2)
            connection.execute("UPDATE assignments SET assigned_epoch = epoch")
            connection.execute("PRAGMA user_version=2")


def _check_schema(connection: Connection) -> None:
    _bring_up_to_date(connection)
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != SCHEMA:
        raise CentreDatabaseError(
            f"The centre's database has schema {version}; this program knows schema {SCHEMA}.",
            next_step="run the version of Qafila that made it.",
            code="centre-schema",
        )


def _check_pages(connection: Connection, size: int) -> None:
    """Look for damage before it is stood upon; in a large database, in its small tables only.

    The rest is noticed when it is met: `trouble.understood` has a word for it then.
    """
    checks = ["quick_check(1)"]
    if size > _CHECKED_WHOLE_BYTES:
        checks = [f"quick_check({table})" for table in _ALWAYS_CHECKED]
    for check in checks:
        if connection.execute(f"PRAGMA {check}").fetchone() != ("ok",):
            raise trouble.damaged()
