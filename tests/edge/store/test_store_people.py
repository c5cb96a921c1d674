"""Two scripts, merged patients, consent, sites: what the entries add up to, and back again."""

import pytest

from edge.records.fields import Field, Kind, Payload, Stream
from edge.records.names import PersonName, in_own_fields, is_arabic
from edge.store import Store, StoreRefused
from edge.store.likeness import Traits
from edge.store.sqlite import Row

BOOT, LATER = b"bootboot", b"rebooted"


def who(number: int) -> bytes:
    return number.to_bytes(16)


def add(store: Store, kind: Kind, payload: Payload) -> int:
    with store.write() as tx:
        return tx.append(Stream.VITALS, kind, payload).seq


def register(store: Store, number: int, family: str, given: str, **fields: object) -> bytes:
    payload: Payload = {Field.PATIENT: who(number), Field.FAMILY: family, Field.GIVEN: given}
    payload |= {Field[name.upper()]: value for name, value in fields.items()}  # type: ignore[misc]  # any
    add(store, Kind.PATIENT, payload)
    return who(number)


def link(store: Store, kind: Kind, patient: int, duplicate: int, revision: int) -> int:
    payload: Payload = {
        Field.PATIENT: who(patient),
        Field.DUPLICATE: who(duplicate),
        Field.REVISION: revision,
    }
    return add(store, kind, payload)


def found(store: Store, text: str) -> list[int]:
    return [int.from_bytes(each.patient) for each in store.find_patients(text)]


@pytest.fixture
def three(store: Store) -> Store:
    register(store, 1, "Alaoui", "Fatima", identifiers=[["cnie", "AB1"]], sex="female")
    register(store, 2, "El Alaoui", "Fatima Zahra", identifiers=[["dmp", "77"]], sex="female")
    register(store, 3, "Alawi", "Fatema", sex="female")
    return store


def test_a_name_is_found_and_alike_in_either_script(store: Store) -> None:
    register(store, 1, "Benjelloun", "Khadija", family_arabic="بنجلون", given_arabic="خديجة")
    register(store, 2, "", "", family_arabic="الإدريسي", given_arabic="أحمد")
    for text in ("benjel", "خديجه", "khadija بنجلون", "بن"):
        assert found(store, text) == [1], text
    assert found(store, "احمد") == [2]
    [one, other] = reversed(store.patients())
    assert (one.family, one.name.family_arabic) == ("Benjelloun", "بنجلون")
    assert (other.family, other.given) == ("الإدريسي", "أحمد")
    likely = [Traits("بنجلون", "خديجه"), Traits("", "", family_arabic="بنجلون", given_arabic="خديجة")]
    for traits in (*likely, Traits("Benjeloun", "Khadija")):
        assert [each.patient for each in store.likely_patients(traits)] == [who(1)], traits
    both = Traits("Idrissi", "Ahmed", family_arabic="الادريسي", given_arabic="احمد")
    assert [each.patient for each in store.likely_patients(both)] == [who(2)]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (("Alaoui", "Fatima", "", ""), PersonName("Alaoui", "Fatima")),
        (("Alaoui", "Fatima", "العلوي", "فاطمة"), PersonName("Alaoui", "Fatima", "العلوي", "فاطمة")),
        (("العلوي", "فاطمة", "", ""), PersonName("", "", "العلوي", "فاطمة")),
        (("العلوي", "Fatima", "", ""), None),
        (("العلوي", "فاطمة", "العلوي", ""), None),
        (("Alaoui", "Fatima", "Alaoui", ""), None),
        (("Alaoui", "Fatima", "", "فاطمة f"), None),
        (("ⵄⵍⴰⵡⵉ", "ⴼⴰⵟⵉⵎⴰ", "", ""), PersonName("ⵄⵍⴰⵡⵉ", "ⴼⴰⵟⵉⵎⴰ")),
    ],
)
def test_each_script_has_its_own_fields(typed: tuple[str, str, str, str], kept: PersonName | None) -> None:
    assert in_own_fields(*typed) == kept
    assert is_arabic(typed[0]) is typed[0].startswith("\u0627")


def test_merged_patients_are_one_person_under_every_name_and_identifier(three: Store) -> None:
    link(three, Kind.MERGED, 1, 2, 1)
    assert found(three, "alaoui") == found(three, "zahra") == found(three, "77") == found(three, "AB1") == [1]
    assert [each.patient for each in three.patients()] == [who(3), who(1)]
    assert three.likely_patients(Traits("El Alaoui", "Fatima Zahra"))[0].patient == who(1)
    person = three.person(who(2))
    assert person is not None
    assert (person.patient, person.merged) == (who(1), (who(2),))
    itself = three.patient(who(2))
    assert itself is not None
    assert (itself.merged_into, itself.links, itself.family) == (who(1), 1, "El Alaoui")
    assert three.verify().valid


def test_what_was_written_for_both_is_theirs_and_comes_apart_again(three: Store) -> None:
    for number, patient in ((101, 1), (102, 2)):
        opened: Payload = {Field.PATIENT: who(patient), Field.ENCOUNTER: who(number), Field.WALL_MS: number}
        add(three, Kind.ENCOUNTER_OPENED, opened)
    link(three, Kind.MERGED, 1, 2, 1)
    assert [each.encounter for each in three.encounters_of(who(1))] == [who(102), who(101)]
    link(three, Kind.UNMERGED, 1, 2, 2)
    assert [each.encounter for each in three.encounters_of(who(1))] == [who(101)]
    assert [each.encounter for each in three.encounters_of(who(2))] == [who(102)]
    assert found(three, "zahra") == [2]
    link(three, Kind.MERGED, 2, 1, 1)  # and the other way round
    assert [each.encounter for each in three.encounters_of(who(2))] == [who(102), who(101)]


def test_a_person_is_as_far_as_the_entry_of_all_of_them_that_is_furthest_behind(three: Store) -> None:
    last = link(three, Kind.MERGED, 1, 2, 1)
    later = add(three, Kind.PATIENT, {Field.PATIENT: who(2), Field.FAMILY: "El Alaoui", Field.REVISION: 2})
    person = three.person(who(1))
    assert person is not None
    assert later > last
    assert person.tips == {Stream.VITALS: later}


def test_merging_goes_through_several_steps_and_back_one(three: Store) -> None:
    link(three, Kind.MERGED, 2, 3, 1)
    link(three, Kind.MERGED, 1, 2, 1)
    assert found(three, "alawi") == [1]
    person = three.person(who(3))
    assert person is not None
    assert (person.patient, set(person.merged)) == (who(1), {who(2), who(3)})
    link(three, Kind.UNMERGED, 1, 2, 2)
    assert found(three, "alawi") == [2]
    assert found(three, "AB1") == [1]


@pytest.mark.parametrize(
    ("kind", "patient", "duplicate", "code"),
    [
        (Kind.MERGED, 1, 1, "patient-merged"),
        (Kind.MERGED, 1, 9, "patient-merged"),
        (Kind.MERGED, 9, 1, "patient-merged"),
        (Kind.MERGED, 3, 2, "patient-merged"),
        (Kind.MERGED, 2, 3, "patient-merged"),
        (Kind.UNMERGED, 1, 3, "patient-not-merged"),
        (Kind.UNMERGED, 3, 2, "patient-not-merged"),
    ],
)
def test_no_circle_and_nobody_twice(
    three: Store, kind: Kind, patient: int, duplicate: int, code: str
) -> None:
    link(three, Kind.MERGED, 1, 2, 1)
    rows: list[Row] = three._rows("SELECT patient, merged_into, links FROM patients ORDER BY 1")
    with pytest.raises(StoreRefused) as refused:
        link(three, kind, patient, duplicate, 5)
    assert refused.value.stable_code == code
    assert three._rows("SELECT patient, merged_into, links FROM patients ORDER BY 1") == rows


def test_late_news_of_a_link_are_no_news(three: Store) -> None:
    link(three, Kind.MERGED, 1, 2, 1)
    link(three, Kind.UNMERGED, 1, 2, 2)
    link(three, Kind.MERGED, 3, 2, 1)
    assert found(three, "zahra") == [2]


def test_a_correction_keeps_what_was_merged(three: Store) -> None:
    link(three, Kind.MERGED, 1, 2, 1)
    register(three, 2, "Alaoui", "Zahra", revision=2)
    assert found(three, "zahra") == [1]


def test_every_decision_is_kept_and_the_last_about_a_scope_holds(three: Store) -> None:
    def decide(patient: int, scope: str, decision: str, **more: object) -> None:
        revision = three.next_consent(who(patient), scope)
        payload: Payload = {
            Field.PATIENT: who(patient), Field.SCOPE: scope, Field.REVISION: revision,
            Field.DECISION: decision, Field.GIVEN_BY: "patient", Field.FORM: "oral",
        }  # fmt: skip
        payload |= {Field[name.upper()]: value for name, value in more.items()}  # type: ignore[misc]  # any
        add(three, Kind.CONSENT, payload)

    decide(1, "care", "given", operator="amina", wall_ms=5, language="ary", witness="Sami")
    decide(1, "tele-expertise", "refused")
    decide(2, "care", "given")
    decide(1, "care", "withdrawn")
    [given, refused, withdrawn] = three.consents(who(1))
    assert (given.scope, given.revision, given.operator, given.wall_ms) == ("care", 1, "amina", 5)
    assert (given.given_by, given.form, given.language, given.witness) == ("patient", "oral", "ary", "Sami")
    assert (refused.decision, withdrawn.decision, withdrawn.revision) == ("refused", "withdrawn", 2)
    link(three, Kind.MERGED, 1, 2, 1)
    assert [each.patient for each in three.consents(who(1))] == [who(1), who(1), who(2), who(1)]


def test_the_unit_stands_where_it_arrived_until_it_is_started_anew(store: Store) -> None:
    def arrive(number: int, name: str, boot: bytes, at_ms: int) -> None:
        payload: Payload = {Field.SITE: who(number), Field.SITE_NAME: name, Field.BOOT: boot}
        add(store, Kind.SITE, payload | {Field.WALL_MS: at_ms})

    assert store.site_here(BOOT) is None
    arrive(1, "Agdz, souk", BOOT, 10)
    arrive(2, "Imilchil", BOOT, 20)
    assert store.site_here(BOOT) == who(2)
    assert store.site_here(LATER) is None
    arrive(1, "Agdz", LATER, 30)
    assert store.site_here(LATER) == who(1)
    assert [(each.name, each.arrived_ms) for each in store.sites()] == [("Agdz", 30), ("Imilchil", 20)]
    called = store.site_called("IMILCHIL ")
    assert called is not None
    assert called.site == who(2)
    register(store, 7, "Alaoui", "Fatima")
    opened: Payload = {Field.PATIENT: who(7), Field.ENCOUNTER: who(100), Field.SITE: who(1)}
    add(store, Kind.ENCOUNTER_OPENED, opened)
    visit = store.encounter(who(100))
    assert visit is not None
    assert visit.site == who(1)


def test_after_a_fork_consents_and_arrivals_belong_to_the_new_entries(three: Store) -> None:
    from edge.clock import ClockQuality, Moment

    decision: Payload = {
        Field.PATIENT: who(1), Field.SCOPE: "care", Field.REVISION: 1,
        Field.DECISION: "given", Field.GIVEN_BY: "patient", Field.FORM: "oral",
    }  # fmt: skip
    add(three, Kind.CONSENT, decision)
    add(three, Kind.SITE, {Field.SITE: who(1), Field.SITE_NAME: "Agdz", Field.BOOT: BOOT})
    link(three, Kind.MERGED, 1, 2, 1)
    three.begin_epoch("spool-ahead", Moment(5, BOOT, 1, ClockQuality.NONE))
    with three.write() as tx:
        for row in three.still_to_journal_again(100):
            tx.append_again(row)
            tx.done_again(row)
    present = three._rows("SELECT min(id) FROM journal WHERE epoch = 2")[0][0]
    assert (
        three._rows("SELECT min(entry) FROM (SELECT entry FROM consents UNION SELECT entry FROM arrivals)")[
            0
        ][0]
        > present
    )
    assert found(three, "zahra") == [1]
    assert three.verify().valid


def test_erasing_a_person_takes_everybody_merged_into_them_and_what_they_agreed_to(three: Store) -> None:
    decision: Payload = {
        Field.PATIENT: who(2), Field.SCOPE: "care", Field.REVISION: 1,
        Field.DECISION: "given", Field.GIVEN_BY: "patient", Field.FORM: "oral", Field.WITNESS: "Zzyzx",
    }  # fmt: skip
    add(three, Kind.CONSENT, decision)
    link(three, Kind.MERGED, 1, 2, 1)
    with three.write() as tx:
        assert set(tx.erase(bytes(16), who(1), 5).people) == {who(1), who(2)}
    assert [each.patient for each in three.patients()] == [who(3)]
    assert three._rows("SELECT * FROM consents") == []
    assert found(three, "zahra") == found(three, "77") == []
    assert found(three, "alawi") == [3]
