"""Another epoch in one store: rows follow their entries, whatever kind they are."""

import os
import re

from edge.clock import ClockQuality, Moment
from edge.records.fields import Field, Kind, Stream
from edge.records.identity import EntryId
from edge.store import Store, schema, transaction

NOW = Moment(1_800_000_000_000, bytes(8), 0, ClockQuality.NTP)


def journal_again(store: Store) -> None:
    store.begin_epoch("beyond-tip", NOW)
    with store.write() as tx:
        for row in store.still_to_journal_again(1000):
            tx.append_again(row)
            tx.done_again(row)


def test_every_table_that_names_its_entry_follows_it() -> None:
    """Whoever adds such a table says in `append_again` how it follows."""
    naming = {
        found[1]
        for statement in schema.DDL
        if (found := re.search(r"CREATE TABLE (\w+) \(\s*entry +INTEGER PRIMARY KEY", statement))
    }
    told = transaction._ROW_OF  # pyright: ignore[reportPrivateUsage]  only this test asks
    following = {found.split()[1] for found in told.values()}
    assert following == naming - {"journal_again", "origins"}


def test_rows_are_there_once_and_entries_keep_their_first_name(store: Store) -> None:
    patient, visit, first = os.urandom(16), os.urandom(16), store.epoch
    with store.write() as tx:
        tx.append(Stream.VITALS, Kind.PATIENT, {Field.PATIENT: patient, Field.FAMILY: "Alaoui"})
        tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, {Field.PATIENT: patient, Field.ENCOUNTER: visit})
        tx.append(
            Stream.VITALS,
            Kind.OBSERVATION,
            {Field.PATIENT: patient, Field.ENCOUNTER: visit, Field.CODE: "temp", Field.VALUE: [369, -1]},
        )
    names = store.entry_ids(Stream.VITALS, 2, 4)
    for _ in range(2):
        journal_again(store)
        (shown,) = store.observations(visit)
        assert (shown.entry, shown.earlier) == (EntryId("van-07", store.epoch, Stream.VITALS, 4), False)
        assert store.entry_ids(Stream.VITALS, 2, 4) == names
        assert [each.epoch for each in names] == [first] * 3
        assert store.still_to_journal_again(10) == []
        assert store.verify().valid
    assert len(store.patients()) == 1
    assert store.last_fork() is not None


def test_numbers_of_readings_go_on(store: Store) -> None:
    with store.write() as tx:
        before = tx.next_reading()
        tx.keep_raw(before, b"raw", 0)
    journal_again(store)
    with store.write() as tx:
        assert tx.next_reading() == before + 1
    assert store.raw_frame(before) == b"raw"
