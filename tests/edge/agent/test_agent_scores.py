"""Which rule is for whom, what it says of a visit, and what of it is kept."""

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge import cbor
from edge.agent.pressures import sitting
from edge.agent.scores import age_of, pregnancy_of, rules_for, scores
from edge.clock import ClockQuality
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Payload, Source, Stream
from edge.records.identity import EntryId
from edge.records.names import PersonName
from edge.scoring.given import Pair
from edge.scoring.limits import Ages
from edge.store.rows import Observation, Patient
from edge.vitals.quantity import MissingReason
from tests.edge.agent.agent_world import Nurse, ScriptedDriver, World, steady

TODAY = datetime.date(2026, 11, 22)
NOW_MS = 1_795_341_600_000
MINUTE_MS = 60_000
EPOCH = b"epoch-01"
WHOLE = {"rr": "16", "spo2": "97", "o2": "0", "bp.sys": "120", "hr": "70", "acvpu": "0", "temp": "37.0"}


def months(youngest: int, eldest: int) -> Ages:
    return Ages(Decimal(youngest), Decimal(eldest))


def person(birth: str | None = "1978-05-12", sex: str = "male") -> Patient:
    return Patient(bytes(16), 1, PersonName("A", "B"), sex, birth, None, None, (), {})


def seen(seq: int, code: str, value: str | None, minutes_ago: float = 0, **more: object) -> Observation:
    plain = Observation(
        entry=EntryId("van-07", EPOCH, Stream.VITALS, seq),
        encounter=bytes(16),
        patient=bytes(16),
        code=code,
        value=None if value is None else Decimal(value),
        missing=MissingReason.FAILED if value is None else None,
        source=Source.MANUAL,
        device=None,
        device_record=None,
        device_time=None,
        reading=seq,
        flags=(),
        confirmed=None,
        operator="amina",
        wall_ms=NOW_MS - int(minutes_ago * MINUTE_MS),
        supersedes=None,
    )
    return dataclasses.replace(plain, **more)  # type: ignore[arg-type]  # fields by name


def whole(
    other: Mapping[str, str | None] = MappingProxyType({}), minutes_ago: float = 0
) -> list[Observation]:
    values = {**WHOLE, **other}
    return [seen(n, code, value, minutes_ago) for n, (code, value) in enumerate(values.items(), 1)]


def said(observations: Sequence[Observation], patient: Patient | None = None) -> tuple[object, ...]:
    first = scores(patient or person(), observations, NOW_MS, TODAY)[0].result
    return first.rule, first.total, first.band, first.missing


@pytest.mark.parametrize(
    ("birth", "age"),
    [
        ("1978-05-12", months(582, 582)),
        ("1978", months(574, 586)),
        ("2026-11", months(0, 0)),
        ("2026-11-23", None),
        ("2010", months(190, 202)),
        (None, None),
    ],
)
def test_an_age_is_as_exact_as_the_birth(birth: str | None, age: Ages | None) -> None:
    assert age_of(birth, TODAY) == age
    assert age_of(birth, None) is None


def test_the_rule_is_chosen_by_age_and_pregnancy() -> None:
    assert rules_for(months(500, 512), 0)[0] == "news2"
    assert rules_for(months(191, 191), 0) == ("pews",)
    assert rules_for(months(190, 202), 0)[0] == "news2"  # perhaps sixteen: it then asks for the age
    assert rules_for(None, None)[0] == "news2"
    assert rules_for(months(300, 300), 1) == ("meows",)
    assert rules_for(months(300, 300), 2) == ("meows",)


def test_a_pregnancy_is_asked_and_never_assumed() -> None:
    assert pregnancy_of("male", None, None) == 0
    assert pregnancy_of("female", months(300, 300), None) is None
    assert pregnancy_of("female", None, None) is None
    assert pregnancy_of("unknown", months(300, 300), None) is None
    assert pregnancy_of("female", months(100, 100), None) == 0
    assert pregnancy_of("female", months(100, 100), Decimal(1)) == 1


def test_a_whole_set_has_a_total_and_anything_less_has_none() -> None:
    assert said(whole()) == ("news2", 0, "low", ())
    assert said(whole({"rr": "25", "spo2": "90"})) == ("news2", 6, "medium", ())
    for left_out in WHOLE:
        shown = said([each for each in whole() if each.code != left_out])
        assert shown[1] is None
        assert shown[2] == "incomplete"
        assert len(cast("tuple[str, ...]", shown[3])) == 1
    woman = person(sex="female", birth="1990-01-01")
    assert said(whole(), woman)[3] == ("pregnant",)
    assert said([*whole(), seen(9, "pregnancy", "0")], woman)[1] == 0
    assert said(whole(), person(birth=None))[3] == ("age",)


def test_what_is_old_taken_back_unreliable_or_of_a_memory_is_not_scored() -> None:
    assert said(whole(minutes_ago=14.9))[1] == 0
    assert said(whole(minutes_ago=15.1))[1] is None
    result = scores(person(), [*whole()[1:], seen(1, "rr", "16", 16)], NOW_MS, TODAY)[0].result
    assert result.stale == ("rr",)
    late = seen(1, "rr", "16", -1)
    assert said([*whole()[1:], late])[3] == ("rr",)
    back = [*whole(), seen(20, "rr", None, supersedes=(EPOCH, 1))]
    assert said(back)[3] == ("rr",)
    assert said([*whole(), seen(20, "rr", None)])[3] == ("rr",)
    flagged = [seen(2, "spo2", "97", flags=("motion",)), *(o for o in whole() if o.code != "spo2")]
    assert said(flagged)[3] == ("spo2",)
    weak = [*whole(), seen(20, "pi", "0.2", reading=2)]
    assert said(weak)[3] == ("spo2",)
    old = [seen(1, "rr", "16", flags=("from-memory",)), *whole()[1:]]
    assert said(old)[3] == ("rr",)
    computed = [*whole(), seen(20, "rr", "40", source=Source.COMPUTED)]
    assert said(computed)[1] == 0


def test_a_correction_names_what_was_called_first() -> None:
    again = dataclasses.replace(
        whole()[0], entry=EntryId("van-07", b"epoch-02", Stream.VITALS, 9), called=(EPOCH, 1)
    )
    assert said([again, *whole()[1:], seen(20, "rr", "25", supersedes=(EPOCH, 1))])[1] == 3


def test_a_child_and_a_pregnant_woman_have_rules_of_their_own() -> None:
    child = whole({"acvpu": None, "bp.sys": "95", "hr": "130", "crt": "2", "effort": "0", "o2": "2"})
    # at 30 months: heart 120 to 149 one, oxygen below 4 L/min two, breath 16 to 19 one
    assert said(child, person(birth="2024-05-12")) == ("pews", 4, "no-alert", ())
    pregnant = [*whole({"bp.dia": "101"}), seen(30, "pregnancy", "1")]
    found = scores(person("1995-01-01", "female"), pregnant, NOW_MS, TODAY)[0].result
    assert (found.rule, found.facts["trigger"]) == ("meows", True)


@given(st.dictionaries(st.sampled_from(sorted(WHOLE)), st.floats(0, 60), max_size=7), st.integers(0, 60))
def test_a_total_is_never_made_of_a_stale_input(ages: dict[str, float], least: int) -> None:
    values = [seen(n, c, WHOLE[c], max(ages.get(c, 0), least)) for n, c in enumerate(WHOLE, 1)]
    scored = scores(person(), values, NOW_MS, TODAY)[0]
    oldest = max(NOW_MS - (each.wall_ms or 0) for each in values)
    assert (scored.result.total is not None) is (oldest <= 15 * MINUTE_MS)


# ── over the socket ─────────────────────────────────────────────────────────────────────────────────


async def enter(nurse: Nurse, visit: str, **values: str | None) -> None:
    given_ = [
        {"code": code, "missing": "failed"} if value is None else {"code": code, "value": value}
        for code, value in values.items()
    ]
    await nurse.ask("observe", encounter=visit, values=given_)


def kept(world: World, code: str) -> list[Payload]:
    entries = world.store().entries(Stream.VITALS, 1, 10_000)
    found = [cast("Payload", cbor.decode(each.payload or b"")) for each in entries]
    return [each for each in found if each.get(Field.CODE) == code]


async def man(nurse: Nurse) -> str:
    fields = {"family": "Alami", "given": "Omar", "sex": "male", "birth": "1970-01-02"}
    patient = (await nurse.ask("patient.register", **fields))["patient"]
    visit: str = (await nurse.ask("encounter.open", patient=patient))["encounter"]
    return visit


async def test_a_result_is_kept_with_rule_version_and_inputs(world: World, oximeter: ScriptedDriver) -> None:
    world.clock_quality = ClockQuality.RTC
    async with world.nurse() as nurse:
        visit = await man(nurse)
        await enter(nurse, visit, **{"rr": "21", "o2": "0", "bp.sys": "120", "bp.dia": "80", "acvpu": "0"})
        await enter(nurse, visit, temp="37.0")
        assert kept(world, "news2") == []
        shown = await nurse.ask("encounter.show", encounter=visit)
        assert shown["scores"][0]["missing"] == ["spo2", "pulse"]
        await nurse.ask("subscribe", topics=["saved"])
        oximeter.say(*steady(97, 72))
        while (await nurse.event("saved"))["what"] != "reading":
            pass
        [result] = kept(world, "news2")
        assert (result[Field.VALUE], result[Field.BAND], result[Field.SOURCE]) == (
            [2, 0],
            "low",
            Source.COMPUTED,
        )
        assert result[Field.RULE_VERSION] == "2017-1"
        assert ["rr", 2] in cast("list[object]", result[Field.PARTS])
        of = {seq for _, seq in cast("list[tuple[bytes, int]]", result[Field.INPUTS])}
        assert len(of) == 7
        shown = await nurse.ask("encounter.show", encounter=visit)
        assert shown["scores"][0]["total"] == 2
        assert [each["source"] for each in shown["observations"] if each["code"] == "news2"] == ["computed"]


async def test_a_correction_takes_the_result_with_it(world: World) -> None:
    world.clock_quality = ClockQuality.RTC
    async with world.nurse() as nurse:
        visit = await man(nurse)
        await enter(nurse, visit, **{**WHOLE, "bp.dia": "80", "rr": "25"})
        shown = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        breath = next(each for each in shown if each["code"] == "rr")
        request = {"encounter": visit, "observation": breath["seq"], "reason": "mal lu"}
        await nurse.ask("observation.correct", **request, value="15")
        after = await nurse.ask("encounter.show", encounter=visit)
        assert after["scores"][0]["total"] == 0
        totals = [(e.get("value"), e["corrected"]) for e in after["observations"] if e["code"] == "news2"]
        assert totals == [("3", True), ("0", False)]
        breaths = [(e.get("value"), e["corrected"]) for e in after["observations"] if e["code"] == "rr"]
        assert breaths == [("25", True), ("15", False)]
        [last] = [e for e in kept(world, "rr") if Field.SUPERSEDES in e]
        assert last[Field.REASON] == "mal lu"

        with pytest.raises(CallRefused) as error:
            await nurse.ask("observation.correct", **request, value="16")
        assert error.value.stable_code == "observation-corrected"
        with pytest.raises(CallRefused) as error:
            await nurse.ask("observation.correct", **{**request, "observation": 9999}, value="16")
        assert error.value.stable_code == "no-such-value"

        newest = next(e for e in after["observations"] if e["code"] == "rr" and not e["corrected"])
        await nurse.ask("observation.correct", **{**request, "observation": newest["seq"]}, value=None)
        after = await nurse.ask("encounter.show", encounter=visit)
        assert after["scores"][0]["missing"] == ["rr"]
        left = [e for e in after["observations"] if e["code"] == "news2" and not e["corrected"]]
        assert [each.get("missing") for each in left] == ["withdrawn"]


async def test_a_corrected_pressure_is_judged_beside_the_other(world: World) -> None:
    world.clock_quality = ClockQuality.RTC
    async with world.nurse() as nurse:
        visit = await man(nurse)
        await enter(nurse, visit, **{"bp.sys": "120", "bp.dia": "80"})
        shown = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        request = {"encounter": visit, "observation": shown[0]["seq"], "reason": "mal lu"}
        with pytest.raises(CallRefused) as error:
            await nurse.ask("observation.correct", **request, value="79")
        assert error.value.stable_code == "value-refused"
        with pytest.raises(CallRefused) as error:
            await nurse.ask("observation.correct", **request, value="240")
        assert error.value.stable_code == "value-needs-confirmation"
        confirmed = {"confirmed": list(error.value.about)}
        await nurse.ask("observation.correct", **request, **confirmed, value="240")


async def test_why_nothing_was_measured_is_kept_and_a_result_is_nothing_to_type(world: World) -> None:
    world.clock_quality = ClockQuality.RTC
    async with world.nurse() as nurse:
        visit = await man(nurse)
        await enter(nurse, visit, temp=None)
        [observed] = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert (observed["missing"], observed["source"]) == ("failed", "manual")
        for wrong in ({"code": "news2", "value": "3"}, {"code": "acvpu", "value": "1.5"}):
            with pytest.raises(CallRefused) as error:
                await nurse.ask("observe", encounter=visit, values=[wrong])
            assert error.value.stable_code == "value-refused"
        with pytest.raises(CallRefused):
            await nurse.ask("observe", encounter=visit, values=[{"code": "temp"}])


async def test_looking_back_gives_the_last_value_of_each_visit_and_its_score(world: World) -> None:
    world.clock_quality = ClockQuality.RTC
    async with world.nurse() as nurse:
        visit = await man(nurse)
        await enter(nurse, visit, **{**WHOLE, "bp.dia": "80", "rr": "25"})
        shown = await nurse.ask("encounter.show", encounter=visit)
        await nurse.ask("encounter.close", encounter=visit)
        patient = shown["patient"]
        again = (await nurse.ask("encounter.open", patient=patient))["encounter"]
        await enter(nurse, again, temp="38.5")
        trend = await nurse.ask("patient.trend", patient=patient)
        newest, first = trend["visits"]
        assert {each["code"]: each["value"] for each in newest["values"]} == {"temp": "38.5"}
        assert newest["score"]["total"] is None
        values = {each["code"]: each["value"] for each in first["values"]}
        assert (values["rr"], values["news2"]) == ("25", "3")
        assert (first["score"]["total"], first["score"]["parts"]["rr"]) == (3, 3)
        with pytest.raises(CallRefused) as error:
            await nurse.ask("patient.trend", patient=visit)
        assert error.value.stable_code == "no-patient"


@pytest.mark.parametrize(
    ("readings", "mean"),
    [
        ([("150", "95", 0)], None),
        ([("152", "96", 3), ("138", "90", 0)], None),
        ([("152", "96", 6), ("140", "90", 3), ("137", "88", 0)], (139, 89)),
        ([("121", "79", 2), ("122", "80", 0)], (122, 80)),
        ([("121", "79", 20), ("122", "80", 0)], None),
        ([("121", "79", 42), ("122", "80", 40)], None),
    ],
)
def test_a_sitting_is_of_readings_close_together(
    readings: list[tuple[str, str, float]], mean: tuple[int, int] | None
) -> None:
    values: list[Observation] = []
    for number, (systolic, diastolic, ago) in enumerate(readings, 1):
        values.append(seen(2 * number, "bp.sys", systolic, ago, reading=number))
        values.append(seen(2 * number + 1, "bp.dia", diastolic, ago, reading=number))
    found = sitting(values, NOW_MS, months(500, 500))
    assert found.mean == (None if mean is None else Pair(Decimal(mean[0]), Decimal(mean[1])))
    assert found.one_more is (mean is None)
    assert ("esh" in found.classes) is (mean is not None)
    irregular = [dataclasses.replace(each, flags=("irregular-pulse",)) for each in values]
    assert len(readings) >= 3 or sitting(irregular, NOW_MS, None).mean is None
