"""The centre's tables of photos and documents; their bytes stand in ``blobs``, as samples of waves do."""

from typing import Final

ATTACHMENTS: Final = """
CREATE TABLE attachments (          -- what a request has with it
    unit       TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf       BLOB NOT NULL,
    attachment TEXT NOT NULL,       -- hex, as request and patient
    request    TEXT NOT NULL,
    patient    TEXT NOT NULL,
    media      TEXT NOT NULL,
    caption    TEXT,
    hash       BLOB NOT NULL,       -- SHA-256 of the whole file
    size       INTEGER NOT NULL,
    parts      INTEGER NOT NULL,
    operator   TEXT,
    wall_ms    INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachments_by_id ON attachments (attachment);
CREATE INDEX attachments_by_request ON attachments (request);

CREATE TABLE attachment_parts (     -- the bytes stand in blobs
    unit       TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf       BLOB NOT NULL,
    attachment TEXT NOT NULL,
    number     INTEGER NOT NULL,    -- from 1 without gaps
    patient    TEXT,
    hash       BLOB NOT NULL,
    size       INTEGER NOT NULL,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachment_parts_by_id ON attachment_parts (attachment, number);
"""
