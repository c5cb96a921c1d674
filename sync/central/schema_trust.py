"""The centre's tables of trust: revoked units, what is held of them, who knows which keys."""

from typing import Final

TRUST: Final = """
CREATE TABLE revocations (          -- units that are not believed as before
    unit       TEXT PRIMARY KEY,
    state      TEXT NOT NULL,       -- retired, compromised
    reason     TEXT NOT NULL,
    given_by   TEXT NOT NULL,
    revoked_ms INTEGER NOT NULL,
    held       INTEGER NOT NULL,    -- how many messages are held
    held_bytes INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE revoked_at (           -- up to which entry a revoked unit is taken as before
    unit    TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    stream  TEXT NOT NULL,
    through INTEGER NOT NULL,
    PRIMARY KEY (unit, epoch, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE approvals (            -- what an operator lets land all the same
    unit        TEXT NOT NULL,
    epoch       TEXT NOT NULL,
    stream      TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    given_by    TEXT NOT NULL,
    approved_ms INTEGER NOT NULL,
    PRIMARY KEY (unit, epoch, stream, first, last)
) STRICT, WITHOUT ROWID;

CREATE TABLE held (                 -- validly signed by a revoked unit; it has not landed
    digest  BLOB PRIMARY KEY,       -- SHA-256 of raw
    unit    TEXT NOT NULL,
    epoch   TEXT NOT NULL,
    stream  TEXT NOT NULL,
    first   INTEGER NOT NULL,
    last    INTEGER NOT NULL,
    came_ms INTEGER NOT NULL,
    raw     BLOB NOT NULL
) STRICT;
CREATE INDEX held_by_unit ON held (unit, epoch, stream, first);

CREATE TABLE keysets_of_units (     -- the keyset that a unit has said it believes, in its audit trail
    unit    TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    told_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""
