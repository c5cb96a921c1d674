"""A damaged store gives up everything that still reads, and says by number what it does not."""

import hashlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from edge import cbor
from edge.clock import ClockQuality, Moment
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.signals import wavecodec
from edge.store import Store, StoreDamaged, StoreExists
from edge.store.base import Whose
from edge.store.pagecheck import PAGE_BYTES
from edge.store.salvage import NAMELESS, SALVAGED, Salvaged, salvage
from tests.edge.store.test_store_attachments import attach

NOW = Moment(1_800_000_000_000, bytes(8), 0, ClockQuality.NTP)
WHOSE = Whose("van-07", "training")
NOTE: tuple[Stream, Kind, Payload] = (
    Stream.ALERT,
    Kind.ALERT,
    {Field.ALERT_CODE: SALVAGED, Field.WALL_MS: 1},
)


def take_out(database: Path, key: bytes, onto: Path) -> Salvaged:
    return salvage(database, key, onto, whose=WHOSE, moment=NOW, notes=lambda _: [NOTE])


def wave(tx: Any, visit: Any, waveform: bytes, chunks: int) -> None:  # noqa: ANN401  a Visit of the conftest
    """A recording of so many chunks."""
    stamp: Payload = {Field.WALL_MS: 4, Field.ENCOUNTER: visit.encounter, Field.WAVEFORM: waveform}
    begun: Payload = {
        Field.CODE: "ecg", Field.DEVICE: "h10", Field.SOURCE: int(Source.DEVICE), Field.LEADS: ["I"],
        Field.WAVE_UNIT: "uV", Field.STEP: [1, 0], Field.RATE: [130, 0],
    }  # fmt: skip
    tx.append(Stream.WAVE, Kind.WAVEFORM, stamp | begun, patient=visit.patient)
    for number in range(1, chunks + 1):
        data = wavecodec.encode([[random.Random(number).randrange(-900, 900) for _ in range(1300)]])  # noqa: S311  any
        facts: Payload = {
            Field.CHUNK: number, Field.SAMPLES: 1300, Field.FIRST_MS: number,
            Field.HASH: hashlib.sha256(data).digest(), Field.SIZE: len(data),
        }  # fmt: skip
        entry = tx.append(Stream.WAVE, Kind.WAVE_CHUNK, stamp | facts, patient=visit.patient)
        tx.keep_samples(entry, data)
    ended: Payload = {Field.ENDED: "whole", Field.COUNT: chunks}
    tx.append(Stream.WAVE, Kind.WAVEFORM_ENDED, stamp | ended, patient=visit.patient)


@pytest.fixture
def busy(store: Store, visit: Callable[[], Any]) -> Store:
    """Two epochs of visits, with a reading that was assigned from the tray, waves, and answers."""
    for number in range(20):
        each = visit()
        with store.write() as tx:
            each.register(tx, family=f"Alaoui {number}")
            each.open(tx)
            for mantissa in range(3600, 3608):
                each.observe(tx, mantissa)
            tray = tx.append(Stream.VITALS, Kind.OBSERVATION, {Field.CODE: "pulse", Field.VALUE: [number, 0]})
            assigned: Payload = {Field.ENCOUNTER: each.encounter, Field.ASSIGNED: [tray.seq]}
            tx.append(Stream.VITALS, Kind.ASSIGNMENT, assigned, patient=each.patient)
            if number % 7 == 0:
                wave(tx, each, number.to_bytes(16), 3)
                pieces = tuple(random.Random(at).randbytes(5000) for at in range(3))  # noqa: S311  any
                attach(tx, each.patient, pieces, attachment=each.encounter, request=each.encounter)
            each.close(tx)
            tx.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "patient.list"})
            tx.remember(f"request-{number}", b"{}")
            tx.keep_raw(tx.next_reading(), b"raw", 0)
        if number == 10:
            with store.write() as tx:
                tx.move_watermark("landed", Stream.VITALS, 60)
                tx.move_watermark("opened", Stream.VITALS, 60)
            store.begin_epoch("beyond-tip", NOW)
            with store.write() as tx:
                for row in store.still_to_journal_again(10_000):
                    tx.append_again(row)
                    tx.done_again(row)
    return store


def what_it_says(store: Store) -> dict[str, object]:
    """Everything a screen could show."""
    return {
        each.patient.hex(): (
            each.family,
            [
                (
                    visit.encounter,
                    visit.opened_ms,
                    visit.closed_ms,
                    [(seen.code, seen.value) for seen in store.observations(visit.encounter)],
                    [
                        (
                            found.samples,
                            found.ended,
                            [one.data for one in store.waveform_chunks(found.waveform, 1, 9)],
                        )
                        for found in store.waveforms_of(visit.encounter)
                    ],
                )
                for visit in store.encounters_of(each.patient)
            ],
            [
                store._rows(
                    "SELECT number, data FROM attachment_parts WHERE attachment = ? ORDER BY 1",
                    found.attachment,
                )
                for found in store.attachments_of(each.patient)
            ],
        )
        for each in store.patients(10_000)
    }


def digests(directory: Path) -> dict[str, bytes]:
    return {path.name: hashlib.sha256(path.read_bytes()).digest() for path in directory.iterdir()}


def crashed(store: Store, database: Path, onto: Path) -> Path:
    """What a killed agent leaves, its log included."""
    assert store.unit == WHOSE.unit, "open, so its log is there"
    onto.mkdir()
    for suffix in ("", "-wal"):
        source = database.with_name(database.name + suffix)
        (onto / source.name).write_bytes(source.read_bytes())
    return onto / database.name


def test_a_whole_store_is_taken_out_whole(busy: Store, database: Path, key: bytes, tmp_path: Path) -> None:
    wreck = crashed(busy, database, tmp_path / "wreck")
    before = digests(wreck.parent)
    outcome = take_out(wreck, key, tmp_path / "new" / "qafila.db")
    assert digests(wreck.parent) == before, "the original is not touched"
    assert (outcome.lost, outcome.bad_pages, outcome.chunks_lost, outcome.nameless) == ((), 0, 0, 0)
    assert not outcome.new_identity
    new = Store.open(tmp_path / "new" / "qafila.db", key)
    assert new.verify().valid
    assert what_it_says(new) == what_it_says(busy)
    assert new.tray() == busy.tray() == []
    assert (new.unit, new.identity(), new.slots_generation) == (
        busy.unit,
        busy.identity(),
        busy.slots_generation,
    )
    assert new.answer("request-7") == b"{}"
    assert new.raw_frame(7) == b"raw"
    assert [each.code for each in new.alerts()] == [SALVAGED]
    fork = new.last_fork()
    assert fork is not None
    assert fork.reason == SALVAGED
    # every entry keeps the name the centre knows it by, once
    names = {name for name in names_of(new) if name[0] != new.epoch}
    assert names == {name for name in names_of(busy) if name[2] > 1}
    with new.write() as tx:
        tx.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "read"})
    new.close()


def names_of(store: Store) -> set[tuple[bytes, int, int]]:
    """What every entry that was not journalled again was called first."""
    found = store._rows(
        "SELECT coalesce(origins.epoch, epochs.epoch), coalesce(origins.stream, journal.stream),"
        " coalesce(origins.seq, journal.seq), journal.kind FROM journal"
        " JOIN epochs ON epochs.number = journal.epoch LEFT JOIN origins ON origins.entry = journal.id"
    )
    return {(epoch, stream, seq) for epoch, stream, seq, kind in found if kind != Kind.GENESIS}


def test_with_any_page_gone_the_rest_is_taken_out_and_the_loss_is_named(
    busy: Store, database: Path, key: bytes, tmp_path: Path
) -> None:
    """The page is bad, or the disk does not give it back: then it reads as nothing."""
    busy._rows("PRAGMA wal_checkpoint(TRUNCATE)")
    truth, entries = what_it_says(busy), names_of(busy)
    whole = database.read_bytes()
    chance = random.Random(os.environ.get("QAFILA_SEED", "7"))  # noqa: S311  seeded to be repeated
    pages = len(whole) // PAGE_BYTES
    roots: dict[str, int] = dict(busy._rows("SELECT name, rootpage FROM sqlite_schema WHERE rootpage > 0"))
    above = {roots[name] for name in ("meta", "journal", "waveform_chunks", "sqlite_autoindex_journal_1")}
    inner = {roots["journal"], roots["sqlite_autoindex_journal_1"]}
    chosen = above | {*chance.sample(sorted(roots.values()), 2), *chance.sample(range(2, pages + 1), 3)}
    wreck = tmp_path / "wreck.db"
    lossless = 0
    for number in sorted(chosen):
        rotten = bytearray(whole)
        rotten[(number - 1) * PAGE_BYTES + chance.randrange(PAGE_BYTES)] ^= 1 << chance.randrange(8)
        wreck.write_bytes(rotten)
        onto = tmp_path / str(number) / "qafila.db"
        outcome = take_out(wreck, key, onto)
        assert outcome.bad_pages == 1
        new = Store.open(onto, key)
        assert new.verify().valid, number
        kept = {name for name in names_of(new) if name[0] != new.epoch}
        lost = {
            (bytes.fromhex(span.epoch), span.stream, seq)
            for span in outcome.lost
            for seq in range(span.first, span.last + 1)
        }
        assert kept <= entries, number
        missing = {name for name in entries - kept if name[2] > 1}
        without_bytes = {name for name in missing if name[1] in {Stream.WAVE, Stream.DOC}}
        assert missing - lost <= without_bytes, number
        assert len(missing - lost) <= outcome.chunks_lost, number
        shown = what_it_says(new)
        assert set(shown) <= set(truth), number
        wrong = [(shown[each], truth[each]) for each in shown if shown[each] != truth[each]]
        assert not wrong or missing, f"page {number}: nothing is missing, and yet something is not as it was"
        if number in inner:
            assert (missing, shown) == (set(), truth), "above entries, none of which is on it"
        lossless += shown == truth
        new.close()
    assert lossless > len(chosen) // 2


def test_a_patient_whose_entry_is_lost_has_their_name_from_the_row(
    store: Store, database: Path, key: bytes, tmp_path: Path, visit: Callable[[], Any]
) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx, identifiers=[["cin", "AB123"]])
        tx.append(
            Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "x" * 12_000}
        )  # the next entry is on another page
        each.open(tx)
        each.observe(tx)
    tamper(store, "DELETE FROM journal WHERE kind = 2")
    outcome = take_out(crashed(store, database, tmp_path / "wreck"), key, tmp_path / "new.db")
    [span] = outcome.lost
    assert (span.stream, span.first, span.last, span.received) == (Stream.VITALS, 2, 2, 0)
    new = Store.open(tmp_path / "new.db", key)
    [shown] = new.patients()
    assert (shown.family, shown.given, shown.identifiers) == ("Alaoui", "Aïcha", (("cin", "AB123"),))
    assert len(new.observations(each.encounter)) == 1
    new.close()


def test_a_patient_of_whom_nothing_is_left_but_visits_is_nameless(
    store: Store, database: Path, key: bytes, tmp_path: Path, visit: Callable[[], Any]
) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        each.observe(tx)
    tamper(
        store,
        "DELETE FROM journal WHERE kind IN (2, 3)",
        "DELETE FROM encounters",
        "DELETE FROM patients",
    )
    outcome = take_out(crashed(store, database, tmp_path / "wreck"), key, tmp_path / "new.db")
    assert (outcome.nameless, outcome.entries_lost) == (1, 2)
    new = Store.open(tmp_path / "new.db", key)
    [shown] = new.patients()
    assert (shown.patient, shown.family, shown.revision) == (each.patient, NAMELESS, 0)
    [seen] = new.encounters_of(each.patient)
    assert [one.code for one in new.observations(seen.encounter)] == ["temp"]
    new.close()


def test_an_entry_that_somebody_edited_is_not_taken_for_true(
    filled: Store, database: Path, key: bytes, tmp_path: Path
) -> None:
    said = filled.entries(Stream.VITALS, 9, 9)[0].payload
    assert said is not None
    edited = cbor.encode(cast("Payload", cbor.decode(said)) | {Field.WALL_MS: 7}).hex()
    tamper(filled, f"UPDATE journal SET payload = x'{edited}' WHERE stream = 1 AND seq = 9")  # noqa: S608  hex
    outcome = take_out(crashed(filled, database, tmp_path / "wreck"), key, tmp_path / "new.db")
    [span] = outcome.lost
    assert (span.stream, span.first, span.last) == (Stream.VITALS, 9, 9)


def test_with_the_unit_s_keys_gone_it_has_new_ones_and_says_so(
    filled: Store, database: Path, key: bytes, tmp_path: Path
) -> None:
    tamper(filled, "DELETE FROM meta WHERE name = 'sign-private'")
    outcome = take_out(crashed(filled, database, tmp_path / "wreck"), key, tmp_path / "new.db")
    assert outcome.new_identity
    new = Store.open(tmp_path / "new.db", key)
    assert len(new.patients()) == 12
    new.close()


def test_a_file_of_another_key_gives_nothing_and_nothing_is_made(
    filled: Store, database: Path, tmp_path: Path
) -> None:
    wreck = crashed(filled, database, tmp_path / "wreck")
    with pytest.raises(StoreDamaged) as refused:
        take_out(wreck, bytes(32), tmp_path / "new.db")
    assert refused.value.stable_code == "nothing-to-salvage"
    assert not (tmp_path / "new.db").exists()


def test_nothing_is_written_over(filled: Store, database: Path, key: bytes, tmp_path: Path) -> None:
    wreck = crashed(filled, database, tmp_path / "wreck")
    (tmp_path / "new.db").write_bytes(b"somebody's")
    with pytest.raises(StoreExists):
        take_out(wreck, key, tmp_path / "new.db")
    assert (tmp_path / "new.db").read_bytes() == b"somebody's"


def test_a_bad_frame_of_the_log_takes_only_its_page_along(
    filled: Store, database: Path, key: bytes, tmp_path: Path
) -> None:
    """SQLite stops at the first bad frame; what was committed behind it was called saved all the same."""
    wreck = crashed(filled, database, tmp_path / "wreck")
    log = wreck.with_name(wreck.name + "-wal")
    raw = bytearray(log.read_bytes())
    first = 32 + 24 + 2000
    raw[first] ^= 1
    log.write_bytes(raw)
    outcome = take_out(wreck, key, tmp_path / "new.db")
    new = Store.open(tmp_path / "new.db", key)
    assert outcome.entries_lost == 0, "a newer frame of the same page is whole"
    assert len(new.patients()) == 12
    new.close()


def tamper(store: Store, *statements: str) -> None:
    """What is left of pages in which rows cannot be read."""
    for trigger in ("journal_is_never_edited", "journal_is_never_shortened"):
        store._connection.execute(f"DROP TRIGGER {trigger}")
    for statement in ("PRAGMA foreign_keys = OFF", *statements):
        store._connection.execute(statement)


def test_what_was_asked_and_answered_is_taken_out_with_its_words(
    store: Store, database: Path, key: bytes, tmp_path: Path
) -> None:
    patient, request, content = bytes(15) + b"\x01", bytes(15) + b"\x02", b"what was said"
    asked: Payload = {
        Field.EXPERTISE: request, Field.SPECIALTY: "cardiology", Field.URGENCY: "urgent",
        Field.ACT: "tele-expertise", Field.BASIS: "consent", Field.QUESTION: "?",
    }  # fmt: skip
    received: Payload = {
        Field.DSEQ: 1, Field.DOWN_KIND: "reply", Field.OUTCOME: "applied", Field.EXPERTISE: request,
        Field.DIGEST: hashlib.sha256(content).digest(),
    }  # fmt: skip
    with store.write() as tx:
        tx.append(Stream.VITALS, Kind.PATIENT, {Field.REVISION: 1, Field.FAMILY: "B"}, patient=patient)
        tx.append(Stream.ALERT, Kind.REQUESTED, asked, patient=patient)
        for number in (3, 4):
            whole = received | {Field.MESSAGE: bytes(15) + bytes([number])}
            entry = tx.append(Stream.VITALS, Kind.RECEIVED, whole, patient=patient)
            if number == 3:
                tx.keep_content(entry, content, bytes(8), 7)
    wreck = crashed(store, database, tmp_path / "wreck")
    take_out(wreck, key, tmp_path / "new" / "qafila.db")
    new = Store.open(tmp_path / "new" / "qafila.db", key)
    assert new.verify().valid
    found = new.expertise(request)
    assert found is not None
    assert found.state == "answered"
    assert [each.content for each in new.messages_about(request)] == [content, None]
    new.close()
