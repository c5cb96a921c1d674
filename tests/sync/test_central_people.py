"""What units say of consent, merged patients and sites becomes rows, and one person is shown as one."""

from pathlib import Path
from typing import Any

import pytest

from edge.records.fields import Field, Kind, Payload, Stream
from sync.central.received import ReceivedPatient, patients
from tests.sync.central_world import Centre, Unit, make_centre


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    return centre.unit()


def take(centre: Centre, *units: Unit) -> None:
    """Everything of these units, and whatever came before it again."""
    for unit in units:
        centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, len(unit.journal[Stream.VITALS])))


def link(unit: Unit, kind: Kind, patient: bytes, duplicate: bytes, revision: int) -> None:
    payload: Payload = {Field.DUPLICATE: duplicate, Field.REVISION: revision, Field.REASON: "same card"}
    unit.append(Stream.VITALS, kind, payload | {Field.OPERATOR: "amina"}, patient)


def shown(centre: Centre) -> dict[str, ReceivedPatient]:
    return {each.patient: each for each in patients(centre.home)}


def test_one_person_entered_twice_is_shown_once_with_all_that_came(centre: Centre, unit: Unit) -> None:
    one, two, third = (unit.visit(family) for family in ("Alaoui", "El Alaoui", "Tazi"))
    link(unit, Kind.MERGED, one, two, 1)
    take(centre, unit)
    found = shown(centre)
    assert set(found) == {one.hex(), third.hex()}
    person = found[one.hex()]
    assert (person.family, person.merged, person.encounters, person.observations) == (
        *("Alaoui", (two.hex(),)),
        *(2, 12),
    )
    assert len(person.identifiers) == 2
    assert centre.rows("SELECT duplicate, patient, event, revision, reason, operator FROM merges") == [
        (two.hex(), one.hex(), "merged", 1, "same card", "amina")
    ]
    link(unit, Kind.UNMERGED, one, two, 2)
    take(centre, unit)
    assert {each: person.encounters for each, person in shown(centre).items()} == {
        one.hex(): 1, two.hex(): 1, third.hex(): 1
    }  # fmt: skip


def test_the_last_word_holds_in_whatever_order_it_comes(centre: Centre, unit: Unit) -> None:
    one, two = unit.visit("Alaoui"), unit.visit("El Alaoui")
    link(unit, Kind.UNMERGED, one, two, 2)  # journalled again before the one it undoes
    link(unit, Kind.MERGED, one, two, 1)
    take(centre, unit)
    assert set(shown(centre)) == {one.hex(), two.hex()}


def test_several_steps_lead_to_one_and_a_circle_to_nobody(centre: Centre, unit: Unit) -> None:
    one, two, third = (unit.visit(family) for family in ("Alaoui", "El Alaoui", "Tazi"))
    link(unit, Kind.MERGED, two, third, 1)
    link(unit, Kind.MERGED, one, two, 1)
    take(centre, unit)
    assert {each: set(person.merged) for each, person in shown(centre).items()} == {
        one.hex(): {two.hex(), third.hex()}
    }
    link(unit, Kind.MERGED, third, one, 1)
    take(centre, unit)
    assert set(shown(centre)) == {one.hex(), two.hex(), third.hex()}


def test_no_unit_merges_the_patients_of_another(centre: Centre, unit: Unit) -> None:
    other = centre.unit("van-08")
    theirs, others = unit.visit("Alaoui"), other.visit("Tazi")
    link(other, Kind.MERGED, others, theirs, 1)
    take(centre, unit, other)
    assert set(shown(centre)) == {theirs.hex(), others.hex()}


def test_consent_sites_and_both_scripts_become_rows(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    payload: Payload = {
        Field.REVISION: 2, Field.FAMILY_ARABIC: "العلوي", Field.GIVEN_ARABIC: "أمينة",
        Field.BIRTH: "1961", Field.BIRTH_ESTIMATED: True,
    }  # fmt: skip
    unit.append(Stream.VITALS, Kind.PATIENT, payload, patient)
    for revision, scope, decision in (
        (1, "care", "given"),
        (2, "care", "withdrawn"),
        (1, "sharing", "refused"),
    ):
        consent: Payload = {Field.SCOPE: scope, Field.REVISION: revision, Field.DECISION: decision}
        more: Payload = {Field.GIVEN_BY: "parent", Field.FORM: "oral", Field.LANGUAGE: "ary"}
        unit.append(Stream.VITALS, Kind.CONSENT, consent | more | {Field.WITNESS: "Sami"}, patient)
    site, visit = bytes(15) + b"s", bytes(15) + b"v"
    unit.append(Stream.VITALS, Kind.SITE, {Field.SITE: site, Field.SITE_NAME: "Imilchil"})
    unit.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, {Field.ENCOUNTER: visit, Field.SITE: site}, patient)
    take(centre, unit)
    [person] = patients(centre.home)
    assert (person.family, person.family_arabic, person.given_arabic) == (None, "العلوي", "أمينة")
    assert (person.birth, person.birth_estimated) == ("1961", True)
    assert person.consents == {"care": "withdrawn", "sharing": "refused"}
    assert person.as_json()["consents"] == {"care": "withdrawn", "sharing": "refused"}
    rows = centre.rows("SELECT scope, revision, given_by, form, language, witness FROM consents ORDER BY seq")
    assert rows[1] == ("care", 2, "parent", "oral", "ary", "Sami")
    assert centre.rows("SELECT site, name FROM sites") == [(site.hex(), "Imilchil")]
    assert centre.rows("SELECT site FROM encounters ORDER BY seq") == [(None,), (None,), (site.hex(),)]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (Kind.CONSENT, {Field.SCOPE: "care", Field.REVISION: 1}),
        (Kind.CONSENT, {Field.SCOPE: 5, Field.REVISION: 1, Field.DECISION: "given"}),
        (Kind.MERGED, {Field.DUPLICATE: b"short", Field.REVISION: 1}),
        (Kind.MERGED, {Field.DUPLICATE: bytes(16)}),
        (Kind.UNMERGED, {Field.REVISION: 1}),
        (Kind.SITE, {Field.SITE: bytes(16)}),
    ],
)
def test_what_is_not_what_its_kind_says_is_kept_and_makes_no_row(
    centre: Centre, unit: Unit, kind: Kind, wrong: dict[int, Any]
) -> None:
    patient = unit.visit()
    unit.append(Stream.VITALS, kind, wrong, patient)
    take(centre, unit)
    assert centre.value("SELECT count(*) FROM entries") == 11
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'row-unreadable'") == 1
    rows = "SELECT scope FROM consents UNION ALL SELECT event FROM merges UNION ALL SELECT name FROM sites"
    assert centre.rows(rows) == []
