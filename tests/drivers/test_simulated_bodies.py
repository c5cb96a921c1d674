"""The bodies that Bluetooth simulators measure: a recorded heart, and an arm."""

import datetime
import itertools
import math
from fractions import Fraction
from importlib import resources

import pytest

from drivers.codec.gatt_time import DateTime
from drivers.codec.heart_rate import decode_heart_rate
from drivers.codec.sfloat import Special
from drivers.devices.polar_h10.codec import Answer, decode_ecg, decode_response
from drivers.devices.polar_h10.simulator import make_peripheral as make_strap
from drivers.devices.polar_h10.unit import POWER_UP_NS, Strap
from drivers.devices.sig_bp.codec import Status, decode_measurement
from drivers.devices.sig_bp.simulator import make_peripheral as make_cuff
from drivers.devices.sig_bp.simulator import wall_clock
from drivers.devices.sig_bp.unit import KEEPS, POWER_UP, Clock, Cuff
from drivers.simulation.arm import Arm, pressures
from drivers.simulation.ecg import RECORDED_RATE, Heart, resampled
from drivers.simulation.person import take_person
from edge.clock import SystemClock

HEART = Heart(130)


def test_the_recording_is_short_and_names_its_source_beside_it() -> None:
    folder = resources.files("drivers.simulation") / "recordings"
    attribution = (folder / "ATTRIBUTION.md").read_text()
    for word in ("PhysioNet", "Moody", "Mark", "2001", "Goldberger", "2000", "Open Data Commons"):
        assert word in attribution
    for file in folder.iterdir():
        assert file.name == "ATTRIBUTION.md" or file.name in attribution
    assert 60 <= HEART.round_s <= 120
    assert len((folder / "mitbih-100.i16.gz").read_bytes()) < 50_000


def test_beats_stand_where_the_ecg_peaks() -> None:
    for beat_s in HEART.beats_before(HEART.round_s, 60):
        place = round(beat_s * HEART.rate)
        beat = HEART.samples(place - 6, 13)
        around = HEART.samples(place - 45, 90)
        assert max(beat) - sorted(around)[45] > 500  # microvolts above what is usual there


def test_the_seam_is_no_beat_and_no_step() -> None:
    size = len(HEART.microvolts)
    across = HEART.samples(size - 20, 40)
    assert max(abs(b - a) for a, b in itertools.pairwise(across)) < 60
    assert HEART.samples(size, 5) == HEART.samples(0, 5)
    beats = HEART.beats_before(HEART.round_s + 3, 8)
    assert beats == sorted(beats)
    assert all(0.5 < after - before < 1.2 for before, after in itertools.pairwise(beats))


@pytest.mark.parametrize(("hertz", "kept"), [(1, 1.0), (10, 1.0), (40, 1.0), (90, 0.0), (150, 0.0)])
def test_resampling_keeps_what_fits_and_folds_nothing_back(hertz: int, kept: float) -> None:
    """Of 130 samples a second, 65 Hz is the end; what the recording has above must vanish."""
    tone = [round(10_000 * math.sin(math.tau * hertz * i / RECORDED_RATE)) for i in range(RECORDED_RATE * 2)]
    new = resampled(tone, Fraction(130, RECORDED_RATE))
    assert len(new) == 260
    wanted = [kept * 10_000 * math.sin(math.tau * hertz * i / 130) for i in range(260)]
    assert max(abs(a - b) for a, b in zip(new, wanted, strict=True)) < 150


def test_a_strap_tells_the_rate_and_intervals_of_its_ecg() -> None:
    strap = Strap(HEART)
    told: list[int] = []
    for _ in range(120):
        strap.frame()
        said = decode_heart_rate(strap.heart_rate())
        assert said.contact is True
        assert 60 <= said.rate <= 90
        told.extend(said.intervals)
    beats = HEART.beats_before(120 * 73 / 130, len(told))
    assert len(told) > 70
    assert told[1:] == [round((b - a) * 1024) for a, b in itertools.pairwise(beats)]


def test_a_strap_counts_time_by_its_own_crystal_from_2019() -> None:
    strap = Strap(HEART, rate=130.17)
    frames = [decode_ecg(strap.frame()) for _ in range(3)]
    assert frames[0].last_ns == POWER_UP_NS + int(72 / 130.17 * 1e9)
    assert abs(frames[1].last_ns - frames[0].last_ns - 560_800_000) < 20_000
    strap.clock_jump(3600)
    assert decode_ecg(strap.frame()).last_ns - frames[2].last_ns > 3_600_000_000_000


@pytest.mark.parametrize(
    ("command", "mtu", "answer"),
    [
        ("01 00", 23, Answer.MTU_TOO_SMALL),
        ("01 00", 232, Answer.OK),
        ("01 02", 232, Answer.UNKNOWN_TYPE),
        ("07 00", 232, Answer.UNKNOWN_OPERATION),
        ("", 232, Answer.UNKNOWN_OPERATION),
        ("02 00 00 01 82 00 01 01 0E 00", 232, Answer.OK),
        ("02 00 00 01 FA 00 01 01 0E 00", 232, Answer.WRONG_RATE),
        ("02 00 00 01 82 00 01 01 10 00", 232, Answer.WRONG_RESOLUTION),
        ("02 00 00 01 82", 232, Answer.WRONG_LENGTH),
        ("03 00", 232, Answer.ALREADY_SO),
    ],
)
def test_a_strap_is_as_particular_as_a_real_one(command: str, mtu: int, answer: Answer) -> None:
    assert decode_response(Strap(HEART).command(bytes.fromhex(command), mtu)).error == answer


def test_a_cuff_keeps_what_nobody_confirmed_and_forgets_the_oldest_in_the_end() -> None:
    cuff = Cuff(Arm(1), Clock(POWER_UP, 0.0))
    for second in range(KEEPS + 2):
        cuff.measured(pressures(120 + second % 9, 80, 70), float(second))
    oldest = cuff.oldest
    assert oldest is not None
    assert decode_measurement(oldest).time == DateTime(2019, 1, 1, 0, 0, 2)
    cuff.confirmed()
    assert cuff.oldest != oldest


def test_a_failed_measurement_says_no_number_anywhere() -> None:
    cuff = Cuff(Arm(1), None)
    cuff.failed(0.0, status=2)
    assert cuff.oldest is not None
    said = decode_measurement(cuff.oldest)
    assert {said.systolic, said.diastolic, said.mean, said.pulse} == {Special.NAN}
    assert (said.time, said.status) == (None, 2)


def test_the_same_seed_gives_the_same_arm() -> None:
    one, other = Arm(7), Arm(7)
    assert [one.measure() for _ in range(5)] == [other.measure() for _ in range(5)]
    assert all(found.diastolic < found.mean < found.systolic for found in [one.measure()])


@pytest.mark.parametrize("options", [{"clock": "wrong"}, {"colour": "red"}, {"seed": "x"}, {"every": ""}])
def test_a_cuff_refuses_options_it_does_not_know(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"."):
        make_cuff("C0:FF:EE:00:00:01", options)


def test_orders_that_are_not_understood_are_refused() -> None:
    cuff, strap = make_cuff("C0:FF:EE:00:00:01", {}), make_strap("C0:FF:EE:00:00:02", {})
    for order in ("measure 1 2", "measure a b c", "fail badly", "clock", "dance", ""):
        assert not cuff.obey(order)
    for order in ("contact maybe", "lose", "answer 77", "answer", "dance", ""):
        assert not strap.obey(order)
    for order in ("measure", "measure 120 80 70", "fail", "store", "clock unset", "hang-up off", "sys 150"):
        assert cuff.obey(order)
    for order in ("contact off", "lose 3", "answer 0A", "answer a", "answer ok", "clock-jump -5", "hang-up"):
        assert strap.obey(order)


# ── On a patient ─────────────────────────────────────────────────────────────────────────────────


def now_s() -> float:
    return SystemClock().monotonic_s()


def test_cuff_and_strap_of_a_scenario_find_the_same_patient() -> None:
    whom = {"scenario": "atrial-fibrillation", "began": str(now_s() - 300)}
    cuff, strap = make_cuff("C0:FF:EE:00:00:01", whom), make_strap("C0:FF:EE:00:00:02", whom)
    person = take_person(dict(whom), now_s())
    assert cuff.obey("measure")
    found = person.vitals.now(person.at_s(now_s()))
    told = decode_measurement(cuff.cuff.oldest or b"")
    assert told.systolic == pytest.approx(round(found.systolic), abs=2)
    assert told.pulse == pytest.approx(round(found.pulse), abs=6)
    assert told.status == Status.IRREGULAR_PULSE
    frame = decode_ecg(strap.strap.frame())
    assert decode_heart_rate(strap.strap.heart_rate()).rate == pytest.approx(found.pulse, abs=25)
    # it was put on somewhere in the last seconds
    last = round((now_s() - float(whom["began"])) * 130)
    heard = tuple(person.vitals.ecg(130, last - 4000, 4000 + len(frame.microvolts)))
    size = len(frame.microvolts)
    assert any(heard[place : place + size] == tuple(frame.microvolts) for place in range(4001))


def test_what_happens_to_a_cuff_is_told_by_it() -> None:
    cuff = make_cuff("C0:FF:EE:00:00:01", {})
    for orders, status in (
        (["sensor off", "measure", "sensor on"], Status.CUFF_TOO_LOOSE),
        (["motion on", "measure", "motion off"], Status.BODY_MOVEMENT),
        (["measure"], 0),
    ):
        assert all(cuff.obey(order) for order in orders)
        told = decode_measurement(cuff.cuff.oldest or b"")
        assert (told.status, isinstance(told.systolic, Special)) == (status, status != 0)
        cuff.cuff.confirmed()
    assert cuff.obey("clock -7200")
    assert cuff.obey("measure")
    at = decode_measurement(cuff.cuff.oldest or b"").time
    wall = at.as_wall() if at else None
    assert wall is not None
    assert wall_clock().at - wall == pytest.approx(
        datetime.timedelta(hours=2), abs=datetime.timedelta(seconds=5)
    )
    assert not any(
        cuff.obey(order) for order in ("battery 101", "battery", "clock soon", "sensor", "noise on")
    )


def test_a_strap_whose_wearer_moves_sends_what_is_no_ecg() -> None:
    still, moving = (make_strap("C0:FF:EE:00:00:02", {}) for _ in range(2))
    assert moving.obey("motion on")
    quiet, shaken = (decode_ecg(each.strap.frame()).microvolts for each in (still, moving))
    assert max(abs(one - other) for one, other in zip(quiet, shaken, strict=True)) > 300
    assert moving.obey("motion off")
    assert decode_ecg(moving.strap.frame()).microvolts == decode_ecg(still.strap.frame()).microvolts
