"""A patient's record is taken out: all of it, of that person alone, and never without a trace."""

from typing import Any, get_args

import pytest

from edge import cbor
from edge.agent import exporting
from edge.cbor import Value
from edge.localapi import exported
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Kind, Source, Stream
from edge.records.reasons import ExportReason
from tests.edge.agent.agent_world import Card, Nurse, World

REASON = "patient-asked"


def audited(world: World) -> list[tuple[str, Any]]:
    """What the audit trail says was taken out: action and object."""
    store = world.store()
    try:
        entries = store.entries(Stream.AUDIT, 1, store.watermark(Stream.AUDIT).tip)
    finally:
        store.close()
    said = [cbor.decode(entry.payload) for entry in entries if entry.payload is not None]
    pairs = [(str(each.get(Field.ACTION)), each.get(Field.OBJECT)) for each in said if isinstance(each, dict)]
    return [pair for pair in pairs if pair[0].startswith("patient.export")]


async def take_out(nurse: Nurse, patient: str, **fields: Any) -> list[dict[str, Any]]:  # noqa: ANN401  as wide as JSON
    pages = [await nurse.ask("patient.export", patient=patient, reason=REASON, **fields)]
    while pages[-1]["next"] is not None:
        pages.append(
            await nurse.ask("patient.export", patient=patient, reason=REASON, after=pages[-1]["next"])
        )
    return pages


async def one_visit(nurse: Nurse, patient: str, *temperatures: str) -> str:
    encounter = str((await nurse.ask("encounter.open", patient=patient))["encounter"])
    for value in temperatures:
        await nurse.observe(encounter, value=value)
    await nurse.ask("encounter.close", encounter=encounter)
    return encounter


async def test_everything_of_one_person_and_nothing_of_another(world: World) -> None:
    async with world.nurse() as nurse:
        registered = await nurse.ask(
            "patient.register",
            family="Benali",
            given="Zahra",
            sex="female",
            birth="1961-04",
            identifiers=[{"system": "cin", "value": "AB123456"}],
            phone="0612345678",
            village="Tafraout",
        )
        patient = registered["patient"]
        other = await nurse.patient("Alaoui")
        first = await one_visit(nurse, patient, "36.9", "37.2")
        await one_visit(nurse, other, "37.5")
        second = await one_visit(nurse, patient, "38.1")
        await nurse.ask("alert.raise", patient=patient, code="collapse", text="fell")
        await nurse.ask("alert.raise", patient=other, code="collapse", text="not hers")
        (page,) = await take_out(nurse, patient)
    (record,) = page["records"]
    wanted = {"family": "Benali", "given": "Zahra", "sex": "female", "birth": "1961-04"}
    assert wanted | {"phone": "0612345678", "village": "Tafraout"} == {
        key: record[key] for key in (*wanted, "phone", "village")
    }
    assert record["identifiers"] == [{"system": "cin", "value": "AB123456"}]
    assert [visit["encounter"] for visit in page["visits"]] == [second, first], "newest first"
    values = [[value["value"] for value in visit["observations"]] for visit in page["visits"]]
    assert values == [["38.1"], ["36.9", "37.2"]]
    (value,) = page["visits"][0]["observations"]
    assert (value["code"], value["unit"], value["source"], value["operator"]) == (
        *("temp", "Cel", "manual", "amina"),
    )
    assert [alert["text"] for alert in page["alerts"]] == ["fell"]
    assert audited(world) == [(f"patient.export:{REASON}", bytes.fromhex(patient.replace("-", "")))]


async def test_who_was_entered_twice_is_taken_out_whole(world: World) -> None:
    async with world.nurse() as nurse:
        kept, twin = await nurse.patient("Benali"), await nurse.patient("Benaly")
        visits = [await one_visit(nurse, patient, "36.9") for patient in (kept, twin)]
        await nurse.ask("alert.raise", patient=twin, code="collapse")
        await nurse.ask("patient.merge", patient=kept, duplicate=twin, reason="entered twice")
        pages = [page for patient in (kept, twin) for page in await take_out(nurse, patient)]
    for page in pages:
        assert [record["family"] for record in page["records"]] == ["Benali", "Benaly"]
        assert page["records"][1]["merged_into"] == kept
        assert {visit["encounter"] for visit in page["visits"]} == set(visits)
        assert len(page["alerts"]) == 1


async def test_many_visits_come_in_pages_each_once_and_each_accounted_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "VALUES_AT_ONCE", 2)
    async with world.nurse() as nurse:
        patient = await nurse.patient()
        made = [await one_visit(nurse, patient, "36.9") for _ in range(5)]
        pages = await take_out(nurse, patient)
    assert [len(page["visits"]) for page in pages] == [2, 2, 1]
    assert [visit["encounter"] for page in pages for visit in page["visits"]] == made[::-1]
    assert len(audited(world)) == 3


async def test_a_correction_and_what_it_corrects_are_both_there(world: World) -> None:
    store = world.store()
    patient, encounter = bytes(range(16)), bytes(range(16, 32))
    stamp: dict[int, Value] = {
        Field.WALL_MS: 1,
        Field.BOOT: bytes(8),
        Field.MONOTONIC_MS: 1,
        Field.OPERATOR: "amina",
    }
    who: dict[int, Value] = {
        Field.REVISION: 1,
        Field.FAMILY: "Benali",
        Field.GIVEN: "Zahra",
        Field.SEX: "female",
    }
    seen: dict[int, Value] = {
        Field.ENCOUNTER: encounter,
        Field.CODE: "temp",
        Field.SOURCE: int(Source.MANUAL),
        Field.READING: 1,
    }
    mistyped: dict[int, Value] = {Field.VALUE: [469, -1]}
    with store.write() as tx:
        tx.append(Stream.VITALS, Kind.PATIENT, stamp | who, patient=patient)
        tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, stamp | {Field.ENCOUNTER: encounter}, patient=patient)
        wrong = tx.append(Stream.VITALS, Kind.OBSERVATION, stamp | seen | mistyped, patient=patient)
        corrects: dict[int, Value] = {Field.VALUE: [369, -1], Field.SUPERSEDES: [store.epoch, wrong.seq]}
        tx.append(Stream.VITALS, Kind.OBSERVATION, stamp | seen | corrects, patient=patient)
    person = store.patient(patient)
    assert person is not None
    answer: Any = exporting.page(store, person, None)
    store.close()
    before, after = answer["visits"][0]["observations"]
    assert (before["value"], before["corrects"]) == ("46.9", None)
    assert (after["value"], after["corrects"]) == ("36.9", [before["entry"][1], before["entry"][3]])


def test_every_reason_may_be_given() -> None:
    assert get_args(exported.Reason) == tuple(ExportReason)


async def test_nobody_unknown_is_taken_out(world: World) -> None:
    async with world.nurse() as nurse:
        patient = await nurse.patient()
        for fields, code in (
            ({"patient": "0190f3a1-0000-7000-8000-000000000000"}, "no-patient"),
            ({"patient": patient, "after": patient}, "no-encounter"),
        ):
            with pytest.raises(CallRefused) as refused:
                await nurse.ask("patient.export", reason=REASON, **fields)
            assert refused.value.stable_code == code
        with pytest.raises(CallRefused):
            await nurse.ask("patient.export", patient=patient, reason="because")
    assert audited(world) == []


async def test_nothing_is_given_when_the_trail_takes_no_entry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    async with world.nurse() as nurse:
        patient = await nurse.patient()
        await one_visit(nurse, patient, "36.9")
        card.full = True
        given = await _taken_out_until_refused(nurse, patient)
        assert len(audited(world)) == given
        card.full = False
        await nurse.ask("patient.export", patient=patient, reason=REASON)
    assert len(audited(world)) == given + 1


async def _taken_out_until_refused(nurse: Nurse, patient: str) -> int:
    """How often it was given: what fits into the last pages of the store still fits."""
    for given in range(200):
        try:
            await nurse.ask("patient.export", patient=patient, reason=REASON)
        except CallRefused as refused:
            if refused.stable_code != "store-full":
                raise
            return given
    raise AssertionError("it was never refused")
