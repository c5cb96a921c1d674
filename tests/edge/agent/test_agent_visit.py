"""A visit over the socket, from sign-in to received, on a real store, spool and wire."""

import dataclasses
import datetime
import re

import pytest

from edge import cbor
from edge.clock import ClockQuality, Moment, SystemClock
from edge.localapi.client import connect, new_request_id
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Kind, Stream
from edge.scoring.installed import limit_table
from edge.store.store import Store
from sync.uplink.notes import LinkNote
from tests.edge.agent.agent_world import KEY, Nurse, ScriptedDriver, World, finger_off, steady, until


async def refused(nurse: Nurse, method: str, **fields: object) -> CallRefused:
    with pytest.raises(CallRefused) as error:
        await nurse.ask(method, **fields)
    assert error.value.sentence
    assert error.value.next_step
    return error.value


async def test_a_whole_visit_is_saved_sealed_and_received(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["readings", "saved", "streams", "devices", "link"])
        visit = await nurse.visit()
        oximeter.say(*steady(97, 72))
        event = await nurse.event("saved")
        while event["what"] != "reading":
            event = await nurse.event("saved")
        assert [entry[2] for entry in event["saved"]] == ["vitals", "vitals"]
        await nurse.observe(visit, "temp", "36.9")
        shown = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [(o["code"], o["value"], o["source"], o["state"]) for o in shown] == [
            ("spo2", "97", "device", "saved"),
            ("pulse.spo2", "72", "device", "saved"),
            ("temp", "36.9", "manual", "saved"),
        ]
        closed = await nurse.ask("encounter.close", encounter=visit)
        assert closed["count"] == 3

        sign_public = world.store().identity().sign_public
        sealed = world.centre.open_spool(world.outbox, sign_public)
        assert list(sealed[Stream.VITALS]) == [1, 2, 3, 4, 5, 6, 7]

        world.deliver(world.receipt_for("landed"), "landed")
        assert (await patient_state(nurse, "arrived")) == "arrived"
        await until(lambda: not world.spooled("vitals"))
        world.deliver(world.receipt_for("opened"), "opened")
        assert (await patient_state(nurse, "received")) == "received"
        assert (await nurse.ask("snapshot"))["saved"] == []


async def patient_state(nurse: Nurse, wanted: str) -> str:
    state = ""
    for _ in range(200):
        [patient] = (await nurse.ask("patient.list"))["patients"]
        state = patient["state"]
        if state == wanted:
            break
    return state


async def test_sent_is_a_hint_that_falls_back_when_the_connection_ends(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        names = [str(name) for name in world.spooled("vitals")]
        note = LinkNote(world.home / "in")

        def say(*, connected: bool) -> None:
            note.write(
                connected=connected,
                since_ms=1,
                connection="a",
                sent=names,
                broker="mqtt5",
                code="",
                waiting={},
            )

        say(connected=True)
        assert await patient_state(nurse, "sent") == "sent"
        link = (await nurse.ask("status"))["link"]
        assert {name: link[name] for name in ("connected", "since_ms", "broker")} == {
            "connected": True,
            "since_ms": 1,
            "broker": "mqtt5",
        }
        say(connected=False)
        assert await patient_state(nurse, "saved") == "saved"
        say(connected=True)
        assert await patient_state(nurse, "sent") == "sent"
        note.close()  # what the kernel does for an uplink that was killed: its lock is gone, its note stays
        assert await patient_state(nurse, "saved") == "saved"


async def test_nothing_of_a_patient_without_session_and_everything_by_role(world: World) -> None:
    async with world.running(), connect(world.socket) as api:
        nurse = Nurse(api)
        status = await nurse.ask("status")
        assert status["locked"] is True
        assert status["streams"] == {}
        assert (await refused(nurse, "patient.list")).stable_code == "store-locked"
        async with connect(world.socket) as other:
            await Nurse(other).ask("sign-in", user="tariq", pin="615243")
            assert (await refused(Nurse(other), "patient.list")).stable_code == "not-allowed"
            assert (
                await refused(Nurse(other), "subscribe", topics=["readings"])
            ).stable_code == "not-allowed"
            await Nurse(other).ask("subscribe", topics=["devices", "link", "streams"])
        assert (await refused(nurse, "patient.list")).stable_code == "sign-in-needed"


async def test_a_wrong_pin_opens_nothing(world: World) -> None:
    async with world.running(), connect(world.socket) as api:
        nurse = Nurse(api)
        for user in ("amina", "nobody"):
            assert (await refused(nurse, "sign-in", user=user, pin="000000")).stable_code == "wrong-pin"
        assert (await nurse.ask("status"))["locked"] is True


async def test_wrong_pins_in_a_row_have_to_wait(world: World) -> None:
    async with world.running(), connect(world.socket) as api:
        nurse = Nurse(api)
        codes = [(await refused(nurse, "sign-in", user="amina", pin="000000")).stable_code for _ in range(6)]
    assert codes == ["wrong-pin"] * 5 + ["too-many-attempts"]


async def test_lock_closes_the_store_and_every_session(world: World) -> None:
    async with world.nurse() as nurse, connect(world.socket) as api:
        other = Nurse(api)
        await other.ask("sign-in", user="sami", pin="739154")
        await other.ask("subscribe", topics=["saved"])
        visit = await nurse.visit()
        await nurse.ask("lock")
        await other.event("locked")
        assert (await refused(other, "encounter.show", encounter=visit)).stable_code == "store-locked"
        await nurse.ask("sign-in", user="amina", pin="482913")
        assert (await refused(other, "encounter.show", encounter=visit)).stable_code == "sign-in-needed"
        assert (await nurse.ask("snapshot"))["encounter"] == visit


async def test_a_repeated_request_gets_its_first_answer_and_commits_nothing(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        id_ = new_request_id()
        values = [{"code": "temp", "value": "36.9"}]
        first = await nurse.ask("observe", request_id=id_, encounter=visit, values=values)
        tips = (await nurse.ask("status"))["streams"]["vitals"]["tip"]
        second = await nurse.ask("observe", request_id=id_.upper(), encounter=visit, values=values)
        assert second == first
        assert (await nurse.ask("status"))["streams"]["vitals"]["tip"] == tips
        reused = await refused(nurse, "encounter.close", request_id=id_, encounter=visit)
        assert reused.stable_code == "request-reused"


async def test_a_request_repeated_after_a_restart_gets_its_first_answer(world: World) -> None:
    id_ = new_request_id()
    fields = {"family": "Benali", "given": "Zahra", "sex": "female"}
    async with world.nurse() as nurse:
        first = await nurse.ask("patient.register", request_id=id_, **fields)
    async with world.nurse() as nurse:
        assert await nurse.ask("patient.register", request_id=id_, **fields) == first
        assert len((await nurse.ask("patient.list"))["patients"]) == 1


async def test_values_that_cannot_be_are_refused_and_rare_ones_confirmed(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        both = [{"code": "temp", "value": "36.9"}, {"code": "spo2", "value": "101"}]
        error = await refused(nurse, "observe", encounter=visit, values=both)
        assert (error.stable_code, error.about) == ("value-refused", ("spo2",))
        rare = [{"code": "temp", "value": "36.9"}, {"code": "spo2", "value": "85"}]
        error = await refused(nurse, "observe", encounter=visit, values=rare)
        assert (error.stable_code, error.about) == ("value-needs-confirmation", ("spo2",))
        assert (await nurse.ask("encounter.show", encounter=visit))["observations"] == []
        await nurse.ask("observe", encounter=visit, values=rare, confirmed=["spo2"])
        store = world.store()
        stored = {o.code: o.confirmed for o in store.observations(bytes.fromhex(visit.replace("-", "")))}
        assert stored == {"temp": None, "spo2": "spo2"}
        unknown = [{"code": "mood", "value": "5"}]
        assert (await refused(nurse, "observe", encounter=visit, values=unknown)).about == ("mood",)


async def test_what_is_rare_for_a_child_is_asked_by_age_and_the_table_is_noted(world: World) -> None:
    year = datetime.datetime.fromtimestamp(SystemClock().now().wall_ms / 1000, datetime.UTC).year
    async with world.nurse() as nurse:
        child = {"family": "Benali", "given": "Adam", "sex": "male", "birth": str(year - 6)}
        patient = (await nurse.ask("patient.register", **child))["patient"]
        visit = (await nurse.ask("encounter.open", patient=patient))["encounter"]
        fast = [{"code": "hr", "value": "145"}]  # nothing for six years, nor for an adult
        await nurse.ask("observe", encounter=visit, values=fast)
        slow = [{"code": "hr", "value": "50"}]  # nothing for an adult
        error = await refused(nurse, "observe", encounter=visit, values=slow)
        assert (error.stable_code, error.about) == ("value-needs-confirmation", ("hr",))
        await nurse.ask("observe", encounter=visit, values=slow, confirmed=["hr"])
        first, second = world.store().entries(Stream.VITALS, 4, 5)
        for entry, noted in ((first, None), (second, limit_table().version)):
            payload = cbor.decode(entry.payload or b"")
            assert isinstance(payload, dict)
            assert payload.get(Field.LIMITS) == noted


async def test_a_grown_ups_weight_and_height_are_held_against_what_they_were(world: World) -> None:
    day = datetime.timedelta(days=1)
    now = datetime.datetime.fromtimestamp(SystemClock().now().wall_ms / 1000, datetime.UTC)

    async def gives(nurse: Nurse, visit: str, ago: datetime.timedelta, **values: str) -> str:
        """The limit that was asked about, or nothing."""
        typed = [{"code": code, "value": value} for code, value in values.items()]
        late = {"encounter": visit, "values": typed, "source": "late", "at": (now - ago).isoformat()}
        try:
            await nurse.ask("observe", **late, confirmed=["time.old"])
        except CallRefused as error:
            return ",".join(error.about)
        return ""

    async with world.nurse() as nurse:
        visit = await nurse.visit()  # born in 1961
        assert await gives(nurse, visit, 40 * day, weight="80.0", height="165") == ""
        assert await gives(nurse, visit, 5 * day, weight="95.0") == "", "more than thirty days later"
        assert await gives(nurse, visit, 4 * day, weight="104.5") == "", "a tenth"
        assert await gives(nurse, visit, 3 * day, weight="115.1") == "weight.change"
        assert await gives(nurse, visit, 3 * day, height="168") == "", "three centimetres"
        assert await gives(nurse, visit, 2 * day, height="171.1") == "height.change"
        assert await gives(nurse, visit, 45 * day, height="150") == "", "before there was one"
        assert await gives(nurse, visit, 30_000 * day, height="165") == "time.before-birth"
        confirmed = {"encounter": visit, "values": [{"code": "height", "value": "172"}]}
        await nurse.ask("observe", **confirmed, confirmed=["height.change"])
        await nurse.ask("encounter.close", encounter=visit)
        child = {"family": "Benali", "given": "Adam", "sex": "male", "birth": str(now.year - 3)}
        patient = (await nurse.ask("patient.register", **child))["patient"]
        visit = (await nurse.ask("encounter.open", patient=patient))["encounter"]
        assert await gives(nurse, visit, 2 * day, weight="12.0", height="90") == ""
        assert await gives(nurse, visit, 1 * day, weight="14.0", height="95") == "", "children grow"


async def test_a_typed_unit_is_converted_and_kept_beside(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask(
            "observe", encounter=visit, values=[{"code": "temp", "value": "98.6", "unit": "[degF]"}]
        )
        [observed] = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert (observed["value"], observed["unit"]) == ("37.00", "Cel")
        entry = world.store().entries(Stream.VITALS, 4, 4)[0]
        payload = cbor.decode(entry.payload or b"")
        assert isinstance(payload, dict)
        assert payload[Field.DEVICE_VALUE] == [[986, -1], "[degF]"]


async def test_values_from_paper_carry_their_own_time_and_old_ones_are_confirmed(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        now = datetime.datetime.fromtimestamp(SystemClock().now().wall_ms / 1000, datetime.UTC)
        hour_ago, last_week = now - datetime.timedelta(hours=1), now - datetime.timedelta(days=7)
        late = {"encounter": visit, "values": [{"code": "temp", "value": "36.9"}], "source": "late"}
        await nurse.ask("observe", **late, at=hour_ago.isoformat())
        error = await refused(nurse, "observe", **late, at=last_week.isoformat())
        assert (error.stable_code, error.about) == ("value-needs-confirmation", ("time.old",))
        await nurse.ask("observe", **late, at=last_week.isoformat(), confirmed=["time.old"])
        shown = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [o["source"] for o in shown] == ["late", "late"]
        expected = [int(at.timestamp() * 1000) for at in (hour_ago, last_week)]
        assert [o["wall_ms"] for o in shown] == expected


async def test_one_visit_at_a_time_and_none_twice_closed(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        other = await nurse.patient("Idrissi")
        assert (await refused(nurse, "encounter.open", patient=other)).stable_code == "encounter-open"
        await nurse.ask("encounter.close", encounter=visit)
        assert (await refused(nurse, "encounter.close", encounter=visit)).stable_code == "encounter-closed"
        late = await refused(nurse, "observe", encounter=visit, values=[{"code": "temp", "value": "37"}])
        assert late.stable_code == "encounter-closed"
        nobody = new_request_id()
        assert (await refused(nurse, "encounter.open", patient=nobody)).stable_code == "no-patient"


async def test_the_tray_is_assigned_with_a_reason_and_only_once(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["saved"])
        oximeter.say(*steady(96, 70), finger_off(8))
        await nurse.event("saved")
        tray = (await nurse.ask("tray.list"))["observations"]
        assert [o["code"] for o in tray] == ["spo2", "pulse.spo2"]
        visit = await nurse.visit()
        seqs = [o["seq"] for o in tray]
        await nurse.ask("tray.assign", encounter=visit, observations=seqs, reason="finger before the visit")
        assert (await nurse.ask("tray.list"))["observations"] == []
        assert len((await nurse.ask("encounter.show", encounter=visit))["observations"]) == 2
        again = await refused(nurse, "tray.assign", encounter=visit, observations=seqs, reason="again")
        assert again.stable_code == "not-in-tray"


@pytest.mark.parametrize(
    "family",
    ["Be\u202enali", "Be\u200bnali", "Be\x1bnali", "Be\nnali", "Be\u0085nali", "B" * 121, "", " "],
)
async def test_a_name_that_is_not_all_there_is_to_see_is_refused(world: World, family: str) -> None:
    async with world.nurse() as nurse:
        error = await refused(nurse, "patient.register", family=family, given="Omar", sex="male")
        assert error.stable_code == "field-refused"
        assert (await nurse.ask("patient.list"))["patients"] == []


@pytest.mark.parametrize("birth", ["2999", "2999-01", "2999-01-31"])
async def test_nobody_is_born_after_today_where_today_is_known(world: World, birth: str) -> None:
    person = {"family": "Benali", "given": "Omar", "sex": "male", "birth": birth}
    world.clock_quality = ClockQuality.OPERATOR
    async with world.nurse() as nurse:
        assert (await refused(nurse, "patient.register", **person)).stable_code == "birth-in-future"


class OddClock(SystemClock):
    """One that nobody has set: at the beginning of all time, or where it stood when it was switched off."""

    wall_ms = 0

    def now(self) -> Moment:
        return dataclasses.replace(super().now(), wall_ms=self.wall_ms)


@pytest.mark.parametrize(
    ("wall", "birth", "taken"),
    [
        ("2027-03-01", "2027-11-20", True),  # parked for the winter, and the clock stood still
        ("2027-03-01", "2028-04-01", False),
        ("2027-03-01", "2199-01-01", False),
        ("1970-01-01", "2031-05-05", True),
        ("1970-01-01", "2199", False),
    ],
)
async def test_a_clock_that_nobody_set_refuses_only_what_cannot_be(
    world: World, wall: str, birth: str, *, taken: bool
) -> None:
    world.clock = clock = OddClock(ClockQuality.NONE)
    clock.wall_ms = int(datetime.datetime.fromisoformat(f"{wall}T12:00:00+00:00").timestamp() * 1000)
    person = {"family": "Benali", "given": "Omar", "sex": "male", "birth": birth}
    async with world.nurse() as nurse:
        if taken:
            await nurse.ask("patient.register", **person)
        else:
            assert (await refused(nurse, "patient.register", **person)).stable_code == "birth-in-future"


async def test_an_alert_goes_into_its_own_stream_and_names_no_other_patients_visit(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        other = await nurse.patient("Idrissi")
        wrong = await refused(nurse, "alert.raise", patient=other, encounter=visit, code="news2.7")
        assert wrong.stable_code == "visit-refused"
        answer = await nurse.ask("alert.raise", patient=other, code="news2.7", text="urgent")
        assert [entry[2] for entry in answer["saved"]] == ["alert"]
        assert world.spooled("alert")


async def test_who_looked_is_committed_before_anything_is_shown(world: World) -> None:
    async with world.nurse() as nurse:
        patient = await nurse.patient()
        before = len(world.store().entries(Stream.AUDIT, 1, 1000))
        await nurse.ask("patient.find", text="benali")
        entries = world.store().entries(Stream.AUDIT, 1, 1000)
        assert len(entries) == before + 1
        payload = cbor.decode(entries[-1].payload or b"")
        assert isinstance(payload, dict)
        assert payload[Field.ACTION] == "patient.find"
        assert payload[Field.OBJECT] == bytes.fromhex(patient.replace("-", ""))
        assert payload[Field.OPERATOR] == "amina"
        assert not re.search(b"(?i)benali", entries[-1].payload or b"")


async def test_the_snapshot_is_given_in_pieces_and_names_everything(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.agent.commands.records.IDS_AT_ONCE", 3)
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask("alert.raise", patient=(await nurse.patient("Idrissi")), code="fall")
        for _ in range(4):
            await nurse.observe(visit)
        seen: list[list[object]] = []
        after: dict[str, int] = {}
        while True:
            page = await nurse.ask("snapshot", after=after)
            seen += page["saved"]
            after |= page["next"]
            if not page["more"]:
                break
        store = world.store()
        expected = [
            [store.unit, store.epoch.hex(), stream.word, seq]
            for stream in (Stream.ALERT, Stream.VITALS)
            for seq in range(1, store.watermark(stream).tip + 1)
        ]
        assert seen == expected


async def test_another_person_is_given_a_slot_and_signs_in(world: World) -> None:
    async with world.nurse() as nurse:
        weak = await refused(nurse, "users.add", user="leila", name="Leila", role="nurse", pin="111111")
        assert weak.stable_code == "pin-too-weak"
        await nurse.ask("users.add", user="leila", name="Leila", role="nurse", pin="604827")
        users = (await nurse.ask("users.list"))["users"]
        assert "leila" in [user["user"] for user in users]
        async with connect(world.socket) as api:
            answer = await Nurse(api).ask("sign-in", user="leila", pin="604827")
            assert answer["role"] == "nurse"
            assert (
                await refused(Nurse(api), "users.add", user="x", name="X", role="nurse", pin="1")
            ).stable_code


async def test_an_old_slot_file_lets_nobody_back_in(world: World) -> None:
    files = [world.home / "store" / name for name in ("slots", "slots.2")]
    old = [file.read_bytes() for file in files]
    async with world.nurse() as nurse:
        await nurse.ask("users.add", user="leila", name="Leila", role="nurse", pin="604827")
    for file, content in zip(files, old, strict=True):
        file.write_bytes(content)
    async with world.running(), connect(world.socket) as api:
        error = await refused(Nurse(api), "sign-in", user="amina", pin="482913")
        assert error.stable_code == "slots-outdated"
        assert (await Nurse(api).ask("status"))["locked"] is True


async def test_a_store_of_another_unit_is_not_opened(world: World) -> None:
    (world.home / "store" / "qafila.db").unlink()
    Store.create(
        world.home / "store" / "qafila.db", KEY, unit="van-08", realm="training", moment=SystemClock().now()
    ).close()
    async with world.running(), connect(world.socket) as api:
        error = await refused(Nurse(api), "sign-in", user="amina", pin="482913")
        assert error.stable_code == "store-foreign"


async def test_a_missing_store_and_a_missing_key_are_said_and_nothing_is_made(world: World) -> None:
    (world.home / "store" / "qafila.db").rename(world.home / "aside")
    async with world.running(), connect(world.socket) as api:
        error = await refused(Nurse(api), "sign-in", user="amina", pin="482913")
        assert error.stable_code == "store-missing"
        assert not (world.home / "store" / "qafila.db").exists()
        (world.home / "aside").rename(world.home / "store" / "qafila.db")
        await Nurse(api).ask("sign-in", user="amina", pin="482913")


async def test_verify_walks_the_store_and_says_it_is_sound(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.observe(visit)
        answer = await nurse.ask("store.verify")
        assert answer["valid"] is True
        assert answer["entries"]["vitals"] == 4
        assert answer["first_bad"] is None


async def test_the_genesis_of_every_stream_is_told_with_the_rest(world: World) -> None:
    async with world.nurse() as nurse:
        page = await nurse.ask("snapshot")
        assert [(word, seq) for _, _, word, seq in page["saved"]] == [("alert", 1), ("vitals", 1)]
        assert world.store().entries(Stream.VITALS, 1, 1)[0].kind is Kind.GENESIS
