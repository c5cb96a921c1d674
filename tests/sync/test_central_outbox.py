"""What the centre says reaches a unit once, whatever goes back in time, and its way is seen."""

import hashlib
import uuid
from pathlib import Path
from typing import Any

import cbor2
import pytest

from edge.cbor import Value
from edge.errors import QafilaError
from edge.records.expertise import RequestEvent, RequestState
from edge.records.fields import Field, Kind, Payload, Stream
from sync.boxend.down import BoxDownReader
from sync.central import configuring, database, erasing, expecting, outbox, requests
from sync.wire import down
from sync.wire.keyset import Use
from tests.sync.central_world import Centre, Unit, make_centre

V = Stream.VITALS
REQUEST = uuid.uuid4()


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    return centre.unit()


def ask(unit: Unit, patient: bytes, request: uuid.UUID = REQUEST, stream: Stream = V) -> None:
    last = len(unit.journal[V])
    asked: Payload = {
        Field.EXPERTISE: request.bytes, Field.SPECIALTY: "cardiology", Field.URGENCY: "urgent",
        Field.QUESTION: "Zzyzx douleur ?", Field.ACT: "tele-expertise", Field.BASIS: "consent",
        Field.ATTACHED: [[unit.epoch, 1, last - 1], [unit.epoch, 1, 900]],
        Field.SNAPSHOT: [["spo2", [88, 0], 5], ["temp", "sensor-off", 6]],
    }  # fmt: skip
    unit.append(stream, Kind.REQUESTED, asked, patient)


def everything(centre: Centre, unit: Unit) -> None:
    centre.take(unit.key_message(), *(unit.batch(stream, 1, len(unit.journal[stream])) for stream in Stream))


def received(unit: Unit, raw: bytes, outcome: str = "applied", patient: bytes = b"") -> bytes:
    """As the box would: read, and say so; the message's identity."""
    read = BoxDownReader(unit.name, unit.keyset).read(raw, unit.recv_private, None)
    assert read.epoch == unit.epoch
    said: Payload = {
        Field.MESSAGE: read.message, Field.DSEQ: read.dseq, Field.DOWN_KIND: read.kind,
        Field.OUTCOME: outcome, Field.DIGEST: hashlib.sha256(read.payload).digest(),
        Field.EXPERTISE: REQUEST.bytes,
    }  # fmt: skip
    unit.append(V, Kind.RECEIVED, said, patient)
    return read.message


def seal(centre: Centre) -> int:
    return outbox.seal_due(centre.connection, *centre.home.read_down_keys(), centre.clock.wall_ms)


def at_broker(centre: Centre) -> dict[int, bytes]:
    return {dseq: bytes(raw) for _, dseq, raw in outbox.outgoing(centre.connection)}


def reply(centre: Centre, text: str = "Aspirine.") -> requests.Said:
    return requests.say_about(
        centre.home, REQUEST, RequestEvent.REPLY, sender="Dr Leila", text=text, clock=centre.clock
    )


def put(centre: Centre, *body: Value) -> uuid.UUID:
    with database.write(centre.connection, ["van-07"]):
        return outbox.put(centre.connection, "van-07", Use.COMMAND, "x", body, now_ms=centre.clock.wall_ms)


def test_a_request_is_shown_with_what_it_is_about(centre: Centre, unit: Unit) -> None:
    patient = unit.visit("Benali")
    ask(unit, patient)
    everything(centre, unit)
    (asked,) = requests.requests(centre.home, waiting=True)
    assert (asked.request, asked.unit, asked.patient) == (REQUEST.hex, "van-07", patient.hex())
    assert (asked.name, asked.question, asked.state) == (
        "Benali Amina",
        "Zzyzx douleur ?",
        RequestState.ASKED,
    )
    assert [value[:2] for value in asked.values] == [("spo2", "95")]
    assert asked.missing == 1


def test_an_urgent_one_that_came_alone_says_what_it_rests_on(centre: Centre, unit: Unit) -> None:
    patient = unit.visit("Benali")
    ask(unit, patient, stream=Stream.ALERT)
    centre.take(unit.key_message(), unit.batch(Stream.ALERT, 1, 2))
    (asked,) = requests.requests(centre.home)
    assert asked.values == (("spo2", "88", None, 5), ("temp", None, "sensor-off", 6))
    assert asked.name == ""


def test_a_reply_goes_from_sent_to_read(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    ask(unit, patient)
    everything(centre, unit)
    assert reply(centre).state == "sent"
    ((dseq, raw),) = at_broker(centre).items()
    message = received(unit, raw, patient=patient)
    assert message.hex() == requests.messages(centre.home)[0].message
    everything(centre, unit)
    asked = requests.request(centre.home, REQUEST)
    assert (asked.state, asked.said[0].state) == (RequestState.ANSWERED, "on-unit")
    assert at_broker(centre) == {dseq: b""}
    outbox.taken_back(centre.connection, [("van-07", dseq)])
    assert at_broker(centre) == {}
    unit.append(V, Kind.READ, {Field.MESSAGE: message, Field.OPERATOR: "amina"}, patient)
    unit.append(V, Kind.REQUEST_CHANGED, {Field.EXPERTISE: REQUEST.bytes, Field.EVENT: "close"}, patient)
    everything(centre, unit)
    asked = requests.request(centre.home, REQUEST)
    assert (asked.state, asked.said[0].state, asked.said[0].read_by) == (RequestState.CLOSED, "read", "amina")
    assert asked.said[0].text == "Aspirine."
    assert seal(centre) == 0


def test_what_a_unit_could_not_apply_is_shown_with_the_reason(centre: Centre, unit: Unit) -> None:
    ask(unit, unit.visit())
    everything(centre, unit)
    reply(centre)
    received(unit, next(iter(at_broker(centre).values())), "request-unknown")
    everything(centre, unit)
    (said,) = requests.messages(centre.home)
    assert (said.state, said.outcome) == ("refused", "request-unknown")
    assert seal(centre) == 0


def test_nothing_is_sealed_before_the_unit_has_an_epoch(centre: Centre, unit: Unit) -> None:
    said = requests.say_to(
        centre.home, "van-07", sender="Centre", text="Bonjour.", patient=None, clock=centre.clock
    )
    assert said.state == "waiting"
    assert at_broker(centre) == {}
    everything(centre, unit)
    assert seal(centre) == 1
    header = down.read_header(at_broker(centre)[1])
    assert header is not None
    assert header.epoch == unit.epoch


def child_of(unit: Unit, matched: int) -> Unit:
    """The same box in its next epoch; of its vitals so many entries are its history."""
    other = Unit(unit.name, unit.keyset)
    other.sign_private, other.recv_private, other.recv_public = (
        *(unit.sign_private, unit.recv_private), unit.recv_public
    )  # fmt: skip
    other.journal = {stream: [] for stream in Stream}
    for stream in Stream:
        tips = [len(unit.journal[each]) for each in Stream]
        tips[V] = matched
        genesis: Payload = {Field.SALT: other.secrets[b""], Field.PARENT: [unit.epoch, tips]}
        other.append(stream, Kind.GENESIS, genesis)
    other.new_session()
    return other


def test_another_epoch_voids_what_was_on_its_way_and_it_is_sealed_again(centre: Centre, unit: Unit) -> None:
    everything(centre, unit)
    message = put(centre, 1)
    assert seal(centre) == 1
    child = child_of(unit, len(unit.journal[V]))
    everything(centre, child)
    assert seal(centre) == 1
    lying = at_broker(centre)
    assert lying[1] == b""
    read = BoxDownReader("van-07", unit.keyset).read(lying[2], unit.recv_private, None)
    assert (read.message, read.epoch, read.dseq) == (message.bytes, child.epoch, 2)


@pytest.mark.parametrize(("kept", "again"), [(True, 0), (False, 1)])
def test_a_unit_that_went_back_gets_again_what_its_history_lacks(
    centre: Centre, unit: Unit, *, kept: bool, again: int
) -> None:
    everything(centre, unit)
    put(centre, 1)
    seal(centre)
    received(unit, at_broker(centre)[1])
    everything(centre, unit)
    assert seal(centre) == 0
    child = child_of(unit, len(unit.journal[V]) - (0 if kept else 1))
    everything(centre, child)
    assert seal(centre) == again


def test_what_was_journalled_again_is_not_sent_again(centre: Centre, unit: Unit) -> None:
    everything(centre, unit)
    put(centre, 1)
    seal(centre)
    received(unit, at_broker(centre)[1])
    everything(centre, unit)
    at = len(unit.journal[V])
    said: Any = cbor2.loads(unit.journal[V][-1].payload or b"")
    child = child_of(unit, at - 1)
    child.wall_ms = said[Field.WALL_MS] - 1000
    child.append(V, Kind.RECEIVED, said | {Field.ORIGIN: [unit.epoch, int(V), at]})
    everything(centre, child)
    assert centre.value("SELECT count(*) FROM down_news") == 1
    assert seal(centre) == 0


def test_every_number_serves_once(centre: Centre, unit: Unit) -> None:
    everything(centre, unit)
    for _ in range(3):
        put(centre, 1)
        seal(centre)
    everything(centre, child_of(unit, len(unit.journal[V])))
    seal(centre)
    assert sorted(at_broker(centre)) == [1, 2, 3, 4, 5, 6]


def test_a_key_that_does_not_lie_here_delays_and_nothing_else(centre: Centre, unit: Unit) -> None:
    everything(centre, unit)
    place = centre.home.key_file(Use.COMMAND)
    private = place.read_bytes()
    place.unlink()
    put(centre, 1)
    assert seal(centre) == 0
    place.write_bytes(private)
    assert seal(centre) == 1


def test_what_an_erased_patient_was_told_goes_with_them(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    ask(unit, patient)
    everything(centre, unit)
    reply(centre, "Zzyzxsecret")
    lying = at_broker(centre)
    assert lying[1]
    erasing.order(
        centre.home, uuid.UUID(bytes=patient), "asked", by=("hakim", "leila"),
        key_files=centre.home.records_keys, clock=centre.clock,
    )  # fmt: skip
    assert requests.requests(centre.home) == []
    assert requests.messages(centre.home) == []
    assert at_broker(centre) == {1: b""}
    found = b"".join(file.read_bytes() for file in centre.home.directory.glob("central.db*"))
    assert b"Zzyzx" not in found


def test_words_and_names_are_checked_before_anything_is_said(centre: Centre, unit: Unit) -> None:
    ask(unit, unit.visit())
    everything(centre, unit)
    for text, sender in (
        ("", "Dr"),
        (" \n", "Dr"),
        ("x" * 32_001, "Dr"),
        ("Repos.", ""),
        ("Repos.", "x" * 121),
    ):
        with pytest.raises(requests.RequestRefused):
            requests.say_about(
                centre.home, REQUEST, RequestEvent.REPLY, sender=sender, text=text, clock=centre.clock
            )
    with pytest.raises(requests.RequestRefused):
        requests.say_about(
            centre.home, uuid.uuid4(), RequestEvent.REPLY, sender="Dr", text="?", clock=centre.clock
        )
    for name, patient in (("van-99", None), ("van-07", uuid.uuid4())):
        with pytest.raises(QafilaError):
            requests.say_to(centre.home, name, sender="Dr", text="?", patient=patient, clock=centre.clock)
    assert requests.messages(centre.home) == []


def told(centre: Centre, *patients: bytes) -> expecting.Expected:
    return expecting.expect(
        centre.home, "van-07", [uuid.UUID(bytes=each) for each in patients],
        no_more=[], days=14, note="tension", clock=centre.clock,
    )  # fmt: skip


def test_a_unit_is_told_whom_to_expect(centre: Centre, unit: Unit) -> None:
    patient = unit.visit("Benali")
    everything(centre, unit)
    done = told(centre, patient)
    read = BoxDownReader("van-07", unit.keyset).read(at_broker(centre)[1], unit.recv_private, None)
    assert (read.use, read.kind, read.message) == ("command", "expect", done.message.bytes)
    body: Any = read.body
    until, [person], gone = body[:3]
    assert (until, gone) == (centre.clock.wall_ms + 14 * 86_400_000, [])
    assert person[:7] == [patient, "Benali", "Amina", "", "", "female", "1980-02-03"]
    for patients in ((), (uuid.uuid4().bytes,)):
        with pytest.raises(requests.RequestRefused):
            told(centre, *patients)


def test_who_is_erased_is_left_out_of_the_list_and_the_unit_is_ordered(centre: Centre, unit: Unit) -> None:
    other = centre.unit("van-08")
    stays, gone = other.visit("Naciri"), other.visit("Zzyzxgone")
    everything(centre, unit)
    centre.take(other.key_message(), *(other.batch(s, 1, len(other.journal[s])) for s in Stream))
    told(centre, stays, gone)
    assert 1 in at_broker(centre)
    ordered = erasing.order(
        centre.home, uuid.UUID(bytes=gone), "asked", by=("hakim", "leila"),
        key_files=centre.home.records_keys, clock=centre.clock,
    )  # fmt: skip
    assert set(ordered.units) == {"van-07", "van-08"}
    found = b"".join(file.read_bytes() for file in centre.home.directory.glob("central.db*"))
    assert b"Zzyzx" not in found
    assert seal(centre) == 1
    lying = at_broker(centre)
    assert lying[1] == b""
    read = BoxDownReader("van-07", unit.keyset).read(lying[2], unit.recv_private, None)
    body: Any = read.body
    assert [person[1] for person in body[1]] == ["Naciri"]


def test_the_answer_goes_to_the_box_that_took_the_place_of_the_one_that_asked(
    centre: Centre, unit: Unit
) -> None:
    ask(unit, unit.visit())
    everything(centre, unit)
    centre.unit("van-19")
    with database.write(centre.connection, ["van-19"]):
        centre.connection.execute(
            "INSERT INTO grants VALUES ('van-19', 'van-07', 'ab', 'unit-lost', 'hakim', 1)"
        )
    assert reply(centre).unit == "van-19"


def test_two_processes_seal_one_message_once(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything(centre, unit)
    put(centre, 1)
    genuine, other, between = database.write, database.connect(centre.home.database), [True]

    def write(*words: Any) -> Any:  # noqa: ANN401  as it came
        if between:
            between.clear()
            assert outbox.seal_due(other, *centre.home.read_down_keys(), centre.clock.wall_ms) == 1
        return genuine(*words)

    monkeypatch.setattr(database, "write", write)
    assert seal(centre) == 0
    assert list(at_broker(centre)) == [1]
    other.close()


def test_a_configuration_goes_from_sent_to_applied_or_says_why_it_was_left(
    centre: Centre, unit: Unit
) -> None:
    unit.visit()
    everything(centre, unit)
    tables = {"limits": "rule = …", "bmi": "…"}
    first = configuring.configure(centre.home, "van-07", "[seal]", tables, by="Azilal", clock=centre.clock)
    second = configuring.configure(centre.home, "van-07", "[link]", {}, by="", clock=centre.clock)
    assert second.number == first.number + 1, "the number rises within one second too"
    assert (first.sealed, first.tables) == (True, ("bmi", "limits"))
    raws = list(at_broker(centre).values())
    read = BoxDownReader(unit.name, unit.keyset).read(raws[0], unit.recv_private, None)
    assert (read.use, read.kind) == ("config", "configure")
    assert read.body == (first.number, "[seal]", [["bmi", "…"], ["limits", "rule = …"]])
    states: list[tuple[str, str | None]] = []

    def look() -> None:
        everything(centre, unit)
        said = {each.message: (each.state, each.outcome) for each in requests.messages(centre.home, "van-07")}
        states.extend(said[each.message.hex] for each in (first, second))

    messages = [received(unit, raw) for raw in raws]
    look()
    for message in messages:
        unit.append(V, Kind.CONFIGURED, {Field.MESSAGE: message, Field.OUTCOME: "on-trial"})
    look()
    for message, outcome in zip(messages, ("no-receipt", "applied"), strict=True):
        unit.append(V, Kind.CONFIGURED, {Field.MESSAGE: message, Field.OUTCOME: outcome})
    look()
    assert states == [
        *(("on-unit", None), ("on-unit", None)),
        *(("on-trial", None), ("on-trial", None)),
        *(("rolled-back", "no-receipt"), ("applied", None)),
    ]


def test_a_configuration_is_not_sent_to_nobody_nor_beyond_a_message(centre: Centre, unit: Unit) -> None:
    everything(centre, unit)
    for name, text, tables, code in (
        ("van-99", "[seal]", {}, "unit-unknown"),
        ("van-07", "x" * 32_001, {}, "too-long"),
        ("van-07", "", {f"t{n}": "x" * 60_000 for n in range(4)}, "too-long"),
    ):
        with pytest.raises(QafilaError) as error:
            configuring.configure(centre.home, name, text, tables, by="", clock=centre.clock)
        assert error.value.stable_code == code
    centre.home.key_file(Use.CONFIG).unlink()
    with pytest.raises(QafilaError) as error:
        configuring.configure(centre.home, "van-07", "[seal]", {}, by="", clock=centre.clock)
    assert (error.value.stable_code, "keys add config" in error.value.next_step) == (
        "centre-key-missing",
        True,
    )
    assert requests.messages(centre.home) == []
