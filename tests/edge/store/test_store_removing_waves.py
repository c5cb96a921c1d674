"""Samples of wave go before their payloads do, and with their patient."""

from collections.abc import Callable

import pytest

from edge.records.fields import Field, Kind, Stream
from edge.store import Damage, Store, StoreRefused
from tests.edge.store.conftest import Visit
from tests.edge.store.test_store_removing import NOW, erase, opened, order, say, visits
from tests.edge.store.test_store_waves import WAVEFORM, end, record


def test_samples_go_and_what_they_were_of_stays(store: Store, visit: Callable[[], Visit]) -> None:
    one = visits(store, visit, 1)
    record(store, one)
    end(store, one, 3)
    with store.write() as tx:
        assert tx.purge_samples(NOW) == [], "nothing is opened"
    opened(store)
    with store.write() as tx:
        assert tx.purge_samples(NOW - 1) == []
        spans = tx.purge_samples(NOW)
        say(tx, Kind.PURGED, spans, Field.SAMPLES_GONE)
    assert spans == [(store.epoch, Stream.WAVE, 3, 5)]
    [shown] = store.waveforms_of(one.encounter)
    assert (shown.chunks, shown.samples, shown.ended) == (3, 15, "whole")
    with pytest.raises(StoreRefused) as refused:
        store.waveform_chunks(WAVEFORM)
    assert refused.value.stable_code == "wave-at-centre"
    assert store.verify().valid
    store._connection.execute("UPDATE waveform_chunks SET data = x'00' WHERE number = 2")
    assert store.verify().damage is Damage.SAMPLES, "other samples are not the ones that went"


def test_samples_that_no_entry_says_are_gone_are_damage(store: Store, visit: Callable[[], Visit]) -> None:
    one = visits(store, visit, 1)
    record(store, one)
    opened(store)
    with store.write() as tx:
        spans = tx.purge_samples(NOW)
        say(tx, Kind.PURGED, spans)  # the payloads, it says
    result = store.verify()
    assert (result.first_bad, result.damage) == ((Stream.WAVE, 3), Damage.SAMPLES)


def test_who_is_erased_waits_until_their_waves_are_at_the_centre(
    store: Store, visit: Callable[[], Visit]
) -> None:
    one, other = visits(store, visit, 1), visits(store, visit, 1)
    record(store, one)
    opened_but_waves(store)
    order(store, one.patient)
    with store.write() as tx:
        assert not tx.may_erase(one.patient)
    opened(store)
    with store.write() as tx:
        assert tx.may_erase(one.patient)
    erase(store, one.patient)
    assert store.count_waveforms() == 0
    assert not store._rows("SELECT 1 FROM waveform_chunks")
    assert store.encounters_of(other.patient) != []
    assert store.verify().valid


def opened_but_waves(store: Store) -> None:
    with store.write() as tx:
        for stream, mark in store.watermarks().items():
            if stream is not Stream.WAVE:
                tx.move_watermark("opened", stream, mark.tip)
