"""What an urgent request has attached leaves with the alerts, behind them. In the store's thread.

The centre opens a stream in its order, so what stands before such a part in its stream has to go as early.
A file's name says when it goes (`edge.spool.names`); what lies sealed already is given another name.
"""

import dataclasses
from collections.abc import Iterable
from typing import Final

from edge.agent.spooled import STREAMS
from edge.ports.sealing import SealedFile
from edge.records.fields import Stream
from edge.spool import Outbox, SpoolName
from edge.store.store import Store

AHEAD: Final = 1
"""The priority of alerts; those go before whatever else has it."""


def hurried(file: SealedFile, store: Store) -> SealedFile:
    """A file that is about to be spooled, with the priority that it is worth."""
    if STREAMS.get(file.word) is Stream.DOC and file.first <= store.ahead_through():
        return dataclasses.replace(file, priority=AHEAD)
    return file


def hurry(outbox: Outbox, store: Store, names: Iterable[SpoolName]) -> dict[SpoolName, SpoolName]:
    """Rename what lies there and has become urgent; former names and present ones.

    Raises:
        OSError: the spool takes no other name.
    """
    later = [name for name in names if STREAMS.get(name.word) is Stream.DOC and name.priority > AHEAD]
    through = store.ahead_through() if later else 0
    return {name: outbox.rename(name, AHEAD) for name in later if name.first <= through}
