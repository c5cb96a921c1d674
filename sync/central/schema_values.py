"""The tables of values beside the first ones."""

from typing import Final

CORRECTIONS: Final = """
CREATE TABLE corrections (          -- which observation stands in the place of which; both are kept
    unit            TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf            BLOB NOT NULL,
    corrected_epoch TEXT NOT NULL,  -- what it was called first, in the unit's vitals
    corrected_seq   INTEGER NOT NULL,
    reason          TEXT,
    operator        TEXT,
    wall_ms         INTEGER,        -- when the value was taken
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX corrections_by_corrected ON corrections (unit, corrected_epoch, corrected_seq);
"""
"""What made schema 14 of schema 13: values that were put right."""
