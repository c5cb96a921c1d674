"""The table of what units say of themselves."""

from typing import Final

HEALTH: Final = """
CREATE TABLE health (               -- how a unit was, each time it said so
    unit    TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf    BLOB NOT NULL,
    wall_ms INTEGER,                -- by the unit's clock
    quality INTEGER,                -- of that clock
    said    TEXT NOT NULL,          -- JSON: what it said, by name
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
"""
"""What made schema 16 of schema 15: how units are."""
