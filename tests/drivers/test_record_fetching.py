"""Records are fetched one request at a time: each comes, and none is stored twice, whatever happens."""

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime
from drivers.codec.racp import (
    ABORT,
    REPORT_ALL,
    Answered,
    Counted,
    Opcode,
    Outcome,
    encode_answer,
    report_from,
)
from drivers.codec.record_times import Now
from drivers.devices.sig_glucose.codec import (
    Concentration,
    Context,
    Glucose,
    encode_context,
    encode_measurement,
)
from drivers.devices.sig_glucose.driver import CONTEXT_WITHIN_S, QUIET_FOR_S, MeterEar
from drivers.devices.sig_glucose.memory import NEAR_THE_END, Last, Memory, Progress
from drivers.devices.sig_glucose.readings import Joiner, record
from drivers.setup.ear import Done, Heard, Said, Send
from drivers.setup.known import Known
from drivers.setup.records import ABORTED_WITHIN_S, SILENT_FOR_S, TRIES, Fetch
from drivers.simulation.kept_records import Kept, KeptRecords
from edge.ports.driver import DeviceMisbehaved, DeviceUnavailable
from edge.vitals.reading import Reading

PORT: Final = "ble:C0:FF:EE:00:00:04"
AT: Final = datetime.datetime(2026, 3, 14, 9, 5, 30)  # noqa: DTZ001  devices name no zone


def known(wall: datetime.datetime | None = None) -> Known:
    return Known(PORT, lambda: wall, lambda: 0.0, address=PORT)


def measured(sequence: int, mg_dl: int = 98, *, context: bool = False) -> bytes:
    at = AT + datetime.timedelta(minutes=sequence)
    what = Concentration(Decimal(mg_dl).scaleb(-5), 1, 1)
    return encode_measurement(Glucose(sequence, DateTime.of(at), concentration=what, context=context))


def about(sequence: int, meal: int = 3) -> bytes:
    return encode_context(Context(sequence, meal=meal))


def answer(outcome: Outcome, opcode: Opcode = Opcode.REPORT) -> bytes:
    return encode_answer(Answered(opcode, outcome))


def heard(channel: str, raw: bytes, at_s: float = 0.0) -> Heard:
    return Heard(channel, raw, at_s)


def request_of(said: Iterable[Said]) -> bytes | None:
    sends = [one for one in said if isinstance(one, Send)]
    assert len(sends) <= 1
    return sends[0].data if sends else None


# ── One procedure after the other ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("outcome", [Outcome.SUCCESS, Outcome.NO_RECORDS])
def test_an_answer_completes(outcome: Outcome) -> None:
    fetch = Fetch(REPORT_ALL, 0.0)
    assert fetch.runs
    assert list(fetch.hear(answer(outcome), 1.0)) == []
    assert (fetch.runs, fetch.complete) == (False, True)


def test_a_part_that_does_not_go_on_is_followed_by_all() -> None:
    fetch = Fetch(report_from(7), 0.0, continues=lambda: False)
    assert request_of(fetch.hear(answer(Outcome.NO_RECORDS), 1.0)) == REPORT_ALL
    assert (fetch.runs, fetch.complete) == (True, False)
    assert list(fetch.hear(answer(Outcome.SUCCESS), 1.0)) == []
    assert fetch.complete


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.INVALID_OPERATOR,
        Outcome.OPERATOR_UNSUPPORTED,
        Outcome.INVALID_OPERAND,
        Outcome.OPERAND_UNSUPPORTED,
    ],
)
def test_a_device_that_knows_no_parts_is_asked_for_all(outcome: Outcome) -> None:
    fetch = Fetch(report_from(7), 0.0)
    assert request_of(fetch.hear(answer(outcome), 1.0)) == REPORT_ALL
    assert fetch.part_refused
    (error,) = fetch.hear(answer(outcome), 1.0)
    assert isinstance(error, DeviceMisbehaved)
    assert error.stable_code == "records-refused"


def test_a_device_that_cannot_complete_is_asked_three_times() -> None:
    fetch = Fetch(report_from(7), 0.0)
    for _ in range(TRIES - 1):
        assert request_of(fetch.hear(answer(Outcome.NOT_COMPLETED), 1.0)) == report_from(7)
    (error,) = fetch.hear(answer(Outcome.NOT_COMPLETED), 1.0)
    assert isinstance(error, DeviceUnavailable)
    assert (error.stable_code, fetch.runs, fetch.complete) == ("records-incomplete", False, False)


@pytest.mark.parametrize("outcome", [Outcome.OPCODE_UNSUPPORTED, Outcome.ABORT_FAILED, 77])
def test_any_other_answer_is_a_refusal(outcome: int) -> None:
    (error,) = Fetch(REPORT_ALL, 0.0).hear(encode_answer(Answered(Opcode.REPORT, outcome)), 1.0)
    assert isinstance(error, DeviceMisbehaved)


def test_silence_is_counted_from_the_last_record_and_ends_in_an_abort() -> None:
    fetch = Fetch(REPORT_ALL, 0.0)
    assert list(fetch.tick(SILENT_FOR_S - 1)) == []
    fetch.record(SILENT_FOR_S - 1)
    assert list(fetch.tick(2 * SILENT_FOR_S - 2)) == []
    (abort,) = fetch.tick(2 * SILENT_FOR_S - 1)
    assert isinstance(abort, Send)
    assert (abort.data, abort.optional) == (ABORT, True)
    fetch.record(2 * SILENT_FOR_S)  # one that was under way: it does not wait for more of them
    assert list(fetch.tick(2 * SILENT_FOR_S - 1 + ABORTED_WITHIN_S - 0.1)) == []
    (error,) = fetch.tick(2 * SILENT_FOR_S - 1 + ABORTED_WITHIN_S)
    assert isinstance(error, DeviceUnavailable)
    assert (error.stable_code, fetch.runs) == ("records-timeout", False)
    assert list(fetch.tick(1000.0)) == []


@pytest.mark.parametrize("late", [answer(Outcome.SUCCESS, Opcode.ABORT), answer(Outcome.SUCCESS)])
def test_an_aborted_procedure_has_failed_whatever_is_answered(late: bytes) -> None:
    fetch = Fetch(REPORT_ALL, 0.0)
    list(fetch.tick(SILENT_FOR_S))
    (error,) = fetch.hear(late, SILENT_FOR_S + 1)
    assert isinstance(error, DeviceUnavailable)
    assert not fetch.complete


def test_answers_to_something_else_change_nothing() -> None:
    fetch = Fetch(REPORT_ALL, 0.0)
    for raw in (encode_answer(Counted(5)), answer(Outcome.SUCCESS, Opcode.ABORT)):
        assert list(fetch.hear(raw, 1.0)) == []
        assert fetch.runs
    list(fetch.hear(answer(Outcome.SUCCESS), 1.0))
    assert list(fetch.hear(answer(Outcome.NOT_COMPLETED), 1.0)) == []
    with pytest.raises(DeviceMisbehaved):
        fetch.hear(b"\x01\x01", 1.0)


# ── Records and their contexts ───────────────────────────────────────────────────────────────────


def joiner() -> Joiner:
    return Joiner(lambda said, raw, context: record(said, raw, context, Now()))


def flags(readings: Sequence[Reading]) -> list[str]:
    return [
        next((flag for flag in reading.flags if flag in {"fasting", "context-missing"}), "-")
        for reading in readings
    ]


def test_a_context_before_or_after_its_record_joins_it() -> None:
    join = joiner()
    assert join.measurement(measured(1, context=True)) == []
    (first,) = join.context(about(1))
    assert join.context(about(2)) == []
    (second,) = join.measurement(measured(2, context=True))
    assert flags([first, second]) == ["fasting", "fasting"]
    assert join.finish() == []


def test_records_come_out_in_their_order_though_contexts_do_not() -> None:
    join = joiner()
    given_ = [one for number in (1, 2, 3) for one in join.measurement(measured(number, context=True))]
    assert given_ == []
    assert join.context(about(3)) == []
    assert join.context(about(2)) == []
    together = join.context(about(1))
    assert [reading.record for reading in together] == [measured(n, context=True) for n in (1, 2, 3)]
    assert flags(together) == ["fasting"] * 3


def test_what_was_promised_is_not_waited_for_for_ever() -> None:
    join = joiner()
    out: list[Reading] = []
    for number in range(Joiner.HOLDS + 5):
        out += join.measurement(measured(number, context=True))
    assert flags(out) == ["context-missing"] * 5
    assert flags(join.finish()) == ["context-missing"] * Joiner.HOLDS


def test_contexts_of_nothing_do_not_pile_up() -> None:
    join = joiner()
    for number in range(10 * Joiner.HOLDS):
        assert join.context(about(number)) == []
    assert flags(join.measurement(measured(0, context=True)) + join.finish()) == ["context-missing"]
    assert flags(join.measurement(measured(1)) + join.finish()) == ["-"]


# ── An ear ───────────────────────────────────────────────────────────────────────────────────────


def readings(said: Iterable[Said]) -> list[Reading]:
    return [one for one in said if isinstance(one, Reading)]


def test_a_record_that_comes_by_itself_is_not_held_back_for_long() -> None:
    ear = MeterEar(known(), Memory())
    list(ear.hear(heard(uuids.RECORD_ACCESS_CONTROL_POINT, answer(Outcome.NO_RECORDS))))
    assert readings(ear.hear(heard(uuids.GLUCOSE_MEASUREMENT, measured(1), 1.0))) == []
    assert list(ear.tick(1.0 + CONTEXT_WITHIN_S / 2)) == []
    assert len(readings(ear.tick(1.0 + CONTEXT_WITHIN_S))) == 1
    assert list(ear.tick(1.0 + QUIET_FOR_S)) == [Done()]


def test_a_record_that_the_store_did_not_take_holds_back_those_after_it() -> None:
    memory = Memory()
    ear = MeterEar(known(), memory)
    for number in (4, 5, 6):
        list(ear.hear(heard(uuids.GLUCOSE_MEASUREMENT, measured(number))))
    list(ear.hear(heard(uuids.RECORD_ACCESS_CONTROL_POINT, answer(Outcome.SUCCESS))))
    list(ear.committed([measured(4)]))
    list(ear.committed([measured(6)]))
    assert memory.request(PORT) == report_from(4)
    list(ear.committed([measured(5)]))
    assert memory.request(PORT) == report_from(6)


def test_out_of_order_only_a_complete_transfer_counts() -> None:
    memory = Memory()
    ear = MeterEar(known(), memory)
    for number in (6, 5, 4):
        list(ear.hear(heard(uuids.GLUCOSE_MEASUREMENT, measured(number))))
    list(ear.committed([measured(6), measured(5)]))
    assert memory.request(PORT) == REPORT_ALL
    list(ear.hear(heard(uuids.RECORD_ACCESS_CONTROL_POINT, answer(Outcome.SUCCESS))))
    list(ear.committed([measured(4)]))
    assert memory.request(PORT) == report_from(4)


def test_the_same_record_twice_in_a_meeting_is_one() -> None:
    ear = MeterEar(known(), Memory())
    told = [
        one for _ in range(2) for one in readings(ear.hear(heard(uuids.GLUCOSE_MEASUREMENT, measured(1))))
    ]
    assert len(told + readings(ear.end())) == 1


def test_a_record_that_breaks_its_layout_is_refused_and_the_others_are_heard() -> None:
    ear = MeterEar(known(), Memory())
    list(ear.hear(heard(uuids.GLUCOSE_MEASUREMENT, measured(1))))
    with pytest.raises(DeviceMisbehaved):
        list(ear.hear(heard(uuids.GLUCOSE_MEASUREMENT, measured(2)[:-1])))
    with pytest.raises(DeviceMisbehaved):
        list(ear.hear(heard(uuids.GLUCOSE_CONTEXT, b"\x02\x01")))
    list(ear.hear(heard(uuids.GLUCOSE_MEASUREMENT, measured(3))))
    assert len(readings(ear.end())) == 1


def test_what_a_meter_is_asked_for() -> None:
    memory = Memory()
    assert memory.request("a") == REPORT_ALL
    memory.reach("a", Last(300, b"x"))
    assert (memory.request("a"), memory.request("b")) == (report_from(300), REPORT_ALL)
    memory.reach("a", Last(NEAR_THE_END, b"x"))
    assert memory.request("a") == REPORT_ALL  # past the end numbers begin again at 0
    memory.reach("a", Last(7, b"x"))
    memory.ask_whole("a")
    assert memory.request("a") == REPORT_ALL


def test_a_transfer_that_is_begun_again_counts_from_its_beginning() -> None:
    memory = Memory()
    progress = Progress(memory, PORT)
    assert [progress.came(number, measured(number)) for number in (1, 2)] == [True, True]
    progress.stored([measured(1), measured(2)])
    progress.asked_again(for_all=False)
    assert [progress.came(number, measured(number)) for number in (1, 2, 3)] == [False, False, True]
    progress.stored([measured(3)])
    assert memory.request(PORT) == report_from(3)  # in order, although it is not complete


def test_what_a_part_brought_does_not_hold_back_what_all_bring() -> None:
    memory = Memory()
    memory.reach(PORT, Last(500, measured(500)))
    progress = Progress(memory, PORT)
    assert progress.came(501, measured(501))
    progress.asked_again(for_all=True)
    assert memory.request(PORT) == REPORT_ALL
    assert progress.came(1, measured(1))
    progress.stored([measured(1)])
    assert memory.request(PORT) == report_from(1)


# ── Whatever the meter does ──────────────────────────────────────────────────────────────────────


@dataclasses.dataclass(frozen=True, slots=True)
class Visit:
    """One meeting with the meter.

    Attributes:
        new: how many tests were made since the last.
        ends_after: how many values get through before the link ends; None for all.
        stores: which of the readings the store takes, in turns.
        new_battery: whether it has lost its memory before.
    """

    new: int
    ends_after: int | None
    stores: tuple[bool, ...]
    new_battery: bool


visits = st.lists(
    st.builds(
        Visit,
        new=st.integers(0, 4),
        ends_after=st.none() | st.integers(0, 12),
        stores=st.just((True,)) | st.lists(st.booleans(), min_size=1, max_size=3).map(tuple),
        new_battery=st.sampled_from([False, False, False, True]),
    ),
    max_size=8,
)


class Bench:
    """A meter, an ear for every meeting, and a store that keeps each record once."""

    def __init__(self, *, parts: bool) -> None:
        self.kept = KeptRecords(parts=parts)
        self.memory = Memory()
        self.stored: list[bytes] = []
        self.made: list[bytes] = []
        self.handed = 0
        self._sequence = 0
        self._test = 0
        self._turn = 0

    def test(self) -> None:
        """A strip is read; some users tell the meter of their meal."""
        self._test += 1
        meal = self._test % 3 == 0
        raw = measured(self._sequence, 50 + self._test, context=meal)
        values = [
            (uuids.GLUCOSE_MEASUREMENT, raw),
            *([(uuids.GLUCOSE_CONTEXT, about(self._sequence))] * meal),
        ]
        self.kept.keep(Kept(self._sequence, tuple(values)))
        self.made.append(raw)
        self._sequence += 1

    def new_battery(self) -> None:
        """What was kept and not told is gone; that is nobody's fault here."""
        self.kept.clear()
        self.made = [raw for raw in self.made if raw in self.stored]
        self._sequence = 0

    def meet(self, visit: Visit) -> None:
        for _ in range(visit.new):
            self.test()
        ear = MeterEar(known(), self.memory)
        left = 1_000_000 if visit.ends_after is None else visit.ends_after
        request: bytes | None = self.memory.request(PORT)
        while request is not None and left > 0:
            reply, request = self.kept.reply(request), None
            told = [value for kept in reply.records for value in kept.values]
            if reply.answer is not None:
                told.append((uuids.RECORD_ACCESS_CONTROL_POINT, reply.answer))
            for channel, raw in told[:left]:
                said = list(ear.hear(heard(channel, raw)))
                self._take(ear, said, visit)
                request = request_of(said) or request
            left -= len(told)
        self._take(ear, ear.end(), visit)

    def _take(self, ear: MeterEar, said: Iterable[Said], visit: Visit) -> None:
        for reading in readings(said):
            assert reading.record is not None
            self.handed += 1
            self._turn += 1
            if visit.stores[self._turn % len(visit.stores)]:
                if reading.record not in self.stored:
                    self.stored.append(reading.record)
                list(ear.committed([reading.record]))


@given(course=visits, parts=st.booleans())
@example(
    # It counts anew, and the link ends after a record that has the number of the one we knew.
    course=[Visit(2, None, (True,), new_battery=False), Visit(2, 1, (True,), new_battery=True)],
    parts=True,
)
@example(
    course=[Visit(1, None, (True,), new_battery=False), Visit(2, 0, (True,), new_battery=True)],
    parts=True,
)
def test_nothing_is_lost_or_doubled_whatever_happens_between(course: list[Visit], *, parts: bool) -> None:
    bench = Bench(parts=parts)
    for visit in course:
        if visit.new_battery:
            bench.new_battery()
        bench.meet(visit)
        assert len(set(bench.stored)) == len(bench.stored)
        assert set(bench.stored) <= set(bench.made)
    before = bench.handed
    bench.meet(Visit(0, None, (True,), new_battery=False))
    assert set(bench.stored) == set(bench.made)
    if parts and len(bench.kept):
        after = bench.handed
        bench.meet(Visit(0, None, (True,), new_battery=False))
        assert bench.handed == after, "what is stored is not asked for again"
    assert before <= bench.handed
