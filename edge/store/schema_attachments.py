"""The tables of photos and documents that requests have with them."""

from typing import Final

ADDED_IN_9: Final = (
    # What a request has with it. hash: SHA-256 of the whole file, which stands in parts beside it.
    """
    CREATE TABLE attachments (
        entry      INTEGER PRIMARY KEY REFERENCES journal,
        attachment BLOB NOT NULL UNIQUE CHECK (length(attachment) = 16),
        request    BLOB NOT NULL CHECK (length(request) = 16),
        patient    BLOB NOT NULL,
        media      TEXT NOT NULL,
        caption    TEXT NOT NULL,
        hash       BLOB NOT NULL CHECK (length(hash) = 32),
        size       INTEGER NOT NULL CHECK (size >= 1),
        parts      INTEGER NOT NULL CHECK (parts >= 1),
        operator   TEXT,
        wall_ms    INTEGER
    ) STRICT
    """,
    "CREATE INDEX attachments_of_request ON attachments (request, entry)",
    "CREATE INDEX attachments_of_patient ON attachments (patient, entry)",
    # data: a piece of the file; the entry holds its hash, so that it may go one day and the chain stays.
    """
    CREATE TABLE attachment_parts (
        entry      INTEGER PRIMARY KEY REFERENCES journal,
        attachment BLOB NOT NULL,
        number     INTEGER NOT NULL CHECK (number >= 1),
        patient    BLOB NOT NULL,
        hash       BLOB NOT NULL CHECK (length(hash) = 32),
        size       INTEGER NOT NULL CHECK (size >= 1),
        data       BLOB,
        UNIQUE (attachment, number)
    ) STRICT
    """,
)
"""What made version 9 of version 8: photos and documents."""
