"""The conversation with a SunTech module, with a simulated module at the other end and a clock of our own."""

import itertools
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec.framing import Frame, Framer
from drivers.devices.suntech_nibp.codec import (
    ABORT,
    GET_PRESSURE,
    GET_RESULT,
    GET_VERSION,
    REQUESTS,
    RESET,
    CuffPressure,
    Result,
    State,
    Suntech,
    Version,
    decode,
    encode_pressure,
    encode_result,
    encode_state,
    initial_inflation,
    request,
)
from drivers.devices.suntech_nibp.machine import BUSY_FOR_S, LONGEST_S, Ended, Machine, Outcome, Phase
from drivers.devices.suntech_nibp.unit import VERSION, Unit
from drivers.simulation.vitals import Snapshot, Steady
from edge.ports.driver import CuffMode, DeviceError, DeviceMisbehaved, DeviceUnavailable
from edge.vitals.quantity import Quantity
from edge.vitals.quantity import Unit as UcumUnit

ARM: Final = Steady(Snapshot(systolic=128, diastolic=79, mean=95, pulse=71))


class Talk:
    """A machine and a unit on one line, in steps of 20 ms.

    Attributes:
        lossy: how often, of 100, a byte is lost in either direction.
        cut: nothing passes.
    """

    def __init__(self, *, seed: int = 1) -> None:
        self.now_s = 0.0
        self.unit = Unit(ARM, 0.0, seed=seed)
        self.machine = Machine("/dev/cuff", 0.0)
        self.framer = Framer(Suntech())
        self.sent: list[tuple[float, bytes]] = []
        self.outcomes: list[Outcome] = []
        self.error: DeviceError | None = None
        self.lossy = 0
        self.cut = False
        self.replace: dict[bytes, list[bytes]] = {}
        self._chance = random.Random(seed)  # noqa: S311  a seed makes a failure repeatable

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        end_s = self.now_s + seconds
        while self.now_s < end_s and self.error is None:
            if until():
                return True
            self.now_s += 0.02
            self._hear(self.unit.stream(self.now_s))
            due = self.machine.due(self.now_s)
            if isinstance(due, DeviceError):
                self.error = due
            elif due is not None:
                self.sent.append((self.now_s, due))
                instead = self.replace.get(due, [])
                answer = instead.pop(0) if instead else self.unit.hear(self._line(due), self.now_s)
                self._hear(answer)
        return until()

    def start(self, mode: CuffMode = CuffMode.ADULT) -> list[DeviceError | None]:
        told: list[DeviceError | None] = []
        self.machine.start(mode, told.append, self.now_s)
        return told

    def stop(self) -> list[DeviceError | None]:
        told: list[DeviceError | None] = []
        self.machine.stop(told.append)
        return told

    @property
    def gone(self) -> str:
        return "" if self.error is None else self.error.stable_code

    def results(self) -> list[Result | Ended]:
        return [each for each in self.outcomes if isinstance(each, Result | Ended)]

    def _line(self, data: bytes) -> bytes:
        if self.cut:
            return b""
        return bytes(byte for byte in data if self._chance.randrange(100) >= self.lossy)

    def _hear(self, data: bytes) -> None:
        for event in self.framer.feed(self._line(data)):
            if isinstance(event, Frame):
                said = self.machine.hear(decode(event), self.now_s)
                if said is not None:
                    self.outcomes.append(said)


def number(result: Result | Ended) -> tuple[int, ...]:
    assert isinstance(result, Result)
    values = (result.systolic, result.diastolic, result.mean, result.pulse)
    return tuple(int(value.value) for value in values if isinstance(value, Quantity))


# ── What is written ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        (REQUESTS[CuffMode.ADULT], "3A20A6"),
        (REQUESTS[CuffMode.CHILD], "3A873F"),
        (REQUESTS[CuffMode.NEONATE], "3A289E"),
        (ABORT, "3A7901004C"),
        (GET_PRESSURE, "3A79050048"),
        (GET_RESULT, "3A7903004A"),
        (initial_inflation(160), "3A17A0000F"),
        (request(0x00), "3A00C6"),
        (GET_VERSION, "3A7902400B"),
        (RESET, "3A8A3C"),
    ],
)
def test_requests_are_as_the_reference_writes_them(asked: bytes, written: str) -> None:
    assert asked == bytes.fromhex(written)
    assert sum(asked) & 0xFF == 0


@given(st.integers(-1, 400), st.lists(st.integers(1, 300), min_size=4, max_size=4))
def test_what_the_simulator_writes_is_read_back(mmhg: int, numbers: list[int]) -> None:
    said = decode(Frame(encode_pressure(mmhg)))
    assert isinstance(said, CuffPressure)
    assert (int(said.pressure.value) if isinstance(said.pressure, Quantity) else -1) == mmhg
    result = decode(Frame(encode_result(*numbers)))
    assert isinstance(result, Result)
    assert list(number(result)) == numbers


# ── A measurement ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", list(CuffMode))
def test_a_measurement_from_start_to_result(mode: CuffMode) -> None:
    talk = Talk()
    talk.run(3)
    told = talk.start(mode)
    assert talk.run(2, lambda: told == [None])
    assert talk.unit.measuring
    assert talk.run(60, lambda: bool(talk.results()))
    (result,) = talk.results()
    systolic, diastolic, mean, pulse = number(result)
    assert (abs(systolic - 128) <= 2, abs(diastolic - 79) <= 2, abs(mean - 95) <= 2, pulse) == (
        True,
        True,
        True,
        71,
    )
    assert talk.machine.phase is Phase.IDLE
    shown = [
        int(each.pressure.value)
        for each in talk.outcomes
        if isinstance(each, CuffPressure) and isinstance(each.pressure, Quantity)
    ]
    assert max(shown) > 90
    asked = [data for _, data in talk.sent]
    assert asked.count(REQUESTS[mode]) == 1
    assert asked.count(GET_RESULT) == 1
    between = asked[asked.index(REQUESTS[mode]) + 1 : asked.index(GET_RESULT)]
    assert set(between) == {GET_PRESSURE}
    times = [at_s for at_s, data in talk.sent if data == GET_PRESSURE]
    polls = [b - a for a, b in itertools.pairwise(times) if b - a < 0.5]
    assert 0.2 <= sum(polls) / len(polls) <= 0.26


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ("sensor off", "cuff-too-loose"),
        ("motion on", "artifact"),
        ("error 90", "device-fault"),
        ("error 89", "over-pressure"),
    ],
)
def test_a_failed_measurement_gives_its_reason_and_no_number(order: str, reason: str) -> None:
    talk = Talk()
    assert talk.unit.obey(order.split(), 0.0) == b""
    talk.start()
    assert talk.run(60, lambda: bool(talk.results()))
    (result,) = talk.results()
    assert isinstance(result, Result)
    assert number(result) == ()
    assert result.reason == reason


def test_while_one_runs_no_other_begins() -> None:
    talk = Talk()
    first = talk.start()
    talk.run(2)
    (second,) = talk.start()
    assert first == [None]
    assert isinstance(second, DeviceUnavailable)
    assert second.stable_code == "measurement-running"
    assert [data for _, data in talk.sent].count(REQUESTS[CuffMode.ADULT]) == 1


def test_a_busy_module_is_asked_again_and_given_up_after_a_while() -> None:
    talk = Talk()
    busy = encode_state(State.BUSY)
    talk.replace[REQUESTS[CuffMode.ADULT]] = [busy, busy]
    told = talk.start()
    assert talk.run(5, lambda: told == [None])
    talk = Talk()
    talk.replace[REQUESTS[CuffMode.ADULT]] = [busy] * 100
    told = talk.start()
    assert talk.run(BUSY_FOR_S + 3, lambda: bool(told))
    (error,) = told
    assert isinstance(error, DeviceUnavailable)
    assert error.stable_code == "device-busy"
    assert talk.machine.phase is Phase.IDLE


def test_a_module_that_refuses_is_told_as_such() -> None:
    for letter in (State.ERROR, State.UNDEFINED, State.NOT_RECOGNISED, State.TIMED_OUT, State.ABORTED):
        talk = Talk()
        talk.replace[REQUESTS[CuffMode.ADULT]] = [encode_state(letter)]
        told = talk.start()
        talk.run(1)
        (error,) = told
        assert isinstance(error, DeviceMisbehaved)
        assert error.stable_code == "measurement-refused"
        assert talk.machine.phase is Phase.IDLE


def test_a_start_whose_answer_was_lost_is_no_second_start() -> None:
    talk = Talk()
    start = REQUESTS[CuffMode.ADULT]
    talk.replace[start] = [b""]  # the module hears it, we do not hear the module
    told = talk.start()
    talk.unit.hear(start, 0.1)
    assert talk.unit.measuring
    assert talk.run(4, lambda: told == [None])
    assert talk.run(60, lambda: bool(talk.results()))
    assert len(number(talk.results()[0])) == 4


def test_a_lost_k_is_noticed_by_the_empty_cuff() -> None:
    talk = Talk()
    talk.start()
    assert talk.run(60, lambda: talk.unit.measuring)
    while talk.unit.measuring:
        talk.cut = talk.unit.cuff_mmhg < 71 and talk.machine.phase is Phase.MEASURING
        talk.run(0.02)
    talk.cut = False
    assert talk.machine.phase is Phase.MEASURING
    assert talk.run(8, lambda: bool(talk.results()))
    assert len(number(talk.results()[0])) == 4


def test_a_module_that_never_finishes_is_told_to_stop() -> None:
    talk = Talk()
    told = talk.start()
    talk.run(1)
    assert told == [None]
    talk.replace[GET_PRESSURE] = [encode_pressure(150)] * 10_000
    talk.unit.obey(["power", "off"], talk.now_s)  # it never says K
    assert talk.run(LONGEST_S + 5, lambda: bool(talk.results()))
    assert talk.results() == [Ended("measurement-too-long")]
    assert ABORT in [data for _, data in talk.sent]


# ── The way out ──────────────────────────────────────────────────────────────────────────────────


@given(st.floats(0, 25))
def test_stop_empties_the_cuff_whenever_it_is_said(after_s: float) -> None:
    talk = Talk()
    talk.start()
    talk.run(after_s)
    told = talk.stop()
    before = len(talk.sent)
    said_s = talk.now_s
    assert talk.run(3, lambda: told == [None])
    assert talk.now_s - said_s <= 1.2
    assert talk.sent[before][1] == ABORT  # nothing overtakes it
    assert not talk.unit.measuring
    talk.run(2)
    assert talk.unit.cuff_mmhg == 0
    assert talk.machine.phase is Phase.IDLE


def test_a_stopped_measurement_says_so_and_one_that_never_began_says_nothing() -> None:
    talk = Talk()
    talk.start()
    talk.run(5)
    talk.stop()
    talk.run(2)
    assert talk.results() == [Ended("measurement-stopped")]
    talk.stop()
    talk.run(2)
    assert talk.results() == [Ended("measurement-stopped")]


def test_a_stop_before_the_start_was_sent_ends_it() -> None:
    talk = Talk()
    started, stopped = talk.start(), talk.stop()
    talk.run(2)
    assert stopped == [None]
    (error,) = started
    assert isinstance(error, DeviceUnavailable)
    assert error.stable_code == "measurement-stopped"
    assert not talk.unit.measuring
    assert REQUESTS[CuffMode.ADULT] not in [data for _, data in talk.sent]


def test_whoever_waits_is_told_that_the_line_is_gone_and_the_last_word_is_abort() -> None:
    talk = Talk()
    assert talk.machine.lose() is None  # nothing is being measured
    started = talk.start()
    assert talk.machine.lose() == ABORT
    (error,) = started
    assert error is not None
    assert error.stable_code == "device-gone"
    talk = Talk()
    talk.start()
    talk.run(3)
    stopped = talk.stop()
    assert talk.machine.lose() == ABORT
    (error,) = stopped
    assert error is not None
    assert error.stable_code == "device-gone"


def test_three_requests_without_an_answer_and_it_has_gone() -> None:
    talk = Talk()
    assert not talk.run(2, lambda: bool(talk.gone))
    talk.cut = True
    talk.run(10)
    assert talk.gone == "device-silent"
    assert talk.now_s < 8


# ── One at a time, in pauses ─────────────────────────────────────────────────────────────────────

deeds: Final = st.lists(
    st.tuples(
        st.sampled_from(["start", "stop", "noise", "quiet", "cut", "mend", "off", "move"]), st.floats(0.02, 8)
    ),
    max_size=12,
)


@given(deeds, st.integers(0, 99))
def test_one_request_at_a_time_whatever_happens(told: list[tuple[str, float]], seed: int) -> None:
    """Requests are 0.1 s apart; the next waits for the answer or a second; nothing is told twice."""
    talk = Talk(seed=seed)
    answers: list[list[DeviceError | None]] = []
    for deed, seconds in told:
        match deed:
            case "start":
                answers.append(talk.start())
            case "stop":
                answers.append(talk.stop())
            case "noise" | "quiet":
                talk.lossy = 10 if deed == "noise" else 0
            case "cut" | "mend":
                talk.cut = deed == "cut"
            case "off":
                talk.unit.obey(["sensor", "off"], talk.now_s)
            case _:
                talk.unit.obey(["motion", "on"], talk.now_s)
        talk.run(seconds)
    gaps = [b - a for (a, _), (b, _) in itertools.pairwise(talk.sent)]
    assert all(gap >= 0.1 - 1e-9 for gap in gaps)
    talk.cut, talk.lossy = False, 0
    talk.stop()
    talk.run(4)
    assert talk.gone or not talk.unit.measuring
    talk.machine.lose()
    assert all(len(answer) == 1 for answer in answers)


def test_every_answer_in_every_phase_leaves_a_phase_that_ends() -> None:
    """The table, walked: from each phase, after any answer, a stop still ends in IDLE."""
    said: list[State | CuffPressure | Result | Version] = [
        *State,
        CuffPressure(Quantity(Decimal(100), UcumUnit.MILLIMETRE_OF_MERCURY)),
        Version("LX"),
    ]
    result = decode(Frame(encode_result(128, 79, 95, 71)))
    assert isinstance(result, Result)
    said.append(result)
    for phase in Phase:
        for each in said:
            machine = Machine("/dev/cuff", 0.0)
            machine.phase = phase
            machine.hear(each, 1.0)
            told: list[DeviceError | None] = []
            machine.stop(told.append)
            now_s = 2.0
            while machine.due(now_s) != ABORT:
                now_s += 0.1
                assert now_s < 4
            machine.hear(State.ABORTED, now_s)
            assert machine.phase is Phase.IDLE
            assert told == [None]


def test_the_simulated_module_says_which_it_is() -> None:
    talk = Talk()
    assert talk.run(2, lambda: any(isinstance(each, Version) for each in talk.outcomes))
    assert [each.text for each in talk.outcomes if isinstance(each, Version)] == [VERSION]
