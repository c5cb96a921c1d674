"""Appending: dense numbers, salted leaves, linked heads, all or nothing."""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.clock import ClockQuality, Moment
from edge.records.fields import Field, Kind, Stream
from edge.store import Store, StoreError, StoreRefused, Transaction
from edge.store.base import Whose
from edge.store.creation import begin_epoch
from sync.wire import keys

MOMENT = Moment(1_795_334_400_000, b"bootboot", 1000, ClockQuality.OPERATOR)


class VisitLike(Protocol):
    patient: bytes
    encounter: bytes

    def register(self, tx: Transaction, **fields: object) -> None: ...
    def open(self, tx: Transaction) -> None: ...
    def observe(self, tx: Transaction, mantissa: int = ...) -> None: ...
    def close(self, tx: Transaction) -> None: ...


class NoRoom(Exception):
    pass


Visits = Callable[[], VisitLike]


def payload(entry: Entry) -> dict[int, cbor.Value]:
    assert entry.payload is not None
    value = cbor.decode(entry.payload)
    assert isinstance(value, dict)
    return value


def write(
    store: Store,
    *actions: Callable[[Transaction], object],
    before_commit: Callable[[list[Entry]], None] | None = None,
) -> None:
    with store.write(before_commit) as tx:
        for action in actions:
            action(tx)


def fail(_: Transaction) -> None:
    raise ZeroDivisionError


def close_nothing(tx: Transaction) -> None:
    tx.append(Stream.VITALS, Kind.ENCOUNTER_CLOSED, {Field.ENCOUNTER: bytes(16)})


def note(tx: Transaction, stream: Stream = Stream.AUDIT) -> Entry:
    return tx.append(stream, Kind.ACCESS, {Field.ACTION: "read", Field.WALL_MS: 1})


def test_an_epoch_begins_with_a_genesis_in_every_stream(store: Store) -> None:
    for stream in Stream:
        [genesis] = store.entries(stream, 1, 10)
        fields = payload(genesis)
        assert genesis.kind is Kind.GENESIS
        assert (fields[Field.UNIT], fields[Field.REALM]) == ("van-07", "training")
        secret = fields[Field.SALT]
        assert isinstance(secret, bytes)
        assert genesis.payload is not None
        assert genesis.leaf == chain.leaf(secret, store.epoch, stream, 1, genesis.payload)
        before = chain.first_head("training", "van-07", store.epoch, stream)
        assert genesis.head == chain.next_head(before, stream, 1, Kind.GENESIS, genesis.leaf)
    assert store.tips().seqs == (1, 1, 1, 1, 1)


def test_entries_link_to_each_other_and_survive_closing(
    store: Store, database: Path, key: bytes, visit: Visits
) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        appended = list(tx.appended)
    store.close()
    again = Store.open(database, key)
    entries = again.entries(Stream.VITALS, 1, 100)
    assert entries[1:] == appended
    first = chain.first_head("training", "van-07", again.epoch, Stream.VITALS)
    assert chain.first_break(first, entries) is None
    assert again.head_at(Stream.VITALS, 3) == appended[-1].head
    assert again.head_at(Stream.VITALS, 4) is None
    again.close()


def test_a_patients_secret_goes_with_the_first_vitals_entry_and_every_alert(
    store: Store, visit: Visits
) -> None:
    each, other = visit(), visit()
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        other.register(tx)
        for _ in range(2):
            tx.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_CODE: "spo2-low"}, patient=each.patient)
        tx.append(
            Stream.DOC, Kind.OBSERVATION, {Field.CODE: "pain", Field.VALUE: [3, 0]}, patient=each.patient
        )
    registered, opened, other_registered = (payload(e) for e in store.entries(Stream.VITALS, 2, 4))
    alerts = [payload(e) for e in store.entries(Stream.ALERT, 2, 3)]
    [document] = store.entries(Stream.DOC, 2, 2)
    secret = registered[Field.SALT]
    assert isinstance(secret, bytes)
    assert len(secret) == 32
    assert Field.SALT not in opened
    assert other_registered[Field.SALT] != secret
    assert [alert[Field.SALT] for alert in alerts] == [secret, secret]
    assert Field.SALT not in payload(document)
    assert document.payload is not None
    assert document.leaf == chain.leaf(secret, store.epoch, Stream.DOC, 2, document.payload)


def test_an_alert_before_any_vitals_does_not_use_up_the_first_vitals_entry(
    store: Store, visit: Visits
) -> None:
    each = visit()
    with store.write() as tx:
        tx.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_CODE: "help"}, patient=each.patient)
        each.register(tx)
    [alert], [registered] = store.entries(Stream.ALERT, 2, 2), store.entries(Stream.VITALS, 2, 2)
    assert payload(alert)[Field.SALT] == payload(registered)[Field.SALT]


def test_an_undone_first_entry_leaves_the_secret_to_the_next(store: Store, visit: Visits) -> None:
    each = visit()
    with pytest.raises(ZeroDivisionError):
        write(store, each.register, fail)
    with store.write() as tx:
        each.register(tx)
    assert Field.SALT in payload(store.entries(Stream.VITALS, 2, 2)[0])


def test_entries_without_a_patient_are_salted_under_the_epochs_secret(store: Store) -> None:
    with store.write() as tx:
        entry = note(tx)
    secret = payload(store.entries(Stream.AUDIT, 1, 1)[0])[Field.SALT]
    assert isinstance(secret, bytes)
    assert entry.payload is not None
    assert entry.leaf == chain.leaf(secret, store.epoch, Stream.AUDIT, 2, entry.payload)
    assert Field.SALT not in payload(entry)


def test_what_is_appended_is_not_changed_for_the_caller(store: Store, visit: Visits) -> None:
    given_fields: dict[int, cbor.Value] = {Field.FAMILY: "Tazi", Field.WALL_MS: 1}
    with store.write() as tx:
        tx.append(Stream.VITALS, Kind.PATIENT, given_fields, patient=visit().patient)
    assert given_fields == {Field.FAMILY: "Tazi", Field.WALL_MS: 1}


def test_inside_before_commit_the_tips_are_those_that_will_stand(store: Store, visit: Visits) -> None:
    seen: list[tuple[list[Entry], tuple[int, ...]]] = []
    with store.write(lambda entries: seen.append((list(entries), store.tips().seqs))) as tx:
        visit().register(tx)
        note(tx)
        assert seen == []
    [(entries, tips)] = seen
    assert [(e.stream, e.seq) for e in entries] == [(Stream.VITALS, 2), (Stream.AUDIT, 2)]
    assert tips == (1, 2, 1, 1, 2) == store.tips().seqs
    assert store.tips().audit_head == entries[1].head[:16]


def test_what_before_commit_raises_undoes_everything(store: Store, visit: Visits) -> None:
    def no_room(_: list[Entry]) -> None:
        raise NoRoom

    with pytest.raises(NoRoom):
        write(store, visit().register, lambda tx: tx.remember("0197", b"saved"), before_commit=no_room)
    assert store.tips().seqs == (1, 1, 1, 1, 1)
    assert store.patients() == []
    assert store.answer("0197") is None
    with store.write() as tx:
        assert note(tx).seq == 2


def test_a_refused_entry_cannot_be_half_committed(store: Store, visit: Visits) -> None:
    each = visit()

    def swallow(tx: Transaction) -> None:
        with pytest.raises(StoreRefused):
            each.close(tx)  # was never opened

    with pytest.raises(StoreRefused):
        write(store, each.register, swallow)
    with pytest.raises(StoreRefused):
        write(store, each.register, swallow, note, swallow)
    assert store.tips().seqs == (1, 1, 1, 1, 1)
    assert store.verify().valid


def test_a_request_is_remembered_once(store: Store) -> None:
    with store.write() as tx:
        tx.remember("0197-a", b"first")
    with pytest.raises(StoreRefused):
        write(store, note, lambda tx: tx.remember("0197-a", b"second"))
    assert store.answer("0197-a") == b"first"
    assert store.tips().seqs[Stream.AUDIT] == 1


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE journal SET payload = x'a0'",
        "UPDATE journal SET seq = seq + 1",
        "DELETE FROM journal",
        """INSERT OR REPLACE INTO journal
           SELECT id, epoch, stream, seq, 9, patient, payload, leaf, head FROM journal""",
        """REPLACE INTO journal (epoch, stream, seq, kind, leaf, head)
           SELECT epoch, stream, seq, 9, leaf, head FROM journal""",
    ],
)
def test_the_journal_takes_no_edit(filled: Store, sql: str) -> None:
    with pytest.raises(StoreError), filled.write() as tx:
        tx._run(sql)
    assert filled.verify().valid


def test_watermarks_rise_and_fall_only_with_a_new_generation(filled: Store) -> None:
    with filled.write() as tx:
        tx.move_watermark("landed", Stream.VITALS, 20)
        tx.move_watermark("opened", Stream.VITALS, 10)
        tx.set_receipt_rseq("landed", 1, 7)
    mark = filled.watermark(Stream.VITALS)
    assert (mark.tip, mark.landed, mark.opened, mark.stopped) == (49, 20, 10, None)
    for beyond_or_back in (50, 19):
        with pytest.raises(StoreRefused), filled.write() as tx:
            tx.move_watermark("landed", Stream.VITALS, beyond_or_back)
    with filled.write() as tx:
        tx.move_watermark("landed", Stream.VITALS, 5, new_generation=True)
        tx.stop_stream(Stream.VITALS, "head-mismatch")
        tx.set_receipt_rseq("landed", 2, 1)
    mark = filled.watermark(Stream.VITALS)
    assert (mark.landed, mark.stopped) == (5, "head-mismatch")
    assert (filled.receipt_rseq("landed", 1), filled.receipt_rseq("landed", 2)) == (7, 1)
    assert filled.receipt_rseq("opened", 1) == 0
    assert (filled.receipt_generation("landed"), filled.receipt_generation("opened")) == (2, None)


def test_a_watermark_may_reach_an_entry_of_its_own_transaction(store: Store) -> None:
    with store.write() as tx:
        tx.move_watermark("landed", Stream.AUDIT, note(tx).seq)
    assert store.watermark(Stream.AUDIT).landed == 2


def test_identities_and_readings(store: Store) -> None:
    with store.write() as tx:
        assert tx.identity(note(tx)).as_json() == ["van-07", store.epoch.hex(), "audit", 2]
        assert [tx.next_reading(), tx.next_reading()] == [1, 2]
        tx.keep_raw(2, b"\x01\x02", 5)
    with store.write() as tx:
        assert tx.next_reading() == 3
    assert [each.seq for each in store.entry_ids(Stream.AUDIT, 0, 99)] == [1, 2]
    assert (store.raw_frame(2), store.raw_frame(1)) == (b"\x01\x02", None)


def test_the_units_keys_are_made_once_and_do_not_show(store: Store, database: Path, key: bytes) -> None:
    identity = store.identity()
    assert (len(identity.sign_private), len(identity.recv_private)) == (32, 96)
    assert (len(identity.sign_public), len(identity.recv_public)) == (32, 1216)
    store.close()
    again = Store.open(database, key)
    assert again.identity() == identity
    again.close()


def test_the_links_keys_are_of_the_same_form(store: Store) -> None:
    """The centre seals to what the unit shows; the two ends never import each other's code."""
    identity = store.identity()
    assert keys.signing_public(identity.sign_private) == identity.sign_public
    assert keys.sealing_public(identity.recv_private) == identity.recv_public
    sealed = keys.seal_to(identity.recv_public, b"advice", b"info")
    assert keys.open_sealed(identity.recv_private, sealed, b"info") == b"advice"


def test_no_secret_shows_when_a_store_is_printed(store: Store) -> None:
    shown = repr(store) + repr(store._epoch) + repr(store.identity()) + repr(vars(store))
    [(secret,)] = store._rows("SELECT secret FROM epochs")
    for hidden in (secret, store.identity().sign_private, store.identity().recv_private):
        assert repr(hidden) not in shown
        assert hidden.hex() not in shown


def test_a_new_epoch_tells_the_patients_secret_again(store: Store, visit: Visits) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx)
    old = store.epoch
    store._connection.execute("BEGIN IMMEDIATE")
    begin_epoch(store._connection, Whose("van-07", "training"), MOMENT, (old, store.tips().seqs))
    store._connection.execute("COMMIT")
    row = store._connection.execute(
        "SELECT number, epoch, secret FROM epochs ORDER BY number DESC"
    ).fetchone()
    assert row is not None
    fresh = Store(store._connection, store._whose, type(store._epoch)(*row))
    with fresh.write() as tx:
        each.open(tx)
    genesis, opened = (payload(e) for e in fresh.entries(Stream.VITALS, 1, 2))
    assert genesis[Field.PARENT] == [old, [1, 2, 1, 1, 1]]
    assert Field.SALT in opened
    assert fresh.patients()[0].tips == {Stream.VITALS: 2}
    assert fresh.verify().valid


steps = st.lists(
    st.tuples(
        st.sampled_from(list(Stream)), st.integers(1, 4), st.sampled_from(["commit", "raise", "refuse"])
    ),
    max_size=12,
)


@given(steps=steps)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_numbers_stay_dense_whatever_fails(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Stream, int, str]]
) -> None:
    path = tmp_path_factory.mktemp("dense") / "qafila.db"
    store = Store.create(path, os.urandom(32), unit="van-07", realm="training", moment=MOMENT)
    expected = dict.fromkeys(Stream, 1)
    try:
        for stream, count, end in steps:
            notes = [functools.partial(note, stream=stream)] * count
            if end == "commit":
                write(store, *notes)
                expected[stream] += count
            else:
                with pytest.raises((ZeroDivisionError, StoreRefused)):
                    write(store, *notes, fail if end == "raise" else close_nothing)
        assert store.tips().seqs == tuple(expected.values())
        for stream, tip in expected.items():
            assert [e.seq for e in store.entries(stream, 1, 10_000)] == list(range(1, tip + 1))
        assert store.verify().valid
    finally:
        store.close()
