"""Whatever order, cut, repetition and restart: the same rows, the same receipts, and nothing twice."""

import atexit
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.ports.sealing import StreamReceipt
from edge.records.fields import Field, Kind, Stream
from sync.central.landing import Upward
from tests.sync.central_world import Centre, Unit, make_centre

_SHARED = Path(tempfile.mkdtemp(prefix="qafila-centre-"))
atexit.register(shutil.rmtree, _SHARED)
_CENTRE = make_centre(_SHARED)
"""One centre for all examples; each example is a unit of its own."""


def _unit(name: str) -> Unit:
    unit = _CENTRE.unit(name)
    for _ in range(2):
        patient = unit.visit(observations=3)
        unit.alert(patient)
        unit.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "read"}, patient)
    return unit


def _range(tip: int) -> st.SearchStrategy[tuple[int, int]]:
    ends = st.tuples(st.integers(1, tip), st.integers(1, tip))
    return ends.map(lambda pair: (min(pair), max(pair)))


VITALS, SMALL = 13, 3
deliveries = st.lists(
    st.one_of(
        st.tuples(st.just(Stream.VITALS), _range(VITALS)),
        st.tuples(st.sampled_from([Stream.ALERT, Stream.AUDIT]), _range(SMALL)),
    ),
    max_size=12,
)
numbers = iter(range(1_000_000))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), extra=deliveries, restarts=st.sets(st.integers(0, 20)), key_at=st.integers(0, 15))
def test_any_delivery_ends_in_the_same_place(
    data: st.DataObject, extra: list[tuple[Stream, tuple[int, int]]], restarts: set[int], key_at: int
) -> None:
    unit = _unit(f"van-{next(numbers)}")
    whole: list[tuple[Stream, tuple[int, int]]] = [
        (Stream.VITALS, (1, VITALS)),
        (Stream.ALERT, (1, SMALL)),
        (Stream.AUDIT, (1, SMALL)),
    ]
    order = data.draw(st.permutations(whole + extra))
    messages = [unit.batch(stream, *ends) for stream, ends in order]
    messages.insert(min(key_at, len(messages)), unit.key_message())
    messages += data.draw(st.lists(st.sampled_from(messages), max_size=4), label="repeats")
    _deliver(messages, restarts)
    _everything_is_there_once(unit)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), restarts=st.sets(st.integers(0, 20)))
def test_a_branch_is_kept_whole_in_any_order_and_never_moves_the_other(
    data: st.DataObject, restarts: set[int]
) -> None:
    unit = _unit(f"van-{next(numbers)}")
    keep = data.draw(st.integers(2, VITALS - 1))
    other = unit.fork(Stream.VITALS, keep)
    while len(other.journal[Stream.VITALS]) < VITALS:
        other.observe(next(key for key in unit.secrets if key), bytes(16), "spo2", 42)
    cut = data.draw(st.integers(keep + 1, VITALS))
    messages = [
        unit.key_message(),
        other.key_message(),
        *unit.batches(Stream.VITALS, *sorted({cut, VITALS})),
        *(
            other.batch(Stream.VITALS, first, last)
            for first, last in ((keep + 1, cut), (cut + 1, VITALS))
            if first <= last
        ),
    ]
    _deliver(data.draw(st.permutations(messages)), restarts)
    kept = {
        (seq, leaf)
        for seq, leaf in _CENTRE.rows(
            "SELECT seq, leaf FROM entries WHERE unit = ? AND stream = 'vitals'", unit.name
        )
    }
    both = [*unit.journal[Stream.VITALS], *other.journal[Stream.VITALS]]
    assert kept == {(entry.seq, entry.leaf) for entry in both}
    conflicts = _CENTRE.rows("SELECT seq FROM conflicts WHERE unit = ? AND level = 'opened'", unit.name)
    assert sorted(seq for (seq,) in conflicts) == list(range(keep + 1, VITALS + 1))
    stated = _CENTRE.last("opened", unit.name).streams[Stream.VITALS]
    heads = {entry.head[:16] for entry in both if entry.seq == stated.through}
    assert stated.head in heads


def _deliver(messages: list[Upward], restarts: set[int]) -> None:
    for number, message in enumerate(messages):
        if number in restarts:
            _restart(_CENTRE)
        _CENTRE.land(message)
        if number % 3 == 0:
            _CENTRE.explode()
    _CENTRE.explode()


def _restart(centre: Centre) -> None:
    centre.connection.close()
    centre.exploder._connection.close()
    centre.restart()


def _everything_is_there_once(unit: Unit) -> None:
    rows = _CENTRE.rows("SELECT stream, seq, leaf, head FROM entries WHERE unit = ?", unit.name)
    sent = [unit.journal[stream] for stream in (Stream.VITALS, Stream.ALERT, Stream.AUDIT)]
    expected = {
        (entry.stream.word, entry.seq, entry.leaf, entry.head) for entries in sent for entry in entries
    }
    assert len(rows) == len(expected)
    assert set(rows) == expected
    assert _CENTRE.rows("SELECT 1 FROM conflicts WHERE unit = ?", unit.name) == []
    assert _CENTRE.rows("SELECT 1 FROM landing WHERE unit = ? AND settled = 0", unit.name) == []
    states = {
        entries[-1].stream: StreamReceipt(len(entries), entries[-1].head[:16], len(entries))
        for entries in sent
    }
    for level in ("landed", "opened"):
        receipt = _CENTRE.last(level, unit.name)
        assert receipt.streams == states, level
        assert receipt.nacks == ()
        assert receipt.sessions_needed == ()
        (rseq,) = _CENTRE.rows("SELECT rseq FROM receipts WHERE unit = ? AND level = ?", unit.name, level)[0]
        assert receipt.rseq == rseq
