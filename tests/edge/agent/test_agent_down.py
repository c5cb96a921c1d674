"""What comes down is applied once, said to the centre, and kept whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.agent import advice
from edge.agent.commit import OpenStore
from edge.agent.down import Arrival, Downs, NotYet, Taken
from edge.agent.sealing import Sealing
from edge.cbor import Value
from edge.clock import ClockQuality, Moment
from edge.records.expertise import Act, Basis, RequestState, Urgency
from edge.records.fields import Field, Kind, Payload, Stream
from edge.spool import Outbox
from edge.store.errors import StoreDamaged, StoreFull
from edge.store.store import Store
from sync.boxend.down import BoxDownReader
from sync.wire.keyset import Use
from tests.edge.agent.agent_world import KEY, UNIT, Centre

MOMENT = Moment(1_800_000_000_000, b"bootboot", 1000, ClockQuality.NONE)
PATIENT, REQUEST = uuid.uuid4().bytes, uuid.uuid4().bytes


class Box:
    """A store with one request, and what comes down to it."""

    def __init__(self, home: Path) -> None:
        (home / "out").mkdir()
        self.centre = Centre()
        self.store = Store.create(home / "qafila.db", KEY, unit=UNIT, realm="training", moment=MOMENT)
        sealing = Sealing(self.store, Outbox(home / "out"), batch=200, session_s=60, audit_s=60)
        self.opened = OpenStore(self.store, sealing, KEY)
        self.downs = Downs()
        advice.register(self.downs)
        self.refused: list[str] = []
        with self.store.write() as tx:
            tx.append(Stream.VITALS, Kind.PATIENT, {Field.REVISION: 1, Field.FAMILY: "B"}, patient=PATIENT)
            asked: Payload = {
                Field.EXPERTISE: REQUEST, Field.SPECIALTY: "cardiology", Field.URGENCY: Urgency.URGENT.value,
                Field.ACT: Act.TELE_EXPERTISE.value, Field.BASIS: Basis.CONSENT.value, Field.QUESTION: "?",
            }  # fmt: skip
            tx.append(Stream.VITALS, Kind.REQUESTED, asked, patient=PATIENT)

    def says(self, kind: str, *body: Value, use: Use = Use.ADVICE, **options: Any) -> bytes:  # noqa: ANN401  passed on
        return self.centre.says(self.store, use, kind, list(body), **options)

    def take(self, raw: bytes) -> bool:
        reader = BoxDownReader(UNIT, self.centre.keyset)
        return self.downs.take(self.opened, raw, reader, MOMENT, self.refused.append).done

    @property
    def received(self) -> list[tuple[str, str]]:
        rows = self.store._rows("SELECT kind, outcome FROM inbox ORDER BY entry")
        return [(kind, outcome) for kind, outcome in rows]

    @property
    def state(self) -> RequestState:
        found = self.store.expertise(REQUEST)
        assert found is not None
        return found.state


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path)
    yield made
    made.store.close()


def test_a_reply_is_kept_whole_and_answers_its_request(box: Box) -> None:
    message = os.urandom(16)
    assert box.take(box.says("reply", REQUEST, "Dr Leila", "Aspirine 250 mg.", message=message))
    (found,) = box.store.messages_about(REQUEST)
    assert (found.message, found.kind, found.patient, found.read_ms) == (message, "reply", PATIENT, None)
    assert found.content is not None
    assert b"Aspirine 250 mg." in found.content
    assert box.state is RequestState.ANSWERED
    assert box.store.unread(advice.SHOWN) == 1
    assert box.store.verify().valid


def test_what_comes_again_is_applied_once(box: Box) -> None:
    """The same bytes, the same message sealed anew, and the same under another number."""
    message = os.urandom(16)
    raw = box.says("reply", REQUEST, "Dr Leila", "Repos.", message=message)
    for again in (
        raw,
        raw,
        *(box.says("reply", REQUEST, "Dr Leila", "Repos.", message=message, dseq=n) for n in (1, 2)),
    ):
        assert box.take(again)
    assert box.received == [("reply", "applied")]
    assert box.refused == ["down-repeated"] * 3


def test_what_is_for_another_epoch_is_void(box: Box) -> None:
    assert box.take(box.says("reply", REQUEST, "Dr Leila", "Repos.", epoch=os.urandom(8)))
    assert (box.received, box.refused, box.state) == ([], ["down-epoch"], RequestState.ASKED)


def test_after_an_epoch_nothing_of_the_one_before_is_applied_again(box: Box) -> None:
    raw = box.says("reply", REQUEST, "Dr Leila", "Repos.", message=bytes(16))
    late = box.says("message", None, "Centre", "Rentrez.")
    box.take(raw)
    box.store.begin_epoch("head-mismatch", MOMENT)
    assert [box.take(each) for each in (raw, late)] == [True, True]
    assert box.refused == ["down-repeated", "down-epoch"]
    assert box.take(box.says("reply", REQUEST, "Dr Leila", "Repos.", message=bytes(16)))
    assert box.received == [("reply", "applied")]
    assert box.store.verify().valid


@pytest.mark.parametrize(
    ("kind", "body", "use", "code"),
    [
        ("dance", [1], Use.ADVICE, "kind"),
        ("reply", [REQUEST, "Dr Leila", "Repos."], Use.CONFIG, "use"),
        ("reply", [REQUEST, "Dr Leila"], Use.ADVICE, "form"),
        ("reply", [REQUEST, "", "Repos."], Use.ADVICE, "form"),
        ("reply", [REQUEST, "Dr Leila", "x" * 32_001], Use.ADVICE, "form"),
        ("reply", ["no id", "Dr Leila", "Repos."], Use.ADVICE, "form"),
        ("reply", [bytes(16), "Dr Leila", "Repos.", "no id"], Use.ADVICE, "form"),
        ("message", [bytes(16), "Centre", "Rentrez."], Use.ADVICE, "patient-unknown"),
    ],
)
def test_what_cannot_be_applied_is_said_to_the_centre(
    box: Box, kind: str, body: list[Value], use: Use, code: str
) -> None:
    raw = box.says(kind, *body, use=use)
    assert [box.take(raw), box.take(raw)] == [True, True]
    assert box.received == [(kind, code)]
    assert box.refused == [f"down-unfit-{code}", "down-repeated"]
    assert box.store.messages(advice.SHOWN) == []
    assert box.state is RequestState.ASKED


def test_an_answer_outlives_the_question_that_a_store_lost(box: Box) -> None:
    """A specialist's words are read by somebody, though the store went back to before the question."""
    lost, stranger = uuid.uuid4().bytes, uuid.uuid4().bytes
    for patient in (
        [PATIENT],
        [stranger],
        [],
    ):  # here, lost as well, not said
        assert box.take(box.says("reply", lost, "Dr Leila", "Aspirine 250 mg.", *patient))
    assert (box.refused, box.received) == ([], [("reply", "applied")] * 3)
    found = box.store.messages(advice.SHOWN)
    assert [each.patient for each in found] == [None, stranger, PATIENT]
    shown = [advice.shown(each, box.store) for each in found]
    assert [(each["lost"], each["patient"]) for each in shown] == [
        (True, None),
        (True, None),  # nobody is named who is not here
        (True, str(uuid.UUID(bytes=PATIENT))),
    ]
    assert advice.words_of(found[0]) == "Aspirine 250 mg."
    box.take(box.says("accept", REQUEST, "Dr Leila", "Repos.", PATIENT))
    assert advice.shown(box.store.messages(advice.SHOWN)[0], box.store)["lost"] is False
    assert box.state is RequestState.ACCEPTED, "an answer moves its own question and no other"
    assert box.store.verify().valid
    with box.store.write() as tx:
        assert tx.erase(bytes(16), stranger, 1).people == (stranger,)
    assert stranger not in [each.patient for each in box.store.messages(advice.SHOWN)]


def test_a_handler_that_writes_and_then_refuses_leaves_nothing(box: Box) -> None:
    def handle(arrival: Arrival) -> Taken:
        arrival.tx.expect(bytes(16), "{}", "x", 2**40)
        return advice._message(arrival)

    box.downs.on("half", "advice", handle)
    box.take(box.says("half", bytes(16), "Centre", "Rentrez."))
    assert box.received == [("half", "patient-unknown")]
    assert box.store.expected(0) == []


def test_what_cannot_be_applied_yet_stays_where_it_is(box: Box) -> None:
    ready: list[bool] = []

    def handle(_: Arrival) -> Taken:
        if not ready:
            raise NotYet
        return Taken()

    box.downs.on("later", "command", handle)
    raw = box.says("later", use=Use.COMMAND)
    assert not box.take(raw)
    ready.append(True)
    assert box.take(raw)
    assert box.received == [("later", "applied")]


def test_a_full_disk_applies_nothing_and_takes_nothing_away(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = box.says("reply", REQUEST, "Dr Leila", "Repos.")
    with monkeypatch.context() as patched:
        patched.setattr(
            OpenStore, "_commit", lambda *_: (_ for _ in ()).throw(StoreFull("The disk is full."))
        )
        with pytest.raises(StoreFull):
            box.take(raw)
    assert box.received == []
    assert box.take(raw)
    assert box.received == [("reply", "applied")]


def test_a_reply_that_was_changed_on_the_card_is_not_shown(box: Box) -> None:
    box.take(box.says("reply", REQUEST, "Dr Leila", "Repos.", message=bytes(16)))
    box.store._run("UPDATE inbox SET content = ?", b"other")
    with pytest.raises(StoreDamaged):
        box.store.message(bytes(16))


def test_it_is_journalled_again_after_a_fork_and_still_the_same_message(box: Box) -> None:
    box.take(box.says("reply", REQUEST, "Dr Leila", "Repos.", message=bytes(16)))
    box.store.begin_epoch("head-mismatch", MOMENT)
    with box.store.write() as tx:
        for row in box.store.still_to_journal_again(100):
            tx.append_again(row)
            tx.done_again(row)
    assert box.store.verify().valid
    (found,) = box.store.messages_about(REQUEST)
    assert found.content is not None
    moved = "SELECT DISTINCT epoch FROM journal WHERE id IN (SELECT entry FROM inbox)"
    assert box.store._rows(moved) == [(2,)]
    asked = box.store.expertise(REQUEST)
    assert asked is not None
    assert (asked.state, asked.earlier) == (RequestState.ANSWERED, False)


def test_erasing_a_patient_takes_what_was_asked_and_said(box: Box) -> None:
    box.take(box.says("reply", REQUEST, "Dr Leila", "Zzyzx repos."))
    box.take(box.says("message", PATIENT, "Centre", "Zzyzx rappeler."))
    box.take(box.says("message", None, "Centre", "Rentrez."))
    with box.store.write() as tx:
        tx.order_erasure(bytes(16), PATIENT, reason="asked", authority="[]", ordered_ms=1)
        tx.erase(bytes(16), PATIENT, 2)
    assert box.store.expertise(REQUEST) is None
    assert [each.patient for each in box.store.messages(advice.SHOWN)] == [None]
