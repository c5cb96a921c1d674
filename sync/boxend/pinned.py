"""What enrolment pinned on the box: roots, keyset, brokers. Bytes in, values out."""

import dataclasses

from sync.wire import enrolment
from sync.wire.certificate import Certificate
from sync.wire.enrolment import Broker
from sync.wire.keyset import Keyset


@dataclasses.dataclass(frozen=True, slots=True)
class Enrolment:
    """What the box believes of the centre.

    Attributes:
        keyset_raw: the keyset as signed by a root, to hand to processes that check it themselves.
        certificate_raw: the unit's right to connect over TLS, the same; empty where the unit has none.
        certificate: what it says.
    """

    unit: str
    realm: str
    roots: tuple[bytes, ...]
    keyset: Keyset
    keyset_raw: bytes
    brokers: tuple[Broker, ...]
    certificate_raw: bytes = b""
    certificate: Certificate | None = None


def read_bundle(bundle: bytes, request: bytes, pinned: tuple[bytes, ...] = ()) -> Enrolment:
    """Check the bundle against the request it answers.

    Args:
        bundle: what the centre answered.
        request: what this box asked with.
        pinned: the roots believed already; none at the first enrolment.

    Raises:
        EnvelopeRefused: it is not an answer to this request, or not to be believed.
    """
    read = enrolment.read_bundle(bundle, request, pinned)
    return Enrolment(
        *(read.unit, read.realm, read.roots, read.keyset, read.keyset_raw, read.brokers),
        read.certificate_raw,
        read.certificate,
    )
