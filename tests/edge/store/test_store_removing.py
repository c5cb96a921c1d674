"""What is let go is gone, the chain is whole, and nothing goes that the centre does not have."""

import itertools
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from edge.clock import ClockQuality, Moment
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import Damage, Store, StoreRefused
from edge.store.removing import DAY_MS, Erased, Span, as_field, spans_of
from edge.store.transaction import Transaction
from tests.edge.store.conftest import Visit
from tests.edge.store.under_the_cipher import pages

NOW = 2_000 * DAY_MS
ERASURE = b"e" * 16
PLANTED = "Zzyzxplanted"


def opened(store: Store, at_ms: int = NOW) -> None:
    """Everything so far is opened, and was at that time."""
    with store.write() as tx:
        for stream, mark in store.watermarks().items():
            tx.move_watermark("landed", stream, mark.tip)
            tx.move_watermark("opened", stream, mark.tip)
    with store.write() as tx:
        tx.mark_opened(at_ms)


def say(tx: Transaction, kind: Kind, spans: Sequence[Span], field: Field = Field.SPANS) -> None:
    payload: Payload = {Field.WALL_MS: 9, field: as_field(spans)}
    tx.append(Stream.AUDIT, kind, payload)


def payloads(store: Store, stream: Stream = Stream.VITALS) -> list[int]:
    """The entries of the present epoch that still have one."""
    tip = store.watermark(stream).tip
    return [entry.seq for entry in store.entries(stream, 1, tip) if entry.payload is not None]


def visits(store: Store, make: Callable[[], Visit], n: int = 3) -> Visit:
    """One patient who comes n times: entries 2, then 3 a visit."""
    visit = make()
    with store.write() as tx:
        visit.register(tx)
    for number in range(n):
        visit.encounter = (5_000_000 + number + int.from_bytes(visit.patient) * 100).to_bytes(16)
        with store.write() as tx:
            tx.append(
                Stream.VITALS,
                Kind.ENCOUNTER_OPENED,
                {Field.ENCOUNTER: visit.encounter, Field.WALL_MS: number + 1},
                patient=visit.patient,
            )
            visit.observe(tx)
            visit.close(tx)
    return visit


def test_old_visits_lose_their_values_and_the_last_one_keeps_them(
    store: Store, visit: Callable[[], Visit]
) -> None:
    one = visits(store, visit)
    opened(store, NOW - 400 * DAY_MS)
    with store.write() as tx:
        assert tx.purge_visits(NOW - 401 * DAY_MS, NOW) == []
        spans = tx.purge_visits(NOW - 400 * DAY_MS, NOW)
        assert spans == [(store.epoch, Stream.VITALS, 4, 4), (store.epoch, Stream.VITALS, 7, 7)]
        say(tx, Kind.PURGED, spans)
    assert payloads(store) == [1, 2, 3, 5, 6, 8, 9, 10, 11]
    shown = store.encounters_of(one.patient)
    assert [len(store.observations(each.encounter)) for each in shown] == [1, 0, 0]
    assert [each.purged_ms for each in shown] == [None, NOW, NOW]
    assert store.verify().valid


def test_what_is_not_opened_stays_however_old_it_is(store: Store, visit: Callable[[], Visit]) -> None:
    visits(store, visit, 1)
    opened(store, NOW - 900 * DAY_MS)
    visits(store, visit, 3)
    with store.write() as tx:
        assert tx.purge_visits(NOW, NOW) == []
        assert tx.purge_accesses(NOW) == []
        assert tx.purge_frames(NOW) == 0
    assert payloads(store) == list(range(1, store.tips().seqs[1] + 1))


def test_marks_come_once_a_day_and_only_the_last_old_one_is_kept(store: Store) -> None:
    for day in range(5):
        with store.write() as tx:
            assert tx.mark_opened(NOW + day * DAY_MS)
            assert not tx.mark_opened(NOW + day * DAY_MS + DAY_MS - 1)
            assert not tx.mark_opened(NOW - DAY_MS)  # a receipt of yesterday comes again
    with store.write() as tx:
        tx.drop_marks(NOW + 2 * DAY_MS)
    kept = store._rows("SELECT DISTINCT at_ms FROM opened_marks ORDER BY 1")
    assert kept == [(NOW + day * DAY_MS,) for day in (2, 3, 4)]


def test_audit_payloads_go_and_those_that_say_what_is_gone_stay(
    store: Store, visit: Callable[[], Visit]
) -> None:
    visits(store, visit)
    for _ in range(3):
        with store.write() as tx:
            tx.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "patient.list"})
    opened(store)
    with store.write() as tx:
        say(tx, Kind.PURGED, tx.purge_visits(NOW, NOW))
    opened(store, NOW + DAY_MS)
    with store.write() as tx:
        spans = tx.purge_accesses(NOW + DAY_MS)
        say(tx, Kind.PURGED, spans)
    assert spans == [(store.epoch, Stream.AUDIT, 2, 4)]
    assert payloads(store, Stream.AUDIT) == [1, 5, 6]
    assert store.verify().valid


def test_frames_go_with_readings_that_were_opened(store: Store, visit: Callable[[], Visit]) -> None:
    one = visits(store, visit, 1)
    for number in (1, 2, 3):
        with store.write() as tx:
            entry: Payload = {Field.CODE: "spo2", Field.VALUE: [98, 0], Field.READING: tx.next_reading()}
            tx.append(Stream.VITALS, Kind.OBSERVATION, entry, patient=one.patient)
            tx.keep_raw(number, b"frame", 1)
        if number == 2:
            opened(store)
    with store.write() as tx:
        assert tx.purge_frames(NOW - 1) == 0
        assert tx.purge_frames(NOW) == 2
    assert [store.raw_frame(number) for number in (1, 2, 3)] == [None, None, b"frame"]


OTHER_EPOCH = bytes(8)


@pytest.mark.parametrize(
    ("named", "first_bad"),
    [
        ([], 4),
        ([(b"", 1, 7, 7)], 4),
        ([(b"", 1, 4, 4), (b"", 2, 7, 7)], 7),
        ([(OTHER_EPOCH, 1, 4, 7)], 4),
        ([(b"", 1, 4, 4)], 7),
    ],
    ids=["nothing", "the other", "another stream", "another epoch", "one of two"],
)
def test_a_payload_that_no_entry_names_is_damage(
    store: Store, visit: Callable[[], Visit], named: list[Span], first_bad: int
) -> None:
    visits(store, visit)
    opened(store)
    with store.write() as tx:
        tx.purge_visits(NOW, NOW)
        say(
            tx,
            Kind.PURGED,
            [(epoch or store.epoch, stream, first, last) for epoch, stream, first, last in named],
        )
    result = store.verify()
    assert (result.first_bad, result.damage) == ((Stream.VITALS, first_bad), Damage.EDITED)


def test_an_entry_says_nothing_of_what_comes_after_it(store: Store, visit: Callable[[], Visit]) -> None:
    with store.write() as tx:
        say(tx, Kind.PURGED, [(store.epoch, 1, 1, 4)])
    visits(store, visit)
    store._connection.execute("UPDATE journal SET payload = NULL WHERE stream = 1 AND seq = 4")
    assert store.verify().first_bad == (Stream.VITALS, 4)


def test_a_leaf_of_a_payload_that_is_gone_is_still_checked(store: Store, visit: Callable[[], Visit]) -> None:
    visits(store, visit)
    opened(store)
    with store.write() as tx:
        say(tx, Kind.PURGED, tx.purge_visits(NOW, NOW))
    store._connection.execute("DROP TRIGGER journal_is_never_edited")
    store._connection.execute("UPDATE journal SET leaf = zeroblob(32) WHERE stream = 1 AND seq = 4")
    assert store.verify().first_bad == (Stream.VITALS, 4)


@pytest.mark.parametrize(
    "change",
    ["payload = x'a0'", "payload = NULL, kind = 9", "payload = NULL, leaf = zeroblob(32)", "seq = seq + 1000",
     "payload = NULL, patient = NULL", "payload = NULL, head = zeroblob(32)"],
)  # fmt: skip
def test_the_journal_lets_go_of_a_payload_and_of_nothing_else(filled: Store, change: str) -> None:
    with pytest.raises(Exception, match="append-only"):
        filled._connection.execute(f"UPDATE journal SET {change} WHERE stream = 1 AND seq = 9")  # noqa: S608  ours
    filled._connection.execute("UPDATE journal SET payload = NULL WHERE stream = 1 AND seq = 9")
    with pytest.raises(Exception, match="append-only"):  # nor may it come back
        filled._connection.execute("UPDATE journal SET payload = x'a0' WHERE stream = 1 AND seq = 9")


# ── erasing ──────────────────────────────────────────────────────────────────────────────────────


def order(store: Store, patient: bytes) -> None:
    with store.write() as tx:
        tx.order_erasure(ERASURE, patient, reason="asked", authority="a, b", ordered_ms=1)


def erase(store: Store, patient: bytes) -> Erased:
    order(store, patient)
    with store.write() as tx:
        done = tx.erase(ERASURE, patient, NOW)
        say(tx, Kind.ERASED, done.spans)
    return done


def planted(store: Store, visit: Visit) -> None:
    """A patient of whom something stands everywhere."""
    with store.write() as tx:
        visit.register(
            tx, family=PLANTED, phone="0699887766", village=PLANTED, identifiers=[["cin", f"{PLANTED}1"]]
        )
        visit.open(tx)
        reading = tx.next_reading()
        tx.keep_raw(reading, PLANTED.encode(), 1)
        tx.append(
            Stream.VITALS,
            Kind.OBSERVATION,
            {Field.CODE: "spo2", Field.VALUE: [98, 0], Field.FLAGS: [PLANTED], Field.READING: reading},
        )
        seq = tx.appended[-1].seq
        tx.append(
            Stream.VITALS,
            Kind.ASSIGNMENT,
            {Field.ENCOUNTER: visit.encounter, Field.ASSIGNED: [seq]},
            patient=visit.patient,
        )
        alert: Payload = {Field.ALERT_CODE: "urgent", Field.ALERT_TEXT: PLANTED}
        tx.append(Stream.ALERT, Kind.ALERT, alert, patient=visit.patient)
        tx.remember(
            f"r{visit.patient.hex()}", f'{{"ok": "{uuid.UUID(bytes=visit.patient)} {PLANTED}"}}'.encode()
        )
        visit.close(tx)


def test_nothing_of_an_erased_patient_is_left_and_the_others_are_whole(
    store: Store, visit: Callable[[], Visit]
) -> None:
    other, gone = visit(), visit()
    for each in (other, gone):
        with store.write() as tx:
            if each is other:
                each.register(tx, family="Berrada")
                each.open(tx)
                each.observe(tx)
                each.close(tx)
        if each is gone:
            planted(store, gone)
    opened(store)
    erase(store, gone.patient)
    assert [each.family for each in store.patients()] == ["Berrada"]
    for text in (PLANTED, "0699887766", f"{PLANTED}1", "zz"):
        assert store.find_patients(text) == []
    assert [each.value for each in store.observations(other.encounter)] != []
    assert store.alerts() == []
    assert store._rows("SELECT 1 FROM raw_frames") == []
    assert store.answer(f"r{gone.patient.hex()}") is None
    assert not store._rows("SELECT 1 FROM patient_chains WHERE patient = ?", gone.patient)
    assert store.verify().valid
    dump = "\n".join(
        repr(row)
        for (table,) in store._rows("SELECT name FROM sqlite_schema WHERE type = 'table'")
        for row in store._rows(f'SELECT * FROM "{table}"')  # noqa: S608  names of our schema
    )
    assert PLANTED not in dump
    assert "Berrada" in dump


def test_an_erased_patient_cannot_be_begun_again(store: Store, visit: Callable[[], Visit]) -> None:
    gone = visit()
    planted(store, gone)
    opened(store)
    erase(store, gone.patient)
    with pytest.raises(StoreRefused) as refused, store.write() as tx:
        gone.register(tx)
    assert refused.value.stable_code == "patient-erased"


def test_erasing_waits_for_the_visit_and_for_the_last_receipt(
    store: Store, visit: Callable[[], Visit]
) -> None:
    one = visit()
    with store.write() as tx:
        one.register(tx)
        one.open(tx)
    opened(store)
    with store.write() as tx:
        assert not tx.may_erase(one.patient)
        one.close(tx)
    with store.write() as tx:
        assert not tx.may_erase(one.patient)
    opened(store)
    with store.write() as tx:
        assert tx.may_erase(one.patient)


def test_the_same_person_entered_twice_is_erased_whole(store: Store, visit: Callable[[], Visit]) -> None:
    stays, twice = visit(), visit()
    planted(store, stays)
    with store.write() as tx:
        twice.register(tx, family="Zzyzxagain")
    store._connection.execute(
        "UPDATE patients SET merged_into = ? WHERE patient = ?", (stays.patient, twice.patient)
    )
    opened(store)
    assert erase(store, stays.patient).people == (stays.patient, twice.patient)
    assert store.patients() == []
    assert store.verify().valid


def test_what_is_journalled_again_is_erased_in_both_epochs(store: Store, visit: Callable[[], Visit]) -> None:
    one = visit()
    planted(store, one)
    assert store._rows("SELECT 1 FROM journal WHERE instr(payload, CAST(? AS BLOB))", PLANTED)
    store.begin_epoch("forked", Moment(1, b"bootboot", 1, ClockQuality.NONE))
    with store.write() as tx:
        assert not tx.may_erase(one.patient)
        for row in store.still_to_journal_again(100):
            tx.append_again(row)
            tx.done_again(row)
    opened(store)
    assert len({epoch for epoch, *_ in erase(store, one.patient).spans}) == 2
    assert not store._rows("SELECT 1 FROM journal WHERE instr(payload, CAST(? AS BLOB))", PLANTED)
    assert store.verify().valid


def test_not_even_the_slack_of_a_page_remembers(
    store: Store, database: Path, key: bytes, visit: Callable[[], Visit]
) -> None:
    """Names are planted among many others, so that pages split around them; the control is found."""
    gone: list[Visit] = []
    for number in range(200):
        each = visit()
        if number % 10 == 7:
            planted(store, each)
            gone.append(each)
        else:
            with store.write() as tx:
                each.register(tx, family=f"Controlled{number}", phone=f"06{number:08}")
                each.open(tx)
                each.observe(tx)
                each.close(tx)
        for _ in range(2):
            with store.write() as tx:  # later revisions move rows about
                each.register(tx, family=PLANTED if each in gone else "Moved", revision=number + 2)
                break
    opened(store)
    store.empty_log()
    before = pages(database, key)
    assert before.count(PLANTED.encode()) > 100
    for number, each in enumerate(gone):
        with store.write() as tx:
            tx.order_erasure(number.to_bytes(16), each.patient, reason="r", authority="a", ordered_ms=1)
            say(tx, Kind.ERASED, tx.erase(number.to_bytes(16), each.patient, NOW).spans)
    store.empty_log()
    after = pages(database, key)
    assert after.count(b"Controlled11") > 0
    assert after.lower().count(PLANTED.lower().encode()) == 0
    log = database.with_name(database.name + "-wal")
    assert not log.exists() or log.stat().st_size == 0
    assert store.verify().valid


def test_ranges_are_the_fewest() -> None:
    e, f = b"e" * 8, b"f" * 8
    places = [(e, 1, 3), (e, 1, 1), (e, 1, 2), (f, 1, 3), (e, 2, 4), (e, 1, 9)]
    for each in itertools.islice(itertools.permutations(places), 50):
        assert spans_of(each) == [(e, 1, 1, 3), (e, 1, 9, 9), (e, 2, 4, 4), (f, 1, 3, 3)]
