"""Photos and documents come in parts, are counted, given out whole or not at all, gone with their patient."""

import hashlib
import uuid
from pathlib import Path

import pytest

from edge.records.fields import Field, Kind, Payload, Stream
from sync.central import attachments, erasing, requests
from sync.central.attachments import AttachmentMissing
from tests.sync.central_world import Centre, Unit, make_centre

PIECES = (b"first piece " * 700, b"second " * 900, b"third " * 400)
WHOLE = b"".join(PIECES)
DOC = Stream.DOC


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    return centre.unit()


def asked(unit: Unit, patient: bytes, stream: Stream = Stream.VITALS) -> bytes:
    request = uuid.uuid4().bytes
    said: Payload = {
        Field.EXPERTISE: request, Field.SPECIALTY: "dermatology", Field.QUESTION: "Plaie ?",
        Field.URGENCY: "routine" if stream is Stream.VITALS else "stat",
    }  # fmt: skip
    unit.append(stream, Kind.REQUESTED, said, patient)
    return request


def attached(
    unit: Unit,
    patient: bytes,
    request: bytes,
    pieces: tuple[bytes, ...] = PIECES,
    *,
    whole: bytes = WHOLE,
    stream: Stream = Stream.VITALS,
) -> bytes:
    """A photo in parts, as a unit writes it."""
    attachment = uuid.uuid4().bytes
    said: Payload = {
        Field.ATTACHMENT: attachment, Field.EXPERTISE: request, Field.MEDIA_TYPE: "image/jpeg",
        Field.WHOLE: hashlib.sha256(whole).digest(), Field.SIZE: len(whole), Field.COUNT: len(pieces),
        Field.CAPTION: "Plaie, jambe gauche",
    }  # fmt: skip
    unit.append(stream, Kind.ATTACHMENT, said, patient)
    for number, piece in enumerate(pieces, 1):
        part: Payload = {
            Field.ATTACHMENT: attachment, Field.CHUNK: number,
            Field.HASH: hashlib.sha256(piece).digest(), Field.SIZE: len(piece),
        }  # fmt: skip
        entry = unit.append(DOC, Kind.ATTACHMENT_PART, part, patient)
        unit.beside[DOC, entry.seq] = piece
    return attachment


def all_of(unit: Unit, stream: Stream) -> object:
    return unit.batch(stream, 1, len(unit.journal[stream]))


def take(centre: Centre, *messages: object) -> None:
    centre.take(*messages)  # type: ignore[arg-type]  # messages are what Unit gives


def refusal(centre: Centre, attachment: bytes | str) -> str:
    id_ = attachment if isinstance(attachment, str) else str(uuid.UUID(bytes=attachment))
    with pytest.raises(AttachmentMissing) as refused:
        attachments.export(centre.home, id_)
    return refused.value.stable_code


def shown(centre: Centre, request: bytes) -> list[tuple[int, int, bool]]:
    found = requests.request(centre.home, uuid.UUID(bytes=request)).attachments
    return [(each.received, each.parts, each.complete) for each in found]


def test_a_photo_is_announced_counted_and_given_out_whole(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    request = asked(unit, patient)
    attachment = attached(unit, patient, request)
    take(centre, unit.key_message(), all_of(unit, Stream.VITALS))
    assert shown(centre, request) == [(0, 3, False)], "the request says what is to come"
    assert refusal(centre, attachment) == "attachment-incomplete"
    take(centre, unit.batch(DOC, 1, 3))
    assert shown(centre, request) == [(2, 3, False)]
    centre.restart()
    take(centre, unit.batch(DOC, 4, 4))
    assert shown(centre, request) == [(3, 3, True)]
    found, content = attachments.export(centre.home, str(uuid.UUID(bytes=attachment)))
    assert content == WHOLE
    assert (found.media, found.caption, found.size, found.unit) == (
        "image/jpeg", "Plaie, jambe gauche", len(WHOLE), "van-07",
    )  # fmt: skip
    assert centre.last("opened").streams[DOC].through == 4


def test_with_an_urgent_request_it_needs_nothing_of_the_other_streams(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    request = asked(unit, patient, Stream.ALERT)
    attachment = attached(unit, patient, request, stream=Stream.ALERT)
    take(centre, unit.key_message(), all_of(unit, Stream.ALERT), all_of(unit, DOC))
    assert attachments.export(centre.home, attachment.hex())[1] == WHOLE


def test_parts_come_in_any_order_again_and_again_and_are_counted_once(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    request = asked(unit, patient)
    attachment = attached(unit, patient, request, (PIECES[0], PIECES[0]), whole=PIECES[0] * 2)
    messages = [unit.batch(DOC, 3, 3), unit.batch(DOC, 2, 3), all_of(unit, DOC), unit.batch(DOC, 1, 2)]
    take(centre, *messages, unit.key_message(), *messages, all_of(unit, Stream.VITALS))
    assert shown(centre, request) == [(2, 2, True)]
    assert attachments.export(centre.home, attachment.hex())[1] == PIECES[0] * 2


def test_what_is_not_the_file_that_was_attached_is_not_given_out(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    request = asked(unit, patient)
    lied = attached(unit, patient, request, whole=bytes(len(WHOLE)))
    rotten = attached(unit, patient, request)
    take(centre, unit.key_message(), all_of(unit, Stream.VITALS), all_of(unit, DOC))
    assert refusal(centre, lied) == "attachment-damaged"
    assert attachments.export(centre.home, rotten.hex())[1] == WHOLE
    centre.connection.execute("UPDATE blobs SET data = x'00' WHERE size = ?", (len(PIECES[1]),))
    assert refusal(centre, rotten) == "attachment-damaged"
    assert refusal(centre, uuid.uuid4().bytes) == "attachment-unknown"
    assert refusal(centre, "../../etc/passwd") == "attachment-unknown"


def test_a_part_is_not_received_without_its_bytes(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    request = asked(unit, patient)
    attached(unit, patient, request)
    unit.beside[DOC, 3] = b"other bytes"
    take(centre, unit.key_message(), all_of(unit, Stream.VITALS), all_of(unit, DOC))
    assert shown(centre, request) == [(0, 3, False)]
    assert [(nack.stream, nack.reason) for nack in centre.last("opened").nacks] == [(DOC, "decode")]


def test_a_unit_that_says_nonsense_of_a_file_is_kept_and_alarmed(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    nonsense: tuple[Payload, ...] = (
        {Field.ATTACHMENT: b"short"},
        {Field.ATTACHMENT: uuid.uuid4().bytes, Field.EXPERTISE: uuid.uuid4().bytes, Field.WHOLE: b"short"},
    )
    for wrong in nonsense:
        unit.append(Stream.VITALS, Kind.ATTACHMENT, wrong, patient)
    take(centre, unit.key_message(), all_of(unit, Stream.VITALS))
    assert centre.value("SELECT count(*) FROM attachments") == 0
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'row-unreadable'") == 2


def test_who_is_erased_leaves_no_photo_and_nobody_else_loses_one(centre: Centre, unit: Unit) -> None:
    one, other = unit.visit("Alaoui"), unit.visit("Tazi")
    gone = attached(unit, one, asked(unit, one))
    stays = attached(unit, other, asked(unit, other))
    late = attached(unit, one, asked(unit, one), (b"late",), whole=b"late")
    take(centre, unit.key_message(), all_of(unit, Stream.VITALS), unit.batch(DOC, 1, 7))
    erasing.order(
        centre.home,
        uuid.UUID(bytes=one),
        "asked in writing",
        by=("hakim", "leila"),
        key_files=(centre.home.records_keys[0], centre.home.records_keys[1]),
        clock=centre.clock,
    )
    take(centre, unit.batch(DOC, 8, 8))
    assert refusal(centre, gone) == refusal(centre, late) == "attachment-unknown"
    assert attachments.export(centre.home, stays.hex())[1] == WHOLE
    assert centre.rows("SELECT DISTINCT patient FROM blobs") == [(other.hex(),)]
    assert centre.rows("SELECT DISTINCT patient FROM attachment_parts") == [(other.hex(),)]
