"""A unit's last word: up to where its journal goes, and what of it the centre has said to have received.

Signed by the unit's own key when it is taken out of use, before its keys are destroyed. It is carried by hand
and holds nothing of a patient.
"""

import dataclasses
from typing import Final

from edge import cbor
from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.records.fields import Stream
from sync.wire import cose, keys, shapes
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused

EPOCH_BYTES: Final = 8
MOST_WORDS: Final = 200


@dataclasses.dataclass(frozen=True, slots=True)
class End:
    """Where one stream ends.

    Attributes:
        tip: its last entry.
        head: the visible head there.
        received: up to where an *opened* receipt of the centre agreed.
    """

    tip: int
    head: bytes
    received: int


@dataclasses.dataclass(frozen=True, slots=True)
class Retirement:
    """What a unit says at its end.

    Attributes:
        made_ms: by the unit's clock.
        ends: of every stream of its last epoch.
        by: the person who signed in for it.
    """

    unit: str
    realm: str
    made_ms: int
    epoch: bytes
    ends: dict[Stream, End]
    reason: str
    by: str

    @property
    def given_up(self) -> int:
        """How many entries no receipt covers."""
        return sum(end.tip - end.received for end in self.ends.values())


def sign(said: Retirement, sign_private: bytes) -> bytes:
    """The message as it is carried to the centre."""
    ends: list[cbor.Value] = [
        [each.tip, each.head, each.received] for each in map(said.ends.__getitem__, Stream)
    ]
    payload = cbor.encode([said.unit, said.realm, said.made_ms, said.epoch, ends, said.reason, said.by])
    protected = cose.protected_header(keys.kid(keys.signing_public(sign_private)))
    return cose.sign(protected, payload, sign_private, Purpose.RETIRE, said.realm)


def unchecked(raw: bytes) -> Retirement:
    """What a message says of itself; nothing of it is to be believed before `read`.

    Raises:
        EnvelopeRefused: too-large, version or form.
    """
    unit, realm, made_ms, epoch, ends, reason, by = shapes.items(cose.payload(cose.read_plain(raw)), 7)
    if realm not in cose.REALMS:
        raise EnvelopeRefused("form")
    return Retirement(
        shapes.unit(unit),
        shapes.text(realm),
        shapes.integer(made_ms),
        shapes.octets(epoch, EPOCH_BYTES),
        dict(zip(Stream, map(_end, shapes.items(ends, len(Stream))), strict=True)),
        shapes.text(reason, MOST_WORDS),
        shapes.text(by),
    )


def read(raw: bytes, sign_public: bytes, realm: str) -> Retirement:
    """Check the message against the key of its unit.

    Raises:
        EnvelopeRefused: too-large, version, form, kid, signature or realm.
    """
    cose.check(cose.read_plain(raw), sign_public, Purpose.RETIRE, realm)
    said = unchecked(raw)
    if said.realm != realm:
        raise EnvelopeRefused("realm")
    return said


def _end(value: cbor.Value) -> End:
    tip, head, received = shapes.items(value, 3)
    end = End(shapes.integer(tip), shapes.octets(head, VISIBLE_HEAD_BYTES), shapes.integer(received))
    if end.received > end.tip:
        raise EnvelopeRefused("form")
    return end
