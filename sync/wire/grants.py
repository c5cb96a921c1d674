"""A recovery grant: the centre lets one box have what another one's backup holds.

The signed payload is ``[former unit, unit, realm, backup id, sealed, granted ms, orders]``, signed by a root.
``sealed`` is HPKE to the box's own receiving key, ``info`` = CBOR ["qafila grant", former unit, unit, realm,
backup id], of the secret that only the holder of the centre's recovery key can make of the backup's point.
``orders`` is the message of `sync.wire.orders` that goes down to the former unit, or empty: it is signed by
two people and sealed to the former unit, whose receiving key is in the backup. A grant of before ends with
``granted ms``.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from edge import cbor
from sync.wire import cose, keys, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused

BACKUP_ID_BYTES: Final = 8
_PARTS: Final = 7
_PARTS_BEFORE: Final = 6
"""Without the orders: as grants were made once."""


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """Who may have what.

    Attributes:
        former: the unit whose backup it is.
        unit: the one that takes its place.
        backup: the backup's id.
        orders: the orders to erase that the former unit was given, signed by two and sealed to it; or empty.
    """

    former: str
    unit: str
    realm: str
    backup: bytes
    granted_ms: int
    orders: bytes = b""


def make(grant: Grant, secret: bytes, recv_public: bytes, root_private: bytes) -> bytes:
    """The grant as it is carried to the box."""
    payload = cbor.encode(
        [
            *(grant.former, grant.unit, grant.realm, grant.backup),
            keys.seal_to(recv_public, secret, _info(grant)),
            grant.granted_ms,
            grant.orders,
        ]
    )
    protected = cose.protected_header(keys.kid(keys.signing_public(root_private)))
    return cose.sign(protected, payload, root_private, Purpose.GRANT, grant.realm)


def read(raw: bytes, roots: Sequence[bytes], realm: str, recv_private: bytes) -> tuple[Grant, bytes]:
    """The grant, and the secret in it.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature, realm; key when it is for another box.
    """
    signed = cose.read_plain(raw)
    cose.check(signed, cose.pick(signed, roots), Purpose.GRANT, realm)
    former, unit, stated_realm, backup, sealed, granted_ms, *more = _parts(cose.payload(signed))
    if stated_realm != realm:
        raise EnvelopeRefused("realm")
    grant = Grant(
        *(shapes.unit(former), shapes.unit(unit), realm),
        *(shapes.octets(backup, BACKUP_ID_BYTES), shapes.integer(granted_ms)),
        *(shapes.octets(each) for each in more),
    )
    secret = keys.open_sealed(recv_private, shapes.octets(sealed), _info(grant))
    if secret is None:
        raise EnvelopeRefused("key")
    return grant, secret


def _parts(value: cbor.Value) -> Sequence[cbor.Value]:
    parts = shapes.items(value, most=_PARTS)
    if len(parts) < _PARTS_BEFORE:
        raise EnvelopeRefused("form")
    return parts


def _info(grant: Grant) -> bytes:
    return cbor.encode(["qafila grant", grant.former, grant.unit, grant.realm, grant.backup])
