"""The tables of what specialists are asked and of what comes down from the centre."""

from typing import Final

ADDED_IN_8: Final = (
    # What specialists are asked. attached: JSON, [[epoch in hex, stream, seq], ...]; recordings: JSON, ids in
    # hex; state: as edge.records.expertise moves it.
    """
    CREATE TABLE expertise (
        entry      INTEGER PRIMARY KEY REFERENCES journal,
        request    BLOB NOT NULL UNIQUE CHECK (length(request) = 16),
        patient    BLOB NOT NULL REFERENCES patients,
        encounter  BLOB REFERENCES encounters,
        specialty  TEXT NOT NULL,
        urgency    TEXT NOT NULL,
        act        TEXT NOT NULL,
        basis      TEXT NOT NULL,
        question   TEXT NOT NULL,
        attached   TEXT NOT NULL,
        recordings TEXT NOT NULL,
        operator   TEXT,
        wall_ms    INTEGER,
        state      TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX expertise_of_patient ON expertise (patient, entry)",
    # What came down, once each, however often it was sealed. content stands beside the entry, which holds
    # its digest; patient and request: whom and what it is about. A message that could not be applied has an
    # outcome and no content.
    """
    CREATE TABLE inbox (
        entry       INTEGER PRIMARY KEY REFERENCES journal,
        message     BLOB NOT NULL UNIQUE CHECK (length(message) = 16),
        kind        TEXT NOT NULL,
        outcome     TEXT NOT NULL,
        patient     BLOB,
        request     BLOB,
        digest      BLOB NOT NULL CHECK (length(digest) = 32),
        content     BLOB,
        signer      BLOB,
        made_ms     INTEGER,
        received_ms INTEGER,
        read_ms     INTEGER,
        read_by     TEXT
    ) STRICT
    """,
    "CREATE INDEX inbox_of_request ON inbox (request, entry) WHERE request IS NOT NULL",
    "CREATE INDEX inbox_unread ON inbox (entry) WHERE read_ms IS NULL",
    # Whom the centre expects here, until when; person: JSON, as it came down. Nobody of them is a patient
    # of this unit before they are entered.
    """
    CREATE TABLE expected (
        patient    BLOB PRIMARY KEY CHECK (length(patient) = 16),
        person     TEXT NOT NULL,
        norm       TEXT NOT NULL,
        expires_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)
"""What made version 8 of version 7: what specialists are asked and what comes down."""
