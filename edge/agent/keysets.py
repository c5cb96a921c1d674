"""The centre's public keys as they come: pinned at once, and told to the centre when the store is open.

A keyset is public and signed by a root, so it needs neither the store nor anybody who is signed in.
"""

import logging
from typing import Final

from edge.agent import payloads
from edge.agent.commit import OpenStore
from edge.agent.mail import Refusals
from edge.agent.parts import Enrolled
from edge.clock import Moment
from edge.ports.keysets import KeysetKeeper, KeysetRefused
from edge.records.fields import Kind, Stream
from edge.spool import Inbox

PINNED: Final = "keyset.pinned"
"""The action of the audit entry by which the centre knows what a unit believes; its object is the version."""
_LOG: Final = logging.getLogger(__name__)


def take_keysets(inbox: Inbox, keeper: KeysetKeeper, refusals: Refusals) -> bool:
    """Take what has come out of ``spool/in``; whether another keyset is pinned now.

    Raises:
        OSError: the disk does not take one; it stays in the spool.
    """
    changed = False
    for name, raw in inbox.keysets():
        try:
            version = keeper.take(raw)
        except KeysetRefused as refused:
            refusals.count(f"keyset-{refused.stable_code.removeprefix('keyset-')}")
        else:
            if version is not None:
                changed = True
                _LOG.info("keyset pinned", extra={"version": version})
        inbox.remove(name)
    return changed


def note_pinned(opened: OpenStore, enrolled: Enrolled | None, moment: Moment) -> None:
    """Write into the audit trail what is believed now, once for each version."""
    if enrolled is None or enrolled.keyset_version == opened.store.keyset_version:
        return
    version = enrolled.keyset_version
    if opened.store.sealing_to - enrolled.sealing_to:
        # Somebody else may have a key that is named no more. Before it is noted: what is lost in between is
        # only missing in the spool, and sealed again.
        opened.sealing.seal_anew()
    with opened.write() as tx:
        tx.set_keyset(version, enrolled.sealing_to)
        entry = payloads.stamp(moment, None) | payloads.access(PINNED, str(version))
        tx.append(Stream.AUDIT, Kind.ACCESS, entry)
