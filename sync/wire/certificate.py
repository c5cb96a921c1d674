"""A unit's right to connect: its TLS certificate, and whose broker it shall believe, signed by a root.

A connection is all that TLS gives; no record is believed because of it. So this message carries X.509 as it
is, for the TLS library to read, and its own signature by a root says that the unit may believe it: the
certificates need no chain up to the roots, and the authorities behind them can be changed by a new message.
It holds nothing secret, so it is not sealed, and it may come by the link, in a bundle or on a stick.
"""

import dataclasses
from collections.abc import Sequence
from typing import Final

from edge import cbor
from sync.wire import cose, keys, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused

MOST_CERTIFICATES: Final = 8
MOST_CERTIFICATE_BYTES: Final = 4096
MOST_REQUEST_BYTES: Final = 2048


@dataclasses.dataclass(frozen=True, slots=True)
class Certificate:
    """What a unit connects with.

    Attributes:
        issued_ms: when it was signed by the centre's clock; of two the later one counts, and the time is
            certainly not before it.
        until_ms: when the certificate ends.
        key: `keys.kid` of the SubjectPublicKeyInfo that it certifies: the name of the private key's file.
        chain: X.509 in DER, the unit's own first, as it is shown to the broker.
        trust: X.509 in DER, the authorities whose brokers the unit believes: during a change, old and new.
    """

    unit: str
    realm: str
    issued_ms: int
    until_ms: int
    key: bytes
    chain: tuple[bytes, ...]
    trust: tuple[bytes, ...]


def sign(certificate: Certificate, root_private: bytes) -> bytes:
    payload = cbor.encode(
        [
            certificate.unit,
            certificate.realm,
            certificate.issued_ms,
            certificate.until_ms,
            certificate.key,
            list(certificate.chain),
            list(certificate.trust),
        ]
    )
    protected = cose.protected_header(keys.kid(keys.signing_public(root_private)))
    return cose.sign(protected, payload, root_private, Purpose.CERTIFICATE, certificate.realm)


def read(raw: bytes, roots: Sequence[bytes], unit: str, realm: str) -> Certificate:
    """Check the message against the roots that are believed; X.509 itself is for the TLS library.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature, realm or unit.
    """
    signed = cose.read_plain(raw)
    cose.check(signed, cose.pick(signed, roots), Purpose.CERTIFICATE, realm)
    named, of_realm, issued_ms, until_ms, key, chain, trust = shapes.items(cose.payload(signed), 7)
    if of_realm != realm:
        raise EnvelopeRefused("realm")
    if shapes.unit(named) != unit:
        raise EnvelopeRefused("unit")
    return Certificate(
        unit,
        realm,
        shapes.integer(issued_ms),
        shapes.integer(until_ms),
        shapes.octets(key, keys.KID_BYTES),
        _certificates(chain),
        _certificates(trust),
    )


def _certificates(value: cbor.Value) -> tuple[bytes, ...]:
    found = tuple(shapes.octets(each) for each in shapes.items(value, most=MOST_CERTIFICATES))
    if not found or not all(1 <= len(each) <= MOST_CERTIFICATE_BYTES for each in found):
        raise EnvelopeRefused("form")
    return found
