"""A receipt is believed for its level, its unit and its realm only, and only in one form."""

import dataclasses
from typing import Any

import pytest

from edge import cbor
from edge.ports.sealing import ReceiptRefused, StreamReceipt
from edge.records.fields import Stream
from sync.boxend.receipts import BoxReceiptReader
from sync.wire import cose, keys, receipts
from sync.wire.cose import Purpose
from sync.wire.keyset import Key, Keyset, Use
from tests.sync.wire.wire_world import (
    CENTRE_SEAL,
    EPOCH,
    KEYSET,
    LANDED,
    OPENED,
    OTHER_REALM,
    REALM,
    UNIT,
    UNIT_SIGN,
    make_receipt,
    signing,
)


def refusal(raw: bytes, keyset: Keyset = KEYSET, unit: str = UNIT, now_ms: int | None = None) -> str:
    with pytest.raises(ReceiptRefused) as refused:
        receipts.verify(raw, keyset, unit, now_ms)
    return refused.value.stable_code


@pytest.mark.parametrize(("level", "private"), [("landed", LANDED), ("opened", OPENED)])
def test_a_receipt_comes_back(level: str, private: bytes) -> None:
    receipt = make_receipt(level)
    raw = receipts.sign(receipt, private, REALM)
    assert receipts.verify(raw, KEYSET, UNIT) == receipt
    assert BoxReceiptReader(UNIT, REALM, KEYSET).read(raw) == receipt
    assert 185 <= len(raw) <= 418


def test_a_first_receipt_and_a_crowded_one_come_back() -> None:
    nothing = dataclasses.replace(
        make_receipt(),
        streams={stream: StreamReceipt(0, bytes(16), 0) for stream in Stream},
        sessions_landed=(), sessions_needed=(), nacks=(), rseq=1, generation=1,
    )  # fmt: skip
    gaps = tuple((10 * i, 10 * i + 3) for i in range(1, 9))
    crowded = dataclasses.replace(
        make_receipt(),
        streams={stream: StreamReceipt(2**60, b"h" * 16, 2**62) for stream in Stream}
        | {Stream.DOC: StreamReceipt(1, b"d" * 16, 90, gaps)},
        sessions_landed=tuple(bytes([i]) * 8 for i in range(receipts.MAX_SESSIONS)),
        nacks=make_receipt().nacks * receipts.MAX_NACKS,
    )
    for receipt in (nothing, crowded):
        assert receipts.verify(receipts.sign(receipt, LANDED, REALM), KEYSET, UNIT) == receipt


def test_a_key_is_believed_for_its_level_only() -> None:
    """The collector's key must never say that anything was opened: that is what allows purging."""
    assert refusal(receipts.sign(make_receipt("opened"), LANDED, REALM)) == "signature"
    assert refusal(receipts.sign(make_receipt("landed"), OPENED, REALM)) == "signature"


def test_keys_of_other_uses_are_not_believed() -> None:
    for private in (UNIT_SIGN, signing("stranger"), signing("root")):
        assert refusal(receipts.sign(make_receipt(), private, REALM)) == "kid"
    for use in set(Use) - {Use.LANDED, Use.OPENED, Use.SEAL_TO}:
        keyset = dataclasses.replace(KEYSET, keys=(Key(keys.signing_public(LANDED), use),))
        assert refusal(receipts.sign(make_receipt(), LANDED, REALM), keyset) == "kid"


def test_another_unit_s_receipt_is_refused() -> None:
    raw = receipts.sign(make_receipt(), LANDED, REALM)
    assert refusal(raw, unit="van-08") == "unit"


def test_the_other_realm_s_receipt_is_refused() -> None:
    assert refusal(receipts.sign(make_receipt(), LANDED, OTHER_REALM)) == "realm"
    with pytest.raises(ValueError, match="realm"):
        BoxReceiptReader(UNIT, OTHER_REALM, KEYSET)


def test_validity_is_judged_by_the_time_given_and_not_without_one() -> None:
    raw = receipts.sign(make_receipt("opened"), OPENED, REALM)
    for now_ms, believed in (
        (None, True), (1_790_000_000_000, True), (1_890_000_000_000, True),
        (1_789_999_999_999, False), (1_890_000_000_001, False),
    ):  # fmt: skip
        if believed:
            receipts.verify(raw, KEYSET, UNIT, now_ms)
        else:
            assert refusal(raw, now_ms=now_ms) == "kid"


def test_a_hybrid_key_is_no_signing_key() -> None:
    keyset = dataclasses.replace(KEYSET, keys=(Key(keys.sealing_public(CENTRE_SEAL), Use.LANDED),))
    protected = cose.protected_header(keys.kid(keys.sealing_public(CENTRE_SEAL)))
    raw = cose.sign(protected, b"\x80", LANDED, Purpose.RECEIPT_LANDED, REALM)
    assert refusal(raw, keyset) == "signature"


HEAD = bytes(16)
GOOD: list[Any] = [UNIT, EPOCH, 1, 1, {1: [3, HEAD, 9, [[5, 6]]]}, [], [], [], 0, 0, 0]


def signed(body: object) -> bytes:
    protected = cose.protected_header(keys.kid(keys.signing_public(LANDED)))
    payload = cbor.encode(body)  # type: ignore[arg-type]  # anything goes
    return cose.sign(protected, payload, LANDED, Purpose.RECEIPT_LANDED, REALM)


@pytest.mark.parametrize(
    ("at", "values"),
    [
        (0, [None, "", "VAN", 1]),
        (1, [None, bytes(7), bytes(9), "x"]),
        (2, [None, 0, -1, True]),
        (3, [None, 0, -1, 2**63]),
        (
            4,
            [
                None,
                [],
                {5: [3, HEAD, 9, []]},
                {-1: [3, HEAD, 9, []]},
                {"vitals": [3, HEAD, 9, []]},
                {1: [3, HEAD, 9]},
                {1: [-1, HEAD, 9, []]},
                {1: [3, HEAD[:15], 9, []]},
                {1: [3, bytes(32), 9, []]},
                {1: [10, HEAD, 9, []]},
                {1: [3, HEAD, 9, [[3, 5]]]},
                {1: [3, HEAD, 9, [[6, 5]]]},
                {1: [3, HEAD, 9, [[5, 10]]]},
                {1: [3, HEAD, 9, [[7, 8], [5, 6]]]},
                {1: [3, HEAD, 9, [[5, 6], [6, 7]]]},
                {1: [3, HEAD, 99, [[2 * i, 2 * i] for i in range(2, 11)]]},
            ],
        ),
        (5, [None, [bytes(7)], [1], [bytes(8)] * 65]),
        (6, [None, [bytes(9)]]),
        (
            7,
            [
                None,
                [[1, 1, 1]],
                [[1, 0, 1, "key"]],
                [[1, 1, 0, "key"]],
                [[5, 1, 1, "key"]],
                [[1, 1, 1, "other"]],
            ],
        ),
        (8, [None, -1, "a", 1 << 63]),
        (9, [None, -1]),
        (10, [None, -1]),
    ],
)
def test_a_receipt_out_of_bounds_is_refused(at: int, values: list[object]) -> None:
    receipts.verify(signed(GOOD), KEYSET, UNIT)
    for value in values:
        assert refusal(signed([*GOOD[:at], value, *GOOD[at + 1 :]])) == "form", value


@pytest.mark.parametrize("body", [None, [], GOOD[:-1], [*GOOD, 0], {0: 1}, "receipt"])
def test_a_receipt_of_another_shape_is_refused(body: object) -> None:
    assert refusal(signed(body)) == "form"


def test_a_receipt_with_a_header_of_ours_is_refused() -> None:
    protected = cose.protected_header(keys.kid(keys.signing_public(LANDED)), [1])
    raw = cose.sign(protected, cbor.encode(GOOD), LANDED, Purpose.RECEIPT_LANDED, REALM)
    assert refusal(raw) == "form"
