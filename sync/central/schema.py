"""The centre's tables, and how a database of an earlier schema gets them.

Identities stand in the clear: ``epoch`` as hex text, ``stream`` as its word. Opened batches fill the
tables from ``entries`` down; a row there has passed its signature and its chain.
"""

from typing import Final

from sync.central import (
    schema_attachments,
    schema_down,
    schema_health,
    schema_trust,
    schema_values,
    schema_waves,
)

TABLES: Final = """
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

_ADDED_IN_3: Final = """
CREATE TABLE erasures (             -- whom two people ordered to be erased
    erasure    TEXT PRIMARY KEY,    -- hex, as the identifiers below
    patient    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    authority  TEXT NOT NULL,       -- JSON: the two
    ordered_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE erased_people (        -- the patient, and whom a unit found to be the same person
    patient TEXT NOT NULL,
    erasure TEXT NOT NULL,
    PRIMARY KEY (patient, erasure)
) STRICT, WITHOUT ROWID;

CREATE TABLE erasures_of_units (    -- who was told, and who has said that it is done
    erasure TEXT NOT NULL,
    unit    TEXT NOT NULL,
    done_ms INTEGER,
    PRIMARY KEY (erasure, unit)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (               -- what goes down to a unit: every order there ever was, in one message
    unit   TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    raw    BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
"""What made schema 3 of schema 2: erasing. The payload of an erased entry is empty."""

_ADDED_IN_4: Final = """
CREATE TABLE grants (               -- which unit goes on with what a lost one wrote, by a backup of it
    unit       TEXT NOT NULL,
    former     TEXT NOT NULL,
    backup     TEXT NOT NULL,       -- hex
    reason     TEXT NOT NULL,
    given_by   TEXT NOT NULL,
    granted_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX grants_by_unit ON grants (unit);
CREATE INDEX grants_by_former ON grants (former);
"""
"""What made schema 4 of schema 3: one unit that takes another's place."""

_ADDED_IN_5: Final = """
ALTER TABLE patients ADD COLUMN family_arabic TEXT;
ALTER TABLE patients ADD COLUMN given_arabic TEXT;
ALTER TABLE patients ADD COLUMN birth_estimated INTEGER; -- 1: told by guess
ALTER TABLE encounters ADD COLUMN site TEXT;             -- hex, where it was opened

CREATE TABLE consents (             -- every decision; the highest revision of a patient and scope holds
    unit     TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf     BLOB NOT NULL,
    patient  TEXT NOT NULL,
    scope    TEXT NOT NULL,
    revision INTEGER NOT NULL,
    decision TEXT NOT NULL,
    given_by TEXT, form TEXT, language TEXT, witness TEXT,
    operator TEXT,
    wall_ms  INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX consents_by_patient ON consents (patient, scope, revision);

CREATE TABLE merges (               -- the highest revision of a duplicate says whether it is one
    unit      TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf      BLOB NOT NULL,
    duplicate TEXT NOT NULL,
    patient   TEXT NOT NULL,        -- who it is
    event     TEXT NOT NULL,        -- merged, unmerged
    revision  INTEGER NOT NULL,
    reason    TEXT,
    operator  TEXT,
    wall_ms   INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX merges_by_duplicate ON merges (duplicate, revision);
CREATE INDEX merges_by_patient ON merges (patient);

CREATE TABLE sites (                -- every arrival; the last name of a site stands
    unit     TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf     BLOB NOT NULL,
    site     TEXT NOT NULL,         -- hex
    name     TEXT NOT NULL,
    operator TEXT,
    wall_ms  INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX sites_by_id ON sites (site);
"""
"""What made schema 5 of schema 4: second scripts, consent, merged patients, sites."""

_ADDED_IN_6: Final = """
ALTER TABLE encounters ADD COLUMN latitude_e7 INTEGER;  -- 1e-7 degrees, where the unit stood
ALTER TABLE encounters ADD COLUMN longitude_e7 INTEGER;

CREATE TABLE devices (              -- what a device said of itself, each time it said something else
    unit         TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf         BLOB NOT NULL,
    device       TEXT NOT NULL,     -- as unit.toml calls it; holds for its observations from here on
    kind         TEXT,
    manufacturer TEXT, model TEXT, serial TEXT, firmware TEXT,
    battery      INTEGER,           -- percent
    wall_ms      INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX devices_by_key ON devices (unit, device);

CREATE TABLE clocks (               -- by how much the wall times of one boot are to be corrected
    unit      TEXT NOT NULL, epoch TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
    leaf      BLOB NOT NULL,
    boot      TEXT NOT NULL,        -- hex
    source    INTEGER NOT NULL,     -- what knew better
    offset_ms INTEGER NOT NULL,     -- to be added; of one boot the last holds
    wall_ms   INTEGER,
    PRIMARY KEY (unit, epoch, stream, seq, leaf)
) STRICT, WITHOUT ROWID;
CREATE INDEX clocks_by_boot ON clocks (unit, boot);
"""
"""What made schema 6 of schema 5: devices, clocks, and where a visit was."""

_ADDED_IN_7: Final = """
CREATE TABLE losses (               -- entries that a unit reports lost; the centre may have them from before
    unit        TEXT NOT NULL,
    epoch       TEXT NOT NULL,
    stream      TEXT NOT NULL,
    first       INTEGER NOT NULL,
    last        INTEGER NOT NULL,
    reason      TEXT NOT NULL,
    reported_ms INTEGER NOT NULL,
    PRIMARY KEY (unit, epoch, stream, first, last)
) STRICT, WITHOUT ROWID;
"""
"""What made schema 7 of schema 6: losses that units report."""

_ADDED_IN_9: Final = """
CREATE TABLE work (                 -- what exploders have to look at
    unit   TEXT NOT NULL,
    epoch  TEXT NOT NULL,
    stream TEXT NOT NULL,           -- empty: the key messages of the epoch
    n      INTEGER NOT NULL,        -- rises with every reason to look
    due_ms INTEGER NOT NULL,        -- not before
    PRIMARY KEY (unit, epoch, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_due ON work (due_ms, unit, epoch, stream);
"""
"""What made schema 9 of schema 8: exploders side by side. The first that starts notes what is there."""

STEPS: Final = {
    2: _ADDED_IN_2,
    3: _ADDED_IN_3,
    4: _ADDED_IN_4,
    5: _ADDED_IN_5,
    6: _ADDED_IN_6,
    7: _ADDED_IN_7,
    8: schema_waves.WAVES,
    9: _ADDED_IN_9,
    10: schema_trust.TRUST,
    11: schema_waves.PREVIEWS,
    12: schema_down.DOWN,
    13: schema_down.PEOPLE,
    14: schema_values.CORRECTIONS,
    15: schema_attachments.ATTACHMENTS,
    16: schema_health.HEALTH,
}
"""The statements that make each schema of the one before."""

COMPUTED: Final = {2: "UPDATE assignments SET assigned_epoch = epoch;\n"}
"""What the rows that are there need beside, by the same number."""

VERSION: Final = max(STEPS)
"""Kept in ``PRAGMA user_version``."""
