"""The port through which what the centre says to this unit comes in."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Protocol

from edge.cbor import Value
from edge.errors import QafilaError


class DownRefused(QafilaError):
    """What came down may not be believed, or does not open; nothing of it is applied."""

    code: ClassVar[str] = "down-refused"


class DownWaits(QafilaError):
    """It is signed by a key of a keyset that this unit does not have yet; it may be believed later."""

    code: ClassVar[str] = "down-keyset"


@dataclasses.dataclass(frozen=True, slots=True)
class Down:
    """One message of the centre's, signed by a key of its use and sealed to this unit.

    Attributes:
        message: its identity, UUIDv7, 16 bytes: the same however often it was sealed.
        epoch: for which it was sealed.
        use: what the key that signed it is believed for.
        signer: the short name of that key.
        kind: what it is.
        body: what stands behind the kind.
        payload: kind and body as they were signed.
        made_ms: when it was made, by the centre's clock.
    """

    message: bytes
    epoch: bytes
    use: str
    dseq: int
    signer: bytes
    kind: str
    body: Sequence[Value]
    payload: bytes
    made_ms: int


class DownReader(Protocol):
    """Checks what claims to come down, with the keyset's public keys, and opens it with the unit's own."""

    def claims(self, raw: bytes) -> bool:
        """Whether it says of itself that it is such a message; nothing of it is checked."""
        ...

    def read(self, raw: bytes, recv_private: bytes, now_ms: int | None) -> Down:
        """Check and open.

        Args:
            raw: the message.
            recv_private: the unit's receiving key.
            now_ms: the time, where the unit is sure of it.

        Raises:
            DownRefused: not signed by a key of its use, of another unit or realm, not sealed to this unit,
                or not in the accepted form.
            DownWaits: its key may be named by a later keyset.
        """
        ...
