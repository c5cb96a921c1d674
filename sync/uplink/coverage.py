"""What need not be sent again: everything that a verified *landed* receipt covers.

Except what the centre could not open: the newest *opened* receipt names such ranges (nacks), the agent
seals them again, and that has to go although something has landed there already.

Nothing is removed because of it; that is the agent's to do, with its own check of the heads.
"""

import dataclasses
from typing import Final

from edge.ports.sealing import Nack, Receipt, StreamReceipt
from edge.records.fields import Stream
from sync.wire import batches, cose, sessions
from sync.wire.errors import EnvelopeRefused
from sync.wire.receipts import MAX_MISSING

MAX_EPOCHS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class Contents:
    """What the header of a sealed file says is in it.

    Attributes:
        stream: None in a key message, as are ``first``, ``last`` and ``head``.
        session: which session a key message begins, empty in a batch.
    """

    epoch: bytes
    stream: Stream | None
    first: int
    last: int
    head: bytes
    session: bytes


def read_contents(raw: bytes, unit: str) -> Contents:
    """Read the open part of a sealed file; no key is needed and nothing is verified.

    Raises:
        EnvelopeRefused: it is no sealed file, or another unit's.
    """
    header = batches.read_header(raw)
    if header.unit != unit:
        raise EnvelopeRefused("unit")
    if header.stream is None:
        session = sessions.session_id(cose.read(raw).payload)
        return Contents(header.epoch, None, 0, 0, b"", session)
    return Contents(header.epoch, header.stream, header.first or 0, header.last or 0, header.head or b"", b"")


class Coverage:
    """The newest receipt of each level and epoch."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, bytes], Receipt] = {}

    def learn(self, receipt: Receipt) -> bool:
        """Take a verified receipt; False when one as new is known already.

        A higher generation wins whatever it says: a restored centre may have less.
        """
        line = (receipt.level, receipt.epoch)
        known = self._newest.get(line)
        if known is not None and (known.generation, known.rseq) >= (receipt.generation, receipt.rseq):
            return False
        self._newest.pop(line, None)
        self._newest[line] = receipt
        while len(self._newest) > 2 * MAX_EPOCHS:
            del self._newest[next(iter(self._newest))]
        return True

    def covers(self, contents: Contents) -> bool:
        """Whether the centre has said that it holds all of this, and did not ask for it again."""
        receipt = self._newest.get(("landed", contents.epoch))
        if receipt is None:
            return False
        if contents.stream is None:
            return contents.session in receipt.sessions_landed
        stated = receipt.streams.get(contents.stream)
        return stated is not None and _holds(stated, contents) and not self.asked_again(contents)

    def asked_again(self, contents: Contents) -> bool:
        """Whether the centre could not open part of this range and waits for it sealed anew."""
        receipt = self._newest.get(("opened", contents.epoch))
        return receipt is not None and any(_overlaps(nack, contents) for nack in receipt.nacks)


def _overlaps(nack: Nack, contents: Contents) -> bool:
    return (
        nack.stream is contents.stream
        and nack.first <= contents.last
        and contents.first < nack.first + nack.n
    )


def _holds(stated: StreamReceipt, contents: Contents) -> bool:
    if contents.last == stated.through:
        return contents.head == stated.head  # another head is news the centre has to hear
    if contents.last < stated.through:
        return True
    if contents.first <= stated.through or contents.last > stated.top:
        return False
    if len(stated.missing) == MAX_MISSING and contents.last > stated.missing[-1][1]:
        return False  # the list is full: there may be gaps it does not name
    return all(contents.last < first or last < contents.first for first, last in stated.missing)
