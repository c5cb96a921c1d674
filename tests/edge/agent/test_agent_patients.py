"""Patients over the socket: two scripts, corrections, consent, one person entered twice, and where it was."""

import uuid
from typing import Any, Final

import pytest

from edge import cbor
from edge.clock import ClockQuality, Moment, SystemClock
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Kind, Stream
from tests.edge.agent.agent_world import Nurse, World

ZAHRA: Final[dict[str, Any]] = {"family": "Benali", "given": "Zahra", "sex": "female"}
GIVEN: Final = {"scope": "care", "decision": "given"}


async def refused(nurse: Nurse, method: str, **fields: Any) -> str:  # noqa: ANN401  as wide as JSON
    with pytest.raises(CallRefused) as error:
        await nurse.ask(method, **fields)
    return error.value.stable_code


async def register(nurse: Nurse, **more: Any) -> str:  # noqa: ANN401  as wide as JSON
    return str((await nurse.ask("patient.register", **(ZAHRA | more)))["patient"])


def written(world: World, kind: Kind) -> list[dict[int, Any]]:
    store = world.store()
    entries = store.entries(Stream.VITALS, 1, 10_000)
    store.close()
    return [cbor.decode(each.payload or b"") for each in entries if each.kind is kind]  # type: ignore[misc]  # maps


async def test_both_scripts_have_their_own_fields_from_the_socket_to_the_journal(world: World) -> None:
    arabic = {"family_arabic": "بنعلي", "given_arabic": "زهرة"}
    async with world.nurse() as nurse:
        both = await register(nurse, **arabic, birth="1961", birth_estimated=True)
        only = await register(nurse, family="بنعلي", given="زينب")
        for text in ("benali", "زهره"):
            [found, *_] = (await nurse.ask("patient.find", text=text))["patients"]
            assert (found["patient"], found["family"], found["given_arabic"]) == (both, "Benali", "زهرة")
            assert found["birth_estimated"] is True
        shown = (await nurse.ask("patient.show", patient=only))["patient"]
        assert (shown["family"], shown["family_arabic"]) == ("بنعلي", "بنعلي")
        likely = await nurse.ask("patient.likely", family="بنعلي", given="زهره")
        assert both in [each["patient"] for each in likely["patients"]]
    first, second = written(world, Kind.PATIENT)
    assert (first[Field.FAMILY], first[Field.FAMILY_ARABIC], first[Field.BIRTH_ESTIMATED]) == (
        *("Benali", "بنعلي"),
        True,
    )
    assert Field.FAMILY not in second
    assert second[Field.GIVEN_ARABIC] == "زينب"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"family_arabic": "Benali"}, "name-script"),
        ({"family": "بنعلي"}, "name-script"),
        ({"identifiers": [{"system": "cnie", "value": "--"}]}, "identifier-refused"),
        ({"identifiers": [{"system": "cnie", "value": v} for v in ("AB 1", "ab-1")]}, "identifier-refused"),
        ({"identifiers": [{"system": "cnie", "value": "TAKEN"}]}, "identifier-taken"),
        ({"birth": "1961-02-30"}, "field-refused"),
        ({"birth": "1961-13"}, "field-refused"),
        ({"birth": "0000"}, "field-refused"),
        ({"birth": "١٩٦١"}, "field-refused"),
        ({"birth": "2999-01-01"}, "birth-in-future"),
        ({"given": "Zah\u061cra"}, "field-refused"),
        ({"given": "Zah\u2067ra"}, "field-refused"),
        ({"given": "Zah\u00adra"}, "field-refused"),
        ({"given": "Zahra\ufe0f"}, "field-refused"),
        ({"given": "\u3164"}, "field-refused"),
        ({"given": "\u200d\u200c"}, "field-refused"),
        ({"given": "\u0301"}, "field-refused"),
        ({"village": "\u064e\u0628"}, "field-refused"),
        ({"village": "Agdz\U000e0041"}, "field-refused"),
        ({"identifiers": [{"system": "cnie", "value": "A\x07B"}]}, "field-refused"),
        ({"consents": [{"scope": "care", "decision": "withdrawn"}]}, "consent-not-given"),
        ({"consents": [GIVEN, GIVEN]}, "consent-refused"),
        ({"consents": [GIVEN | {"scope": "everything"}]}, "field-refused"),
    ],
)
async def test_what_cannot_be_kept_is_refused_with_a_code_and_saves_nothing(
    world: World, wrong: dict[str, Any], code: str
) -> None:
    world.clock_quality = ClockQuality.NTP
    async with world.nurse() as nurse:
        await register(nurse, identifiers=[{"system": "cnie", "value": "taken"}])
        assert await refused(nurse, "patient.register", **(ZAHRA | wrong)) == code
        assert await refused(
            nurse,
            "patient.correct",
            **(ZAHRA | {key: value for key, value in wrong.items() if key != "consents"}),
            patient=await register(nurse, family="Idrissi"),
            revision=1 if "consents" not in wrong else 7,
        ) == (code if "consents" not in wrong else "patient-changed")
    assert len(written(world, Kind.PATIENT)) == 2
    assert written(world, Kind.CONSENT) == []


async def test_a_name_of_a_megabyte_ends_its_connection_and_nothing_else(world: World) -> None:
    async with world.nurse() as nurse:
        with pytest.raises(CallRefused, match="longer than 64 kB"):
            await nurse.ask("patient.register", **(ZAHRA | {"given": "Z" * 2**20}))
    async with world.nurse() as nurse:
        assert (await nurse.ask("patient.list"))["patients"] == []


async def test_arabic_joiners_stay_in_a_name(world: World) -> None:
    async with world.nurse() as nurse:
        await register(nurse, family="\u0645\u06cc\u200c\u062e", given="زينب")


async def test_a_correction_is_a_revision_and_nobody_overwrites_anothers(world: World) -> None:
    async with world.nurse() as nurse:
        patient = await register(nurse, identifiers=[{"system": "cnie", "value": "AB1"}])
        several = [{"system": "cnie", "value": "AB2"}, {"system": "amo", "value": "778"}]
        fields = ZAHRA | {"given": "Zohra", "identifiers": several, "phone": "0612345678", "village": "Agdz"}
        answer = await nurse.ask("patient.correct", patient=patient, revision=1, **fields)
        assert answer["revision"] == 2
        assert await refused(nurse, "patient.correct", patient=patient, revision=1, **ZAHRA) == (
            "patient-changed"
        )
        record = await nurse.ask("patient.show", patient=patient)
        assert (record["revision"], record["phone"], record["village"]) == (2, "0612345678", "Agdz")
        assert record["patient"]["identifiers"] == several
        for text, found in (("zohra", 1), ("AB2", 1), ("778", 1), ("AB1", 0), ("zahra", 0)):
            assert len((await nurse.ask("patient.find", text=text))["patients"]) == found, text
        await register(nurse, family="Tazi", identifiers=[{"system": "cnie", "value": "AB1"}])
    assert [each[Field.REVISION] for each in written(world, Kind.PATIENT)] == [1, 2, 1]


async def test_what_was_agreed_to_is_kept_with_who_and_when(world: World) -> None:
    async with world.nurse() as nurse:
        patient = await register(
            nurse, consents=[GIVEN | {"language": "ary"}, {"scope": "sharing", "decision": "refused"}]
        )
        withdrawn = {"scope": "care", "decision": "withdrawn", "form": "written", "given_by": "guardian"}
        await nurse.ask("patient.consent", patient=patient, **withdrawn, witness="Sami Idrissi")
        assert await refused(nurse, "patient.consent", patient=patient, **withdrawn) == "consent-not-given"
        said = (await nurse.ask("patient.show", patient=patient))["consents"]
        assert [(each["scope"], each["decision"], each["holds"]) for each in said] == [
            ("care", "given", False),
            ("sharing", "refused", True),
            ("care", "withdrawn", True),
        ]
        assert (said[0]["language"], said[0]["operator"], said[0]["form"]) == ("ary", "amina", "oral")
        assert (said[2]["given_by"], said[2]["witness"]) == ("guardian", "Sami Idrissi")
        assert all(each["wall_ms"] for each in said)
        nobody = str(uuid.UUID(int=7))
        assert await refused(nurse, "patient.consent", patient=nobody, **GIVEN) == "no-patient"


async def test_two_that_are_one_are_shown_as_one_and_part_again(world: World) -> None:
    async with world.nurse() as nurse:
        one = await register(nurse, identifiers=[{"system": "cnie", "value": "AB1"}])
        visit = await nurse.ask("encounter.open", patient=one)
        await nurse.ask("encounter.close", encounter=visit["encounter"])
        two = await register(nurse, family="Ben Ali", identifiers=[{"system": "amo", "value": "778"}])
        await nurse.ask("patient.merge", patient=one, duplicate=two, reason="same card, same face")
        for text in ("AB1", "778", "ben ali"):
            [found] = (await nurse.ask("patient.find", text=text))["patients"]
            assert (found["patient"], found["merged"]) == (one, 1), text
        assert [each["patient"] for each in (await nurse.ask("patient.list"))["patients"]] == [one]
        record = await nurse.ask("patient.show", patient=two)
        assert record["patient"]["patient"] == one
        assert [each["patient"] for each in record["merged"]] == [two]
        assert len(record["visits"]) == 1
        for method, more in (
            ("encounter.open", {}),
            ("alert.raise", {"code": "fall"}),
            ("patient.consent", GIVEN),
            ("patient.correct", ZAHRA | {"revision": 1}),
        ):
            assert await refused(nurse, method, patient=two, **more) == "patient-merged", method
        third = await register(nurse, family="Tazi")
        again = {"reason": "again"}
        assert (
            await refused(nurse, "patient.merge", patient=third, duplicate=two, **again) == "patient-merged"
        )
        assert (
            await refused(nurse, "patient.merge", patient=two, duplicate=third, **again) == "patient-merged"
        )
        assert await refused(nurse, "patient.merge", patient=one, duplicate=one, **again) == "patient-same"
        assert await refused(nurse, "patient.unmerge", duplicate=third, **again) == "patient-not-merged"
        await nurse.ask("patient.unmerge", duplicate=two, reason="two sisters")
        shown = {each["patient"]: each["merged"] for each in (await nurse.ask("patient.list"))["patients"]}
        assert shown == {third: 0, two: 0, one: 0}
        await nurse.ask("encounter.open", patient=two)
        assert (await nurse.ask("store.verify"))["valid"] is True
    [merged], [unmerged] = written(world, Kind.MERGED), written(world, Kind.UNMERGED)
    assert merged[Field.PATIENT] == unmerged[Field.PATIENT] == uuid.UUID(one).bytes
    assert merged[Field.DUPLICATE] == unmerged[Field.DUPLICATE] == uuid.UUID(two).bytes
    assert (merged[Field.REVISION], unmerged[Field.REVISION]) == (1, 2)
    assert (merged[Field.REASON], merged[Field.OPERATOR]) == ("same card, same face", "amina")


async def test_nobody_is_merged_while_something_is_measured_for_one_of_the_two(world: World) -> None:
    async with world.nurse() as nurse:
        one, two = await register(nurse), await register(nurse, family="Ben Ali")
        visit = await nurse.ask("encounter.open", patient=two)
        for patient, duplicate in ((one, two), (two, one)):
            code = await refused(
                nurse, "patient.merge", patient=patient, duplicate=duplicate, reason="same card"
            )
            assert code == "encounter-open"
        await nurse.ask("encounter.close", encounter=visit["encounter"])
        await nurse.ask("patient.merge", patient=one, duplicate=two, reason="same card")


async def test_a_merged_person_is_received_when_all_of_them_is(world: World) -> None:
    async with world.nurse() as nurse:
        one = await register(nurse)
        two = await register(nurse, family="Ben Ali")
        await nurse.ask("patient.merge", patient=one, duplicate=two, reason="same card")

        async def state() -> str:
            [person] = (await nurse.ask("patient.list"))["patients"]
            return str(person["state"])

        assert await state() == "saved"
        store = world.store()
        with_last = store.watermark(Stream.VITALS).tip
        store.close()
        assert with_last == 4


async def test_who_looked_at_whom_is_in_the_audit_before_it_is_shown(world: World) -> None:
    async with world.nurse() as nurse:
        one, two = await register(nurse), await register(nurse, family="Ben Ali")
        await nurse.ask("patient.merge", patient=one, duplicate=two, reason="same card")
        await nurse.ask("patient.show", patient=one)
        store = world.store()
        seen = [cbor.decode(each.payload or b"") for each in store.entries(Stream.AUDIT, 1, 1000)]
        store.close()
    looked = [each for each in seen if isinstance(each, dict) and each.get(Field.ACTION) == "patient.show"]
    assert {each[Field.OBJECT] for each in looked} == {uuid.UUID(one).bytes, uuid.UUID(two).bytes}


class Rebooting(SystemClock):
    """A box that was switched off and on."""

    boots = 1

    def now(self) -> Moment:
        now = super().now()
        return Moment(now.wall_ms, self.boots.to_bytes(8), now.monotonic_ms, now.quality)


async def test_a_visit_is_where_the_unit_was_said_to_be_since_it_was_started(world: World) -> None:
    clock = world.clock = Rebooting()
    async with world.nurse() as nurse:
        first = await nurse.visit()
        assert (await nurse.ask("site.list")) == {"sites": [], "here": None}
        assert await refused(nurse, "site.arrive") == "site-refused"
        nowhere = str(uuid.UUID(int=7))
        assert await refused(nurse, "site.arrive", site=nowhere) == "no-site"
        assert await refused(nurse, "site.arrive", site=nowhere, name="Agdz") == "site-refused"
        agdz = (await nurse.ask("site.arrive", name="Agdz, souk"))["site"]
        imilchil = (await nurse.ask("site.arrive", name="Imilchil"))["site"]
        assert (await nurse.ask("site.arrive", name="AGDZ  souk"))["site"] == agdz
        listed = await nurse.ask("site.list")
        assert [each["name"] for each in listed["sites"]] == ["Agdz, souk", "Imilchil"]
        assert listed["here"] == agdz
        await nurse.ask("encounter.close", encounter=first)
        second = await nurse.visit("Tazi")
        await nurse.ask("encounter.close", encounter=second)
        assert (await nurse.ask("encounter.show", encounter=first))["site"] is None
        assert (await nurse.ask("encounter.show", encounter=second))["site"] == "Agdz, souk"
        clock.boots = 2
        assert (await nurse.ask("site.list"))["here"] is None
        third = await nurse.visit("Alami")
        assert (await nurse.ask("encounter.show", encounter=third))["site"] is None
        await nurse.ask("encounter.close", encounter=third)
        await nurse.ask("site.arrive", site=imilchil)
        await nurse.visit("Omari")
    opened = [each.get(Field.SITE) for each in written(world, Kind.ENCOUNTER_OPENED)]
    assert opened == [None, uuid.UUID(agdz).bytes, None, uuid.UUID(imilchil).bytes]
