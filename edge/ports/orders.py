"""The port through which the centre orders a patient to be erased."""

import dataclasses
from typing import ClassVar, Protocol

from edge.errors import QafilaError


class OrderRefused(QafilaError):
    """What came down is no order that may be believed; nothing is erased because of it."""

    code: ClassVar[str] = "order-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class ErasureOrder:
    """Erase one patient, signed by two people's keys.

    Attributes:
        erasure: the order's own id, UUIDv7, 16 bytes.
        patient: whom, 16 bytes.
        reason: in their words; no name stands in it.
        authority: the two who ordered it.
        ordered_ms: when, by the centre's clock.
    """

    erasure: bytes
    patient: bytes
    reason: str
    authority: tuple[str, str]
    ordered_ms: int


class OrderReader(Protocol):
    """Checks what claims to be orders, with the keyset's public keys, and opens it with the unit's own."""

    def read(self, raw: bytes, recv_private: bytes) -> tuple[ErasureOrder, ...]:
        """Every order that was ever given to this unit, in the order of giving.

        Raises:
            OrderRefused: not signed by two keys of the right use, of another unit or realm, not sealed to
                this unit, or not in the accepted form.
        """
        ...
