"""The centre's tables of what units ask specialists, and of what goes down to units."""

from typing import Final

DOWN: Final = """
CREATE TABLE requests (             -- what specialists are asked
    unit       TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf       BLOB NOT NULL,
    request    TEXT NOT NULL,       -- hex, as the identifiers below
    patient    TEXT NOT NULL,
    encounter  TEXT,
    specialty  TEXT NOT NULL,
    urgency    TEXT NOT NULL,
    act        TEXT,
    basis      TEXT,                -- consent, emergency
    question   TEXT NOT NULL,
    sex        TEXT,                -- with an urgent one, as all that it rests on
    birth      TEXT,
    attached   TEXT NOT NULL,       -- JSON: epoch in hex, stream's number, seq of what it is about
    recordings TEXT NOT NULL,       -- JSON: ids of waveforms
    snapshot   TEXT NOT NULL,       -- JSON: code, decimal or null, why there is none or null, wall ms
    operator   TEXT,
    wall_ms    INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_id ON requests (request);
CREATE INDEX requests_by_patient ON requests (patient);

CREATE TABLE request_changes (      -- closed or withdrawn on the unit
    unit     TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf     BLOB NOT NULL,
    request  TEXT NOT NULL,
    patient  TEXT,
    event    TEXT NOT NULL,
    reason   TEXT,
    operator TEXT,
    wall_ms  INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_changes_by_id ON request_changes (request);

CREATE TABLE down_news (            -- what units say of what was sent to them
    unit     TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf     BLOB NOT NULL,
    message  TEXT NOT NULL,
    patient  TEXT,
    request  TEXT,
    event    TEXT NOT NULL,         -- received, read
    kind     TEXT,
    outcome  TEXT,                  -- applied, or the code of what kept it from being applied
    digest   BLOB,
    operator TEXT,
    wall_ms  INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX down_news_by_message ON down_news (message);
CREATE INDEX down_news_by_request ON down_news (request);

CREATE TABLE outbox (               -- what the centre says to units
    message TEXT PRIMARY KEY,
    unit    TEXT NOT NULL,
    use     TEXT NOT NULL,
    kind    TEXT NOT NULL,
    patient TEXT,
    request TEXT,
    made_by TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    payload BLOB NOT NULL,          -- CBOR of kind and body
    epoch   TEXT                    -- of the unit, for which it is sealed or in which it was received
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_by_unit ON outbox (unit, made_ms);
CREATE INDEX outbox_by_request ON outbox (request);

CREATE TABLE outbox_sealed (        -- each time one of them was sealed
    unit      TEXT NOT NULL,
    dseq      INTEGER NOT NULL,
    message   TEXT NOT NULL,
    epoch     TEXT NOT NULL,
    kid       BLOB NOT NULL,        -- of the key that signed it
    state     TEXT NOT NULL,        -- sent; over: to be taken back from the broker; done
    sealed_ms INTEGER NOT NULL,
    raw       BLOB NOT NULL,
    PRIMARY KEY (unit, dseq)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_sealed_by_message ON outbox_sealed (message);
CREATE INDEX outbox_sealed_not_done ON outbox_sealed (state) WHERE state <> 'done';
"""

PEOPLE: Final = """
CREATE TABLE outbox_people (        -- whom a unit was told to expect, by the message that said so
    message TEXT NOT NULL,
    patient TEXT NOT NULL,
    PRIMARY KEY (message, patient)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_people_by_patient ON outbox_people (patient);
"""
