"""The centre's tables of waves and of bytes that stood beside entries."""

from typing import Final

WAVES: Final = """
CREATE TABLE blobs (                -- bytes that stood beside entries, by their SHA-256
    patient TEXT NOT NULL,          -- empty where there is none
    hash    BLOB NOT NULL,
    size    INTEGER NOT NULL,
    came_ms INTEGER NOT NULL,
    data    BLOB NOT NULL,
    PRIMARY KEY (patient, hash)
) STRICT;

CREATE TABLE waveforms (            -- one signal of one device, all its leads
    unit      TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf      BLOB NOT NULL,
    waveform  TEXT NOT NULL,        -- hex
    encounter TEXT,
    patient   TEXT,
    code      TEXT NOT NULL,
    device    TEXT,
    source    INTEGER,
    leads     TEXT NOT NULL,        -- JSON
    wave_unit TEXT,                 -- of step
    step      TEXT NOT NULL,        -- decimal: what one count is
    rate      TEXT NOT NULL,        -- decimal, samples a second
    operator  TEXT,
    wall_ms   INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX waveforms_by_id ON waveforms (waveform);
CREATE INDEX waveforms_by_patient ON waveforms (patient);

CREATE TABLE wave_chunks (          -- the samples stand in blobs
    unit             TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf             BLOB NOT NULL,
    waveform         TEXT NOT NULL,
    number           INTEGER NOT NULL, -- from 1 without gaps
    patient          TEXT,
    samples          INTEGER NOT NULL, -- of each lead
    hash             BLOB NOT NULL,
    size             INTEGER NOT NULL,
    boot             TEXT,
    first_ms         INTEGER,
    gaps             TEXT NOT NULL, -- JSON, as wire.md has it; so are flaws
    flaws            TEXT NOT NULL,
    rate_found       TEXT,
    rate_uncertainty TEXT,
    wall_ms          INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX wave_chunks_by_id ON wave_chunks (waveform, number);

CREATE TABLE wave_ends (
    unit     TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf     BLOB NOT NULL,
    waveform TEXT NOT NULL,
    patient  TEXT,
    chunks   INTEGER NOT NULL,
    ended    TEXT,                  -- whole, interrupted
    wall_ms  INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX wave_ends_by_id ON wave_ends (waveform);
"""
"""What made schema 8 of schema 7: waves and their samples."""

PREVIEWS: Final = """
CREATE TABLE wave_previews (        -- some seconds of one lead, thinned out, that come with the vitals
    unit      TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf      BLOB NOT NULL,
    waveform  TEXT NOT NULL,
    encounter TEXT,
    patient   TEXT,
    code      TEXT NOT NULL,
    leads     TEXT NOT NULL,        -- JSON, one
    wave_unit TEXT,
    step      TEXT NOT NULL,
    rate      TEXT NOT NULL,        -- of these samples
    chunk     INTEGER,              -- in which they begin
    samples   INTEGER,
    data      BLOB NOT NULL,        -- encoded as a chunk is
    wall_ms   INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX wave_previews_by_id ON wave_previews (waveform);
"""
"""What was added next: previews."""
