"""Identities and field numbers."""

import hashlib
import uuid

import pytest

from edge.records.fields import Field, Kind, Source, Stream
from edge.records.identity import EntryId, device_record, request_digest


def test_an_identity_says_itself_in_json() -> None:
    identity = EntryId("van-07", bytes(range(8)), Stream.VITALS, 12)
    assert identity.as_json() == ["van-07", "0001020304050607", "vitals", 12]


def test_identities_stand_in_the_order_of_their_streams() -> None:
    epoch = bytes(8)
    assert EntryId("a", epoch, Stream.ALERT, 9) < EntryId("a", epoch, Stream.VITALS, 1)
    assert EntryId("a", epoch, Stream.VITALS, 1) < EntryId("a", epoch, Stream.VITALS, 2)


def test_a_request_is_known_by_eight_bytes_whatever_its_spelling() -> None:
    id_ = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    digest = request_digest(str(id_))
    assert digest == hashlib.sha256(b"request" + id_.bytes).digest()[:8]
    assert request_digest(str(id_).upper()) == digest
    with pytest.raises(ValueError, match="UUID"):
        request_digest("not one")


def test_a_device_record_depends_on_its_device() -> None:
    assert device_record("a", b"1") != device_record("b", b"1") != device_record("b", b"2")
    assert len(device_record("a", b"")) == 8


def test_numbers_that_travel_never_change() -> None:
    assert {stream.word: int(stream) for stream in Stream} == {
        "alert": 0, "vitals": 1, "doc": 2, "wave": 3, "audit": 4,
    }  # fmt: skip
    assert [int(kind) for kind in Kind] == list(range(1, len(Kind) + 1))
    assert Kind(10) is Kind.DEVICE
    assert [int(source) for source in Source] == [0, 1, 2, 3, 4]
    assert len({int(field) for field in Field}) == len(Field)
