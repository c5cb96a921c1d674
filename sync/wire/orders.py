"""Orders to erase a patient: sealed to one unit, signed by two keys of use ``records``.

A message holds every order that the unit was ever given, so that one retained message says it all, and a
store that goes back in time is told again. It is two signatures one in the other, of two people's keys,
both with the header ``[unit, "records", number]``: ``COSE_Sign1(first, COSE_Sign1(second, sealed))``. The
sealed part is ``enc ‖ ct`` of HPKE to the unit's receiving key, ``info`` the second header's bytes, over
``[[erasure, patient, reason, [who, who], ordered at], …]``.
"""

from collections.abc import Sequence
from typing import Final

from edge import cbor
from edge.ports.orders import ErasureOrder
from sync.wire import cose, keys, shapes
from sync.wire.cose import Purpose, Signed
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset, Use

ID_BYTES: Final = 16
MAX_ORDERS: Final = 1000
MAX_REASON: Final = 200
MAX_NAME: Final = 60


def make(
    orders: Sequence[ErasureOrder],
    unit: str,
    number: int,
    *,
    recv_public: bytes,
    privates: tuple[bytes, bytes],
    realm: str,
) -> bytes:
    """The message for a unit; ``number`` rises with each that is made for it."""
    content = cbor.encode(
        [
            [each.erasure, each.patient, each.reason, list(each.authority), each.ordered_ms]
            for each in orders[-MAX_ORDERS:]
        ]
    )
    header: cbor.Value = [unit, Use.RECORDS.value, number]
    first, second = (
        cose.protected_header(keys.kid(keys.signing_public(private)), header) for private in privates
    )
    sealed = keys.seal_to(recv_public, content, second)
    inner = cose.sign(second, sealed, privates[1], Purpose.DOWN, realm)
    return cose.sign(first, inner, privates[0], Purpose.DOWN, realm)


def read(raw: bytes, keyset: Keyset, unit: str, recv_private: bytes) -> tuple[ErasureOrder, ...]:
    """Check both signatures and open.

    Raises:
        EnvelopeRefused: too-large, version, form; kid when it is not two different keys of use
            ``records``; signature, realm, unit, key, decode.
    """
    outer = cose.read(raw)
    _check(outer, keyset, unit)
    inner = cose.read(outer.payload)
    _check(inner, keyset, unit)
    if inner.kid == outer.kid:
        raise EnvelopeRefused("kid")
    if inner.header != outer.header:
        raise EnvelopeRefused("form")
    content = keys.open_sealed(recv_private, inner.payload, inner.protected)
    if content is None:
        raise EnvelopeRefused("key")
    try:
        return tuple(_order(each) for each in shapes.items(cbor.decode(content), most=MAX_ORDERS))
    except (cbor.MalformedCbor, EnvelopeRefused):
        raise EnvelopeRefused("decode") from None


def _check(signed: Signed, keyset: Keyset, unit: str) -> None:
    # Validity in time is not asked: an order of a key that is not valid any more was given while it was.
    key = keyset.find(signed.kid, Use.RECORDS)
    if key is None:
        raise EnvelopeRefused("kid")
    cose.check(signed, key.key, Purpose.DOWN, keyset.realm)
    stated, use, number = shapes.items(signed.header, 3)
    shapes.integer(number, 1)
    if use != Use.RECORDS.value:
        raise EnvelopeRefused("form")
    if shapes.unit(stated) != unit:
        raise EnvelopeRefused("unit")


def _order(value: cbor.Value) -> ErasureOrder:
    erasure, patient, reason, who, at = shapes.items(value, 5)
    first, second = (shapes.text(each, MAX_NAME) for each in shapes.items(who, 2))
    return ErasureOrder(
        shapes.octets(erasure, ID_BYTES),
        shapes.octets(patient, ID_BYTES),
        shapes.text(reason, MAX_REASON),
        (first, second),
        shapes.integer(at),
    )
