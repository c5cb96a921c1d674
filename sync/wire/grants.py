"""A recovery grant: the centre lets one box have what another one's backup holds.

The signed payload is ``[former unit, unit, realm, backup id, sealed, granted ms]``, signed by a root.
``sealed`` is HPKE to the box's own receiving key, ``info`` = CBOR ["qafila grant", former unit, unit, realm,
backup id], of the secret that only the holder of the centre's recovery key can make of the backup's point.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from edge import cbor
from sync.wire import cose, keys, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused

BACKUP_ID_BYTES: Final = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Grant:
    """Who may have what.

    Attributes:
        former: the unit whose backup it is.
        unit: the one that takes its place.
        backup: the backup's id.
    """

    former: str
    unit: str
    realm: str
    backup: bytes
    granted_ms: int


def make(grant: Grant, secret: bytes, recv_public: bytes, root_private: bytes) -> bytes:
    """The grant as it is carried to the box."""
    payload = cbor.encode(
        [
            *(grant.former, grant.unit, grant.realm, grant.backup),
            keys.seal_to(recv_public, secret, _info(grant)),
            grant.granted_ms,
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
    former, unit, stated_realm, backup, sealed, granted_ms = shapes.items(cose.payload(signed), 6)
    if stated_realm != realm:
        raise EnvelopeRefused("realm")
    grant = Grant(
        *(shapes.unit(former), shapes.unit(unit), realm),
        *(shapes.octets(backup, BACKUP_ID_BYTES), shapes.integer(granted_ms)),
    )
    secret = keys.open_sealed(recv_private, shapes.octets(sealed), _info(grant))
    if secret is None:
        raise EnvelopeRefused("key")
    return grant, secret


def _info(grant: Grant) -> bytes:
    return cbor.encode(["qafila grant", grant.former, grant.unit, grant.realm, grant.backup])
