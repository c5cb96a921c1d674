"""Scenarios: the shipped ones show what they promise, and a file with a mistake is refused at its line."""

import itertools
import re
from importlib import resources
from pathlib import Path
from typing import Final

import pytest

from drivers.registry import KINDS
from drivers.simulation.faults import Fault
from drivers.simulation.patient import Patient
from drivers.simulation.person import take_person
from drivers.simulation.scenario import (
    DeviceTable,
    FaultTable,
    MomentTable,
    OrderTable,
    PatientTable,
    Scenario,
    ScenarioMissing,
    ScenarioRefused,
    find,
    shipped,
)
from drivers.simulation.scenario_file import load, read
from drivers.simulation.vitals import Rhythm, Snapshot
from edge.vitals.codes import Code
from edge.vitals.limits import REFUSE_OUTSIDE

SEVEN: Final = {
    "normal-adult", "hypertensive", "sepsis-getting-worse", "copd-on-oxygen", "child-with-fever",
    "pre-eclampsia", "atrial-fibrillation",
}  # fmt: skip
HERE: Final = Path("scenario.toml")
MEDIUMS: Final = {kind.kind: kind.transport for kind in KINDS.values()}


def patient(name: str) -> Patient:
    scenario = load(name)
    return Patient(scenario.course(), scenario.patient.seed)


def at(name: str, minute: float) -> Snapshot:
    return patient(name).now(minute * 60)


# ── Those that are shipped ───────────────────────────────────────────────────────────────────────


def test_the_seven_are_there() -> None:
    assert set(shipped()) >= SEVEN


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_scenario_can_be_played_and_says_where_its_numbers_come_from(name: str) -> None:
    scenario = load(name, MEDIUMS)
    assert all(re.search(r"(19|20)\d\d|reference|drivers/", source) for source in scenario.sources)
    assert len(scenario.story) > 200
    assert scenario.device
    person = Patient(scenario.course(), scenario.patient.seed)
    for second in range(0, int(scenario.lasts_min * 60) + 60, 30):
        found = person.now(second)
        for code, number in (
            (Code.SYSTOLIC, found.systolic),
            (Code.DIASTOLIC, found.diastolic),
            (Code.MEAN_PRESSURE, found.mean),
            (Code.HEART_RATE, found.pulse),
            (Code.OXYGEN_SATURATION, found.spo2),
            (Code.RESPIRATORY_RATE, found.respiratory_rate),
            (Code.TEMPERATURE, found.temperature_c),
            (Code.PERFUSION_INDEX, found.perfusion),
            (Code.GLUCOSE, found.glucose_mg_dl),
        ):
            low, high = REFUSE_OUTSIDE[code]
            assert low <= number <= high, (second, code)


def test_every_fault_happens_in_some_shipped_scenario() -> None:
    assert {fault.fault for name in SEVEN for fault in load(name).fault} == set(Fault)


@pytest.mark.parametrize("minute", range(0, 20, 2))
def test_a_normal_adult_scores_nothing_of_news2(minute: int) -> None:
    found = at("normal-adult", minute)
    assert 12 <= found.respiratory_rate <= 20
    assert found.spo2 >= 96
    assert 111 <= found.systolic <= 129
    assert found.diastolic < 85
    assert 51 <= found.pulse <= 90
    assert 36.1 <= found.temperature_c <= 38.0
    assert found.glucose_mg_dl < 100


@pytest.mark.parametrize("minute", range(0, 20, 2))
def test_a_hypertensive_adult_stays_at_grade_two_or_more(minute: int) -> None:
    found = at("hypertensive", minute)
    assert found.systolic >= 158
    assert 96 <= found.diastolic < 120
    assert found.spo2 >= 95


def test_sepsis_gets_worse_and_oxygen_mends_the_saturation_alone() -> None:
    first, later, late = (at("sepsis-getting-worse", minute) for minute in (0, 22, 29))
    assert first.systolic > 111
    assert first.respiratory_rate < 21
    assert first.pulse < 95
    assert later.systolic <= 96
    assert later.respiratory_rate >= 25
    assert later.pulse >= 120
    assert later.spo2 <= 91
    assert later.temperature_c >= 39.1
    assert late.spo2 >= 95
    assert late.systolic < later.systolic
    assert late.perfusion < 0.5 < first.perfusion


def test_oxygen_takes_the_patient_with_copd_into_his_range_and_beyond_it() -> None:
    assert all(88 <= at("copd-on-oxygen", minute).spo2 <= 92 for minute in (1, 4, 7, 22))
    assert at("copd-on-oxygen", 13).spo2 >= 97


def test_the_child_cools_down_and_its_heart_with_it() -> None:
    hot, cool = at("child-with-fever", 1), at("child-with-fever", 45)
    assert hot.temperature_c > 39
    assert hot.pulse > 120
    assert hot.respiratory_rate > 29
    assert cool.temperature_c < 38
    assert cool.pulse < 120
    assert hot.pulse - cool.pulse > 12
    assert 91 <= hot.systolic <= 109


def test_pre_eclampsia_passes_both_limits() -> None:
    first, last = at("pre-eclampsia", 0), at("pre-eclampsia", 17)
    assert 140 <= first.systolic < 150
    assert 90 <= first.diastolic < 100
    assert last.systolic >= 160
    assert last.diastolic >= 110
    assert last.spo2 >= 95


def test_the_heart_that_fibrillates_is_irregular_and_fast() -> None:
    someone = patient("atrial-fibrillation")
    beats = someone.beats(0, 300)
    intervals = [after - before for before, after in itertools.pairwise(beats)]
    assert someone.now(60).rhythm is Rhythm.ATRIAL_FIBRILLATION
    assert max(intervals) > 1.6 * min(intervals)
    assert 105 < len(beats) / 5 < 130


def test_who_is_told_a_scenario_measures_its_patient_wherever_they_live() -> None:
    one = take_person({"scenario": "sepsis-getting-worse", "began": "1000"}, 2000.0)
    other = take_person({"scenario": str(find("sepsis-getting-worse")), "began": "1000"}, 2300.0)
    assert one.vitals.now(one.at_s(2200)) == other.vitals.now(other.at_s(2200))
    hurried = take_person({"scenario": "sepsis-getting-worse", "began": "1000", "pace": "10"}, 1000.0)
    assert hurried.vitals.now(130).systolic < 95 < one.vitals.now(130).systolic


def test_who_is_told_nothing_measures_somebody_who_stands_still() -> None:
    given = {"pulse": "88", "every": "5"}
    person = take_person(given, 100.0, systolic=130, diastolic=70)
    found = person.vitals.now(person.at_s(107.5))
    assert (found.at_s, found.pulse, found.systolic, found.mean) == (7.5, 88, 130, 90)
    assert given == {"every": "5"}


# ── Mistakes ─────────────────────────────────────────────────────────────────────────────────────

GOOD: Final = (resources.files("drivers.simulation") / "scenarios" / "normal-adult.toml").read_text()
LINES: Final = GOOD.splitlines()


def line(text: str, nth: int = 0) -> int:
    return [number for number, each in enumerate(LINES, 1) if each.startswith(text)][nth]


def refusal(old: str, new: str) -> ScenarioRefused:
    assert old in GOOD
    with pytest.raises(ScenarioRefused) as caught:
        read(GOOD.replace(old, new, 1), HERE, MEDIUMS)
    return caught.value


@pytest.mark.parametrize(
    ("old", "new", "at_line", "said", "next_step"),
    [
        ("title =", "titel =", line("title"), "the key `titel` is unknown", "Did you mean `title`?"),
        ("weight_kg", "wieght_kg", line("weight_kg"), "`patient.wieght_kg` is unknown", "`weight_kg`?"),
        ("breaths =", "breath =", line("breaths"), "`moment.breath` is unknown", "`breaths`?"),
        ("[[fault]]", "[[faults]]", None, "the key `faults` is unknown", "Did you mean `fault`?"),
        ("age_years = 34", "", line("[patient]"), "`patient.age_years` is missing", "Add it."),
        ("glucose = 91", "", line("[[moment]]"), "`glucose` is missing", "Add it."),
        ("systolic = 118", "systolic = 1180", line("systolic"), "less than or equal to 300", "Correct"),
        ("systolic = 118", 'systolic = "118"', line("systolic"), "valid number", "Correct"),
        ("diastolic = 76", "diastolic = 118", line("diastolic"), "below the systolic", "Correct"),
        ("diastolic = 74", "diastolic = 150", line("diastolic", 1), "below the systolic", "Correct"),
        ("at_min = 0", "at_min = 1", line("at_min"), "stands at minute 0", "Correct"),
        ("at_min = 10", "at_min = 0", line("at_min", 1), "in the order of their minutes", "Sort"),
        ("contec-cms50", "contec-cms5", line("kind"), "contec-cms5 is unknown", "`contec-cms50`?"),
        ('key = "cuff-1"', 'key = "oximeter-1"', line("key", 1), "share the key oximeter-1", "Rename"),
        ('key = "cuff-1"', 'key = "Cuff 1"', line("key", 1), "`device.key`", "Correct"),
        ('what = "sensor-off"', 'what = "sensor-of"', line("what"), "sensor-off", "Correct"),
        ('what = "sensor-off"', 'what = "hang-up"', line("what"), "to a Bluetooth device", "Name another"),
        (
            'device = "oximeter-1"',
            'device = "oximeter"',
            line("device ="),
            "there is no device oximeter",
            "`oximeter-1`?",
        ),
        ('device = "oximeter-1"', "", line("what"), "happens to a device, and none is named", "Add `device`"),
        ("scenario = 1", "scenario = 2", line("scenario"), "a later format", "Update qafila"),
        ("scenario = 1", "scenario 1", None, "is not TOML", "Correct that line"),
    ],
)
def test_a_mistake_is_refused_where_it_stands(
    old: str, new: str, at_line: int | None, said: str, next_step: str
) -> None:
    error = refusal(old, new)
    assert error.stable_code == "scenario-refused"
    assert error.sentence.startswith(str(HERE) if at_line is None else f"{HERE}, line {at_line}: ")
    assert said in error.sentence
    assert next_step in error.next_step


def test_a_simulator_reads_a_scenario_whose_other_devices_it_does_not_know() -> None:
    assert read(GOOD.replace("contec-cms50", "of-another-make"), HERE).device[0].kind == "of-another-make"


def test_some_of_the_devices_keep_what_happens_to_them_and_to_the_patient() -> None:
    child = load("child-with-fever").only(["cuff-1"])
    assert [device.key for device in child.device] == ["cuff-1"]
    assert [fault.what for fault in child.fault] == ["motion"]
    assert child.course() == load("child-with-fever").course()
    with pytest.raises(ScenarioRefused) as caught:
        child.only(["cuf-1"])
    assert "cuff-1" in caught.value.next_step


def test_one_scenario_has_every_kind_of_device() -> None:
    assert {device.kind for device in load("every-device").device} == set(KINDS)


def test_what_happens_on_a_cable_does_not_happen_in_the_air() -> None:
    error = refusal('what = "sensor-off"\ndevice = "oximeter-1"', 'what = "unplug"\ndevice = "cuff-1"')
    assert "on a cable" in error.sentence


def test_a_name_that_nobody_knows_is_answered_with_the_nearest() -> None:
    with pytest.raises(ScenarioMissing) as caught:
        load("sepsis")
    assert caught.value.stable_code == "scenario-missing"
    assert "sepsis-getting-worse" in caught.value.next_step


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioMissing):
        load(str(path))


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(GOOD.replace("Normal adult", "My own"))
    assert load(str(path)).title == "My own"


def test_every_key_is_described() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "scenarios.md").read_text()
    for table in (Scenario, PatientTable, MomentTable, DeviceTable, FaultTable, OrderTable):
        for name in table.model_fields:
            assert f"`{name}`" in page or f"`{name} = " in page or f"[{name}]" in page, name
    for fault in Fault:
        assert f"`{fault}`" in page
