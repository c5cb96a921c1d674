"""Photos and documents in the store: whole or not at all, checked when read, gone when they have to be."""

import hashlib
from collections.abc import Callable

import pytest

from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import Damage, Store, StoreDamaged, StoreError, StoreRefused
from edge.store.transaction import Transaction
from tests.edge.store.conftest import MOMENT, Visit
from tests.edge.store.test_store_removing import NOW, erase, opened, order, say, visits

ATTACHMENT, REQUEST = b"a" * 16, b"r" * 16
PIECES = (b"first piece" * 90, b"second" * 90, b"end")


def ask(tx: Transaction, patient: bytes, urgency: str = "routine", request: bytes = REQUEST) -> None:
    """A specialist is asked."""
    said: Payload = {
        Field.EXPERTISE: request, Field.SPECIALTY: "dermatology", Field.URGENCY: urgency, Field.QUESTION: "?",
        Field.ACT: "tele-expertise", Field.BASIS: "consent",
    }  # fmt: skip
    tx.append(Stream.VITALS if urgency == "routine" else Stream.ALERT, Kind.REQUESTED, said, patient=patient)


def attach(
    tx: Transaction,
    patient: bytes,
    pieces: tuple[bytes, ...] = PIECES,
    *,
    attachment: bytes = ATTACHMENT,
    request: bytes = REQUEST,
) -> None:
    """A photo in pieces."""
    whole = b"".join(pieces)
    said: Payload = {
        Field.ATTACHMENT: attachment, Field.EXPERTISE: request, Field.MEDIA_TYPE: "image/jpeg",
        Field.WHOLE: hashlib.sha256(whole).digest(), Field.SIZE: len(whole), Field.COUNT: len(pieces),
    }  # fmt: skip
    tx.append(Stream.VITALS, Kind.ATTACHMENT, said, patient=patient)
    for number, piece in enumerate(pieces, 1):
        entry = tx.append(Stream.DOC, Kind.ATTACHMENT_PART, part(number, piece, attachment), patient=patient)
        tx.keep_part(entry, piece)


def part(number: int, piece: bytes, attachment: bytes = ATTACHMENT) -> Payload:
    return {
        Field.ATTACHMENT: attachment, Field.CHUNK: number,
        Field.HASH: hashlib.sha256(piece).digest(), Field.SIZE: len(piece),
    }  # fmt: skip


@pytest.fixture
def one(store: Store, visit: Callable[[], Visit]) -> Visit:
    """A patient with a request and a photo."""
    made = visits(store, visit, 1)
    with store.write() as tx:
        ask(tx, made.patient)
        attach(tx, made.patient)
    return made


def whole(store: Store) -> bytes:
    [found] = store.attachments_to(REQUEST)
    return b"".join(store.attachment_part(found.attachment, number + 1) for number in range(found.parts))


def test_what_was_attached_is_read_back_whole(store: Store, one: Visit) -> None:
    [found] = store.attachments_of(one.patient)
    assert found == store.attachment(ATTACHMENT)
    assert (found.media, found.size, found.parts, found.caption) == (
        "image/jpeg",
        len(b"".join(PIECES)),
        3,
        "",
    )
    assert hashlib.sha256(whole(store)).digest() == found.hash
    assert store.part_places(ATTACHMENT) == [(2, True), (3, True), (4, True)]
    beside = store.beside(store.entries(Stream.DOC, 1, 4))
    assert beside == {2: PIECES[0], 3: PIECES[1], 4: PIECES[2]}
    assert store.verify().valid


def test_half_an_attachment_is_never_saved(store: Store, one: Visit) -> None:
    before = store.tips()
    for wrong in (
        lambda tx: tx.append(Stream.DOC, Kind.ATTACHMENT_PART, part(4, b"x"), patient=one.patient),
        lambda tx: tx.append(Stream.DOC, Kind.ATTACHMENT_PART, part(1, b"x", b"n" * 16), patient=one.patient),
        lambda tx: attach(tx, one.patient, (PIECES[1], PIECES[0], b""), attachment=b"b" * 16),
    ):
        with pytest.raises(StoreError), store.write() as tx:
            wrong(tx)
        assert store.tips() == before
    with pytest.raises(StoreRefused) as refused, store.write() as tx:
        tx.keep_part(store.entries(Stream.DOC, 2, 2)[0], PIECES[0])  # it has its bytes
    assert refused.value.stable_code == "attachment-out-of-order"
    store._connection.execute("UPDATE attachment_parts SET data = NULL WHERE number = 1")
    with pytest.raises(StoreRefused) as refused, store.write() as tx:
        tx.keep_part(store.entries(Stream.DOC, 2, 2)[0], PIECES[0][:-1] + b"x")  # other bytes
    assert refused.value.stable_code == "attachment-out-of-order"
    assert store.tips() == before


@pytest.mark.usefixtures("one")
def test_a_part_that_was_changed_or_taken_away_is_found_and_not_shown(store: Store) -> None:
    assert store.verify().valid
    for data in (b"other", None):
        store._connection.execute("UPDATE attachment_parts SET data = ? WHERE number = 2", (data,))
        result = store.verify()
        assert (result.first_bad, result.damage) == ((Stream.DOC, 3), Damage.SAMPLES)
    store._connection.execute("UPDATE attachment_parts SET data = x'00' WHERE number = 2")
    with pytest.raises(StoreDamaged) as damaged:
        whole(store)
    assert damaged.value.stable_code == "attachment-changed"
    assert store.beside(store.entries(Stream.DOC, 3, 3)) == {3: None}


@pytest.mark.usefixtures("one")
def test_bytes_go_after_they_were_opened_and_what_they_were_of_stays(store: Store) -> None:
    with store.write() as tx:
        assert tx.purge_parts(NOW) == [], "nothing is opened"
    opened(store)
    with store.write() as tx:
        assert tx.purge_parts(NOW - 1) == []
        spans = tx.purge_parts(NOW)
        say(tx, Kind.PURGED, spans, Field.SAMPLES_GONE)
    assert spans == [(store.epoch, Stream.DOC, 2, 4)]
    assert store.verify().valid
    assert [here for _, here in store.part_places(ATTACHMENT)] == [False] * 3
    with pytest.raises(StoreRefused) as refused:
        whole(store)
    assert refused.value.stable_code == "attachment-at-centre"


def test_who_is_erased_leaves_no_photo_and_waits_until_it_is_at_the_centre(
    store: Store, one: Visit, visit: Callable[[], Visit]
) -> None:
    other = visits(store, visit, 1)
    with store.write() as tx:
        ask(tx, other.patient, request=b"s" * 16)
        attach(tx, other.patient, attachment=b"b" * 16, request=b"s" * 16)
    order(store, one.patient)
    with store.write() as tx:
        for stream, mark in store.watermarks().items():
            if stream is not Stream.DOC:
                tx.move_watermark("opened", stream, mark.tip)
    with store.write() as tx:
        assert not tx.may_erase(one.patient)
    opened(store)
    erase(store, one.patient)
    assert store.attachments_to(REQUEST) == []
    assert store._rows("SELECT DISTINCT attachment FROM attachment_parts") == [(b"b" * 16,)]
    assert store.attachment_part(b"b" * 16, 3) == PIECES[2]
    assert store.verify().valid


def test_what_an_urgent_request_waits_for_is_known(store: Store, one: Visit) -> None:
    assert store.ahead_through() == 0
    with store.write() as tx:
        ask(tx, one.patient, "stat", b"u" * 16)
        attach(tx, one.patient, attachment=b"b" * 16, request=b"u" * 16)
        ask(tx, one.patient, request=b"v" * 16)
        attach(tx, one.patient, attachment=b"c" * 16, request=b"v" * 16)
    assert store.ahead_through() == 7


def test_a_photo_that_was_not_received_goes_along_into_another_epoch(store: Store, one: Visit) -> None:
    store.begin_epoch("beyond-tip", MOMENT)
    with store.write() as tx:
        for row in store.still_to_journal_again(10_000):
            tx.append_again(row)
            tx.done_again(row)
    assert store.part_places(ATTACHMENT) == [(2, True), (3, True), (4, True)]
    assert store.beside(store.entries(Stream.DOC, 1, 4)) == {2: PIECES[0], 3: PIECES[1], 4: PIECES[2]}
    [found] = store.attachments_of(one.patient)
    assert not found.earlier
    assert store.verify().valid
