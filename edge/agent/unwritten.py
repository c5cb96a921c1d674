"""Entries of the audit trail that the disk does not take: kept until it does, and said in the log at once.

An entry of a read is committed before the data reach a screen. When the disk takes no writes at all, that
rule would hide every allergy and every value of a patient who is being cared for. So then, and only then,
the reading is let through: its entry is held in memory, the log names who, what and which record, and the
entry is committed with the first write that succeeds. The number of entries held is bounded; beyond it
nothing more is shown.
"""

import logging
from collections import deque
from collections.abc import Iterable
from typing import Final

from edge.agent.commit import OF_THE_DISK, OpenStore
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store.errors import StoreError
from edge.store.transaction import Transaction

MOST_HELD: Final = 2000
_LOG: Final = logging.getLogger(__name__)


class Unwritten:
    """The entries held; used in the store's thread."""

    def __init__(self, most: int = MOST_HELD) -> None:
        self._held: deque[Payload] = deque()
        self._most = most

    def __len__(self) -> int:
        return len(self._held)

    def note(self, opened: OpenStore, entries: Iterable[Payload]) -> None:
        """Commit entries, behind those that are held; or hold them too.

        Raises:
            StoreError: they are neither committed nor held.
        """
        new = list(entries)
        try:
            opened.commit(lambda tx: _append(tx, [*self._held, *new]))
        except OF_THE_DISK:
            if len(self._held) + len(new) > self._most:
                raise
            opened.store.renew()
            self._held.extend(new)
            for entry in new:
                _LOG.warning("not in the audit trail yet", extra=_told(entry))
        else:
            self._held.clear()

    def catch_up(self, opened: OpenStore) -> None:
        """Commit what is held, if anything is; what the disk still does not take stays held."""
        if not self._held or opened.saves.card() is not None:
            return
        held = list(self._held)
        try:
            opened.commit(lambda tx: _append(tx, held))
        except StoreError:
            opened.store.renew()
        else:
            self._held.clear()
            _LOG.info("the audit trail is whole again", extra={"entries": len(held)})


def _append(tx: Transaction, entries: Iterable[Payload]) -> None:
    for entry in entries:
        tx.append(Stream.AUDIT, Kind.ACCESS, entry)


def _told(entry: Payload) -> dict[str, str]:
    about = entry.get(Field.OBJECT)
    return {
        "action": str(entry.get(Field.ACTION)),
        "user": str(entry.get(Field.OPERATOR)),
        "record": about.hex() if isinstance(about, bytes) else str(about),
    }
