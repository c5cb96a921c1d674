"""The tables. The journal is the truth; every other table of records is what it adds up to.

Rows of patients, encounters, observations and alerts are made from journal entries in the transaction
that appends them (`edge.store.projection`), so they can be made again.

Tables that grow at their end have an integer key: SQLite then fills one page after the other, where any
other key would have it shuffle three pages at every split, each encrypted and written again.
"""

from typing import Final

from edge.store.patient_index import TABLES_DDL
from edge.store.schema_attachments import ADDED_IN_9
from edge.store.schema_down import ADDED_IN_8

VERSION: Final = 9
"""Kept in ``PRAGMA user_version``."""

DDL_1: Final = (
    # What belongs to the whole store: unit, realm, identity keys, generation of the slots.
    """
    CREATE TABLE meta (
        name  TEXT PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # The highest number is the present epoch. secret is S_0.
    """
    CREATE TABLE epochs (
        number   INTEGER PRIMARY KEY,
        epoch    BLOB NOT NULL UNIQUE CHECK (length(epoch) = 8),
        secret   BLOB NOT NULL CHECK (length(secret) = 32),
        readings INTEGER NOT NULL DEFAULT 0
    ) STRICT
    """,
    """
    CREATE TABLE streams (
        epoch   INTEGER NOT NULL REFERENCES epochs,
        stream  INTEGER NOT NULL CHECK (stream BETWEEN 0 AND 4),
        tip     INTEGER NOT NULL,
        head    BLOB NOT NULL CHECK (length(head) = 32),
        landed  INTEGER NOT NULL DEFAULT 0 CHECK (landed BETWEEN 0 AND tip),
        opened  INTEGER NOT NULL DEFAULT 0 CHECK (opened BETWEEN 0 AND tip),
        stopped TEXT,
        PRIMARY KEY (epoch, stream)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE journal (
        id      INTEGER PRIMARY KEY,
        epoch   INTEGER NOT NULL REFERENCES epochs,
        stream  INTEGER NOT NULL CHECK (stream BETWEEN 0 AND 4),
        seq     INTEGER NOT NULL CHECK (seq >= 1),
        kind    INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 255),
        patient BLOB,
        payload BLOB,
        leaf    BLOB NOT NULL CHECK (length(leaf) = 32),
        head    BLOB NOT NULL CHECK (length(head) = 32),
        UNIQUE (epoch, stream, seq)
    ) STRICT
    """,
    """
    CREATE TRIGGER journal_is_never_edited BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    """
    CREATE TRIGGER journal_is_never_shortened BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    # What the journal knows of a patient. secret is S_p; carried the epoch whose vitals stream has told it
    # to the centre. alert to audit: the patient's last entry in each stream of that epoch, by which a list
    # shows how far each patient has got.
    """
    CREATE TABLE patient_chains (
        patient BLOB PRIMARY KEY CHECK (length(patient) = 16),
        secret  BLOB NOT NULL CHECK (length(secret) = 32),
        carried INTEGER REFERENCES epochs,
        epoch   INTEGER NOT NULL REFERENCES epochs,
        alert   INTEGER NOT NULL DEFAULT 0,
        vitals  INTEGER NOT NULL DEFAULT 0,
        doc     INTEGER NOT NULL DEFAULT 0,
        wave    INTEGER NOT NULL DEFAULT 0,
        audit   INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID
    """,
    # identifiers: JSON, [[system, value], ...]; norm: what a search looks at.
    """
    CREATE TABLE patients (
        patient     BLOB PRIMARY KEY CHECK (length(patient) = 16),
        revision    INTEGER NOT NULL,
        family      TEXT NOT NULL,
        given       TEXT NOT NULL,
        sex         TEXT NOT NULL,
        birth       TEXT,
        phone       TEXT,
        village     TEXT,
        identifiers TEXT NOT NULL,
        norm        TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # For finding and for keeping them unique; as a person wrote them they stand in patients.identifiers.
    """
    CREATE TABLE identifiers (
        system  TEXT NOT NULL,
        norm    TEXT NOT NULL,
        patient BLOB NOT NULL REFERENCES patients,
        PRIMARY KEY (system, norm)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE encounters (
        encounter BLOB PRIMARY KEY CHECK (length(encounter) = 16),
        patient   BLOB NOT NULL REFERENCES patients,
        operator  TEXT NOT NULL,
        opened_ms INTEGER NOT NULL,
        closed_ms INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX encounters_of_patient ON encounters (patient, opened_ms)",
    "CREATE INDEX encounters_open ON encounters (opened_ms) WHERE closed_ms IS NULL",
    # No encounter: it lies in the tray.
    """
    CREATE TABLE observations (
        entry            INTEGER PRIMARY KEY REFERENCES journal,
        encounter        BLOB REFERENCES encounters,
        patient          BLOB,
        code             TEXT NOT NULL,
        value            TEXT,
        missing          TEXT,
        source           INTEGER NOT NULL,
        device           TEXT,
        device_record    BLOB,
        device_time      TEXT,
        reading          INTEGER,
        flags            TEXT NOT NULL,
        confirmed        TEXT,
        operator         TEXT,
        wall_ms          INTEGER,
        boot             BLOB,
        monotonic_ms     INTEGER,
        clock_quality    INTEGER,
        supersedes_epoch BLOB,
        supersedes_seq   INTEGER,
        CHECK ((value IS NULL) <> (missing IS NULL))
    ) STRICT
    """,
    "CREATE INDEX observations_of_encounter ON observations (encounter) WHERE encounter IS NOT NULL",
    "CREATE INDEX observations_in_tray ON observations (entry) WHERE encounter IS NULL",
    # One stored record of a device gives one value per code, however often the device is read out.
    """
    CREATE INDEX observations_of_device_record ON observations (device_record, code)
        WHERE device_record IS NOT NULL
    """,
    """
    CREATE TABLE alerts (
        entry     INTEGER PRIMARY KEY REFERENCES journal,
        patient   BLOB,
        encounter BLOB,
        code      TEXT NOT NULL,
        text      TEXT,
        operator  TEXT,
        wall_ms   INTEGER
    ) STRICT
    """,
    # What each command was answered, so that a command repeated after a lost answer commits nothing.
    """
    CREATE TABLE requests (
        request TEXT PRIMARY KEY,
        answer  BLOB NOT NULL,
        at_ms   INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE receipts (
        epoch      INTEGER NOT NULL REFERENCES epochs,
        level      TEXT NOT NULL,
        generation INTEGER NOT NULL,
        rseq       INTEGER NOT NULL,
        PRIMARY KEY (epoch, level, generation)
    ) STRICT, WITHOUT ROWID
    """,
    # The bytes a device sent, kept a while as evidence for a technician; they travel only on request.
    """
    CREATE TABLE raw_frames (
        epoch   INTEGER NOT NULL REFERENCES epochs,
        reading INTEGER NOT NULL,
        raw     BLOB NOT NULL,
        at_ms   INTEGER NOT NULL,
        PRIMARY KEY (epoch, reading)
    ) STRICT
    """,
)
"""Version 1, never edited again."""

ADDED_IN_2: Final = (
    # What the devices said of themselves, a row each time it changed. An observation was made by what
    # the latest row before it says of its device.
    """
    CREATE TABLE devices (
        entry        INTEGER PRIMARY KEY REFERENCES journal,
        device       TEXT NOT NULL,
        kind         TEXT NOT NULL,
        manufacturer TEXT NOT NULL,
        model        TEXT NOT NULL,
        serial       TEXT NOT NULL,
        firmware     TEXT NOT NULL,
        battery      INTEGER,
        wall_ms      INTEGER
    ) STRICT
    """,
    "CREATE INDEX devices_by_key ON devices (device, entry)",
    # Seconds by which the clock of device_time was ahead of the box's.
    "ALTER TABLE observations ADD COLUMN clock_off_s INTEGER",
    # leads: JSON list of names; step, rate and rate_found: decimal text. chunks and samples count what is
    # committed; ended is empty while it is being recorded, or was when the agent stopped.
    """
    CREATE TABLE waveforms (
        entry            INTEGER PRIMARY KEY REFERENCES journal,
        waveform         BLOB NOT NULL UNIQUE CHECK (length(waveform) = 16),
        encounter        BLOB NOT NULL REFERENCES encounters,
        patient          BLOB NOT NULL,
        code             TEXT NOT NULL,
        device           TEXT NOT NULL,
        source           INTEGER NOT NULL,
        leads            TEXT NOT NULL,
        unit             TEXT NOT NULL,
        step             TEXT NOT NULL,
        rate             TEXT NOT NULL,
        wall_ms          INTEGER NOT NULL,
        chunks           INTEGER NOT NULL DEFAULT 0,
        samples          INTEGER NOT NULL DEFAULT 0,
        rate_found       TEXT,
        rate_uncertainty TEXT,
        ended            TEXT
    ) STRICT
    """,
    "CREATE INDEX waveforms_of_encounter ON waveforms (encounter)",
    "CREATE INDEX waveforms_not_ended ON waveforms (entry) WHERE ended IS NULL",
    # data: as edge.signals.wavecodec writes it; the entry holds its hash, so that it may go one day and
    # the chain stays whole. codec and crc32 are copied out of it. gaps and flaws: JSON.
    """
    CREATE TABLE waveform_chunks (
        entry    INTEGER PRIMARY KEY REFERENCES journal,
        waveform BLOB NOT NULL REFERENCES waveforms (waveform),
        number   INTEGER NOT NULL CHECK (number >= 1),
        samples  INTEGER NOT NULL CHECK (samples >= 1),
        first_ms INTEGER NOT NULL,
        gaps     TEXT NOT NULL,
        flaws    TEXT NOT NULL,
        hash     BLOB NOT NULL CHECK (length(hash) = 32),
        codec    INTEGER,
        crc32    INTEGER,
        data     BLOB,
        UNIQUE (waveform, number)
    ) STRICT
    """,
)
"""What made version 2 of version 1. A store of version 1 gets there by these very statements."""

ADDED_IN_3: Final = (
    # What the full-text tables know a patient by; in the order of entering.
    "ALTER TABLE patients ADD COLUMN number INTEGER",
    "CREATE UNIQUE INDEX patients_by_number ON patients (number)",
    "CREATE INDEX identifiers_by_norm ON identifiers (norm)",
    *TABLES_DDL,
)
"""What made version 3 of version 2: the patient index; `edge.store.patient_index` fills it."""

ADDED_IN_4: Final = (
    # An epoch that began because the store had gone back in time; entry in journal_again is still to be
    # journalled again in the present epoch, entry in origins has been, from what it was called first.
    """
    CREATE TABLE forks (
        epoch  INTEGER PRIMARY KEY REFERENCES epochs,
        parent INTEGER NOT NULL REFERENCES epochs,
        reason TEXT NOT NULL,
        at_ms  INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE TABLE journal_again (entry INTEGER PRIMARY KEY REFERENCES journal) STRICT",
    """
    CREATE TABLE origins (
        entry  INTEGER PRIMARY KEY REFERENCES journal,
        epoch  BLOB NOT NULL CHECK (length(epoch) = 8),
        stream INTEGER NOT NULL CHECK (stream BETWEEN 0 AND 4),
        seq    INTEGER NOT NULL CHECK (seq >= 1)
    ) STRICT
    """,
)
"""What made version 4 of version 3: going back in time."""

ADDED_IN_5: Final = (
    # What unlocks a device: of this box alone, so it stands in no journal and never travels.
    """
    CREATE TABLE device_secrets (
        device TEXT PRIMARY KEY,
        secret BLOB NOT NULL CHECK (length(secret) BETWEEN 1 AND 64)
    ) STRICT, WITHOUT ROWID
    """,
)
"""What made version 5 of version 4: the secrets of devices."""

ADDED_IN_6: Final = (
    # family and given are in Latin letters, or what a store of an earlier version was given.
    "ALTER TABLE patients ADD COLUMN family_arabic TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE patients ADD COLUMN given_arabic TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE patients ADD COLUMN birth_estimated INTEGER NOT NULL DEFAULT 0",
    # Who this patient turned out to be, entered once more; links counts how often that was changed.
    "ALTER TABLE patients ADD COLUMN merged_into BLOB REFERENCES patients",
    "ALTER TABLE patients ADD COLUMN links INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX patients_merged ON patients (merged_into) WHERE merged_into IS NOT NULL",
    # Every decision; of a patient's decisions about one scope the highest revision holds.
    """
    CREATE TABLE consents (
        entry    INTEGER PRIMARY KEY REFERENCES journal,
        patient  BLOB NOT NULL REFERENCES patients,
        scope    TEXT NOT NULL,
        revision INTEGER NOT NULL,
        decision TEXT NOT NULL,
        given_by TEXT NOT NULL,
        form     TEXT NOT NULL,
        language TEXT,
        witness  TEXT,
        operator TEXT,
        wall_ms  INTEGER
    ) STRICT
    """,
    "CREATE INDEX consents_of_patient ON consents (patient, scope, revision)",
    """
    CREATE TABLE sites (
        site BLOB PRIMARY KEY CHECK (length(site) = 16),
        name TEXT NOT NULL,
        norm TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    # The unit stands where it arrived last, as long as it was not started anew since (boot).
    """
    CREATE TABLE arrivals (
        entry   INTEGER PRIMARY KEY REFERENCES journal,
        site    BLOB NOT NULL REFERENCES sites,
        boot    BLOB,
        wall_ms INTEGER
    ) STRICT
    """,
    "ALTER TABLE encounters ADD COLUMN site BLOB REFERENCES sites",
)
"""What made version 6 of version 5: second scripts, merged patients, consent, sites."""

ADDED_IN_7: Final = (
    # A payload may go, and nothing else of an entry: its leaf and its head stay, so the chain does.
    "DROP TRIGGER journal_is_never_edited",
    """
    CREATE TRIGGER journal_is_never_edited BEFORE UPDATE ON journal
    WHEN NOT (
        old.payload IS NOT NULL AND new.payload IS NULL
        AND new.id = old.id AND new.epoch = old.epoch AND new.stream = old.stream AND new.seq = old.seq
        AND new.kind = old.kind AND new.patient IS old.patient AND new.leaf = old.leaf
        AND new.head = old.head
    )
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    # When the values of a closed visit were purged, by the centre's time; they are at the centre.
    "ALTER TABLE encounters ADD COLUMN purged_ms INTEGER",
    # How far each stream was opened at a time, by the centre's clock, one row a day: periods of keeping
    # count from there, and no clock of this box shortens them.
    """
    CREATE TABLE opened_marks (
        epoch  INTEGER NOT NULL REFERENCES epochs,
        stream INTEGER NOT NULL CHECK (stream BETWEEN 0 AND 4),
        at_ms  INTEGER NOT NULL,
        opened INTEGER NOT NULL,
        PRIMARY KEY (epoch, stream, at_ms)
    ) STRICT, WITHOUT ROWID
    """,
    # What the centre ordered to be erased. done_ms is empty while it waits for the visit to be closed or
    # for the last entry to be opened; nothing is written about a patient once they are erased.
    """
    CREATE TABLE erasures (
        erasure    BLOB PRIMARY KEY CHECK (length(erasure) = 16),
        patient    BLOB NOT NULL CHECK (length(patient) = 16),
        reason     TEXT NOT NULL,
        authority  TEXT NOT NULL,
        ordered_ms INTEGER NOT NULL,
        done_ms    INTEGER
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX erasures_of_patient ON erasures (patient)",
)
"""What made version 7 of version 6: keeping and erasing."""

DDL: Final = (
    *DDL_1,
    *(*ADDED_IN_2, *ADDED_IN_3, *ADDED_IN_4, *ADDED_IN_5),
    *(*ADDED_IN_6, *ADDED_IN_7, *ADDED_IN_8, *ADDED_IN_9),
)
