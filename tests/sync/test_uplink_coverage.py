import dataclasses

import pytest

from edge.ports.sealing import Nack, Receipt, StreamReceipt
from edge.records.fields import Stream
from sync.uplink.coverage import MAX_EPOCHS, Contents, Coverage
from sync.wire.receipts import MAX_MISSING

EPOCH = b"epoch--1"
HEAD = b"h" * 16


def receipt(
    through: int = 0,
    top: int | None = None,
    missing: tuple[tuple[int, int], ...] = (),
    **more: object,
) -> Receipt:
    stated = StreamReceipt(through, HEAD, through if top is None else top, missing)
    made = Receipt("landed", "van-07", EPOCH, 1, 1, {Stream.VITALS: stated}, (), (), (), 0, 0, 0)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]  # a test names the fields it means


def batch(first: int, last: int, head: bytes = HEAD, stream: Stream = Stream.VITALS) -> Contents:
    return Contents(EPOCH, stream, first, last, head, b"")


def covered(by: Receipt, contents: Contents) -> bool:
    coverage = Coverage()
    coverage.learn(by)
    return coverage.covers(contents)


@pytest.mark.parametrize(
    ("by", "contents", "expected"),
    [
        (receipt(10), batch(1, 9, b"other" * 3 + b"x"), True),
        (receipt(10), batch(1, 10), True),
        (receipt(10), batch(1, 10, b"o" * 16), False),  # another head there: the centre has to hear of it
        (receipt(10), batch(1, 11), False),
        (receipt(10), batch(10, 11), False),
        (receipt(10, 30, ((11, 12), (20, 20))), batch(13, 19), True),
        (receipt(10, 30, ((11, 12), (20, 20))), batch(12, 13), False),
        (receipt(10, 30, ((11, 12), (20, 20))), batch(19, 21), False),
        (receipt(10, 30, ((11, 12), (20, 20))), batch(21, 30), True),
        (receipt(10, 30, ((11, 12), (20, 20))), batch(21, 31), False),
        (receipt(10), batch(1, 5, stream=Stream.ALERT), False),
        (receipt(10, epoch=b"epoch--2"), batch(1, 5), False),
        (receipt(10, level="opened"), batch(1, 5), False),
    ],
)
def test_what_a_receipt_covers(by: Receipt, contents: Contents, *, expected: bool) -> None:
    assert covered(by, contents) is expected


def test_a_full_list_of_gaps_says_nothing_beyond_its_last() -> None:
    gaps = tuple((at, at) for at in range(12, 12 + 2 * MAX_MISSING, 2))
    full = receipt(10, 100, gaps)
    assert covered(full, batch(13, 13))
    assert not covered(full, batch(60, 61))


def test_a_key_message_is_covered_when_its_session_has_landed() -> None:
    key = Contents(EPOCH, None, 0, 0, b"", b"session1")
    assert covered(receipt(sessions_landed=(b"session1",)), key)
    assert not covered(receipt(sessions_landed=(b"session2",)), key)


def test_only_newer_receipts_count_and_a_higher_generation_always_does() -> None:
    coverage = Coverage()
    assert coverage.learn(receipt(10, rseq=5))
    assert not coverage.learn(receipt(90, rseq=5))
    assert not coverage.learn(receipt(90, rseq=4))
    assert not coverage.covers(batch(11, 12))
    assert coverage.learn(receipt(5, generation=2))  # a restored centre, which has less
    assert not coverage.covers(batch(6, 7))
    assert not coverage.learn(receipt(90, rseq=99))


def test_epochs_are_bounded() -> None:
    coverage = Coverage()
    for number in range(2 * MAX_EPOCHS + 5):
        coverage.learn(receipt(10, epoch=number.to_bytes(8)))
    assert len(coverage._newest) == 2 * MAX_EPOCHS


def test_what_the_centre_could_not_open_goes_again_until_it_is_opened() -> None:
    coverage = Coverage()
    coverage.learn(receipt(20))
    nacked = receipt(4, level="opened", nacks=(Nack(Stream.VITALS, 5, 6, "key"),))
    assert coverage.learn(nacked)
    assert coverage.covers(batch(1, 4))
    assert not coverage.covers(batch(1, 5)), "it holds the first of the range"
    assert not coverage.covers(batch(10, 12)), "it holds the last of the range"
    assert coverage.covers(batch(11, 12))
    assert coverage.covers(batch(5, 6)) is False
    assert coverage.learn(receipt(20, level="opened", rseq=2))
    assert coverage.covers(batch(5, 6))
