"""Reads what claims to be a newer keyset of the centre."""

from edge.ports.keysets import KeysetRefused
from sync.boxend.pinned import Enrolment
from sync.wire import keyset
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset


def read_newer(raw: bytes, pinned: Enrolment) -> Keyset | None:
    """A keyset of a higher version than the pinned one, or None when it is not higher.

    Raises:
        KeysetRefused: no pinned root signed it, or it is of the other realm, or not in the accepted form.
    """
    try:
        found = keyset.read(raw, pinned.roots, pinned.realm)
    except EnvelopeRefused as refused:
        raise KeysetRefused(
            refused.sentence, next_step=refused.next_step, code=f"keyset-{refused.refusal}"
        ) from None
    return found if found.version > pinned.keyset.version else None
