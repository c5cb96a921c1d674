"""What comes down from the centre, and what is done with it. Runs in the store's thread.

Each kind of message has a use, whose key has to have signed it, and a handler. What the handler writes, that
the message came, and its content stand in one transaction, so that a message is applied once or not at all;
the entry *received* tells the centre. A message is known by its identity, however often it is sealed: the
centre seals again what a unit that went back in time may have lost.

A handler that cannot apply a message raises `Unfit`: nothing of it is kept but the entry that says why.
"""

import dataclasses
import hashlib
import logging
from collections.abc import Callable
from typing import Final, TypeAlias

from edge.agent import payloads
from edge.agent.commit import OpenStore
from edge.cbor import Value
from edge.clock import ClockQuality, Moment
from edge.ports.down import Down, DownReader, DownRefused, DownWaits
from edge.records.fields import Kind, Stream
from edge.store.errors import StoreRefused
from edge.store.inbox import APPLIED
from edge.store.store import Store
from edge.store.transaction import Transaction

SURE_FROM: Final = ClockQuality.NTP
"""From this quality on a clock judges whether a key is still valid; else nothing does."""
WAITING_AT_MOST: Final = 16
"""Messages that lie in the spool until a newer keyset comes; who says so has proved nothing yet."""
_LOG: Final = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Arrival:
    """A message in the transaction that applies it."""

    tx: Transaction
    store: Store
    down: Down
    moment: Moment


@dataclasses.dataclass(frozen=True, slots=True)
class Taken:
    """What a message was about: a patient, and a request to a specialist."""

    patient: bytes | None = None
    request: bytes | None = None


class Unfit(Exception):
    """The message cannot be applied; its code reaches the centre."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NotYet(Exception):
    """The message is left where it is, and tried again at the next look."""


Count: TypeAlias = Callable[[str], None]
"""Counts a refusal, by its code."""
Handle: TypeAlias = Callable[[Arrival], Taken]
"""Writes with ``arrival.tx`` what the message amounts to.

What it does beside the store has to be done before it returns and to bear being done again: the transaction
may still fail, and then the message comes again.

Raises:
    Unfit: the message is not in the form of its kind, or names what is not here.
    NotYet: it cannot be applied now.
    StoreRefused: as Unfit, with the error's code.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Arrived:
    """What became of one file; ``done``: it may be removed."""

    done: bool
    kind: str | None = None


class Downs:
    """The kinds of messages that are understood here."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[str, Handle]] = {}
        self._waiting: set[bytes] = set()

    def on(self, kind: str, use: str, handle: Handle) -> None:
        """Have messages of a kind, signed by a key of that use, applied by this; one for each kind."""
        assert kind not in self._handlers  # noqa: S101  the caller is ours
        self._handlers[kind] = (use, handle)

    def take(
        self, opened: OpenStore, raw: bytes, reader: DownReader, moment: Moment, refused: Count
    ) -> Arrived:
        """Check, open and apply one message.

        Raises:
            StoreError: nothing was applied; the message stays where it is.
        """
        now_ms = moment.wall_ms if moment.quality >= SURE_FROM else None
        digest = hashlib.sha256(raw).digest()
        try:
            down = reader.read(raw, opened.store.identity().recv_private, now_ms)
        except DownWaits:
            if digest not in self._waiting and len(self._waiting) >= WAITING_AT_MOST:
                refused("down-keyset")
                return Arrived(done=True)
            self._waiting.add(digest)
            return Arrived(done=False)
        except DownRefused as error:
            self._waiting.discard(digest)
            refused(f"down-{error.stable_code.removeprefix('down-')}")
            return Arrived(done=True)
        self._waiting.discard(digest)
        if opened.store.message(down.message) is not None:
            refused("down-repeated")
        elif down.epoch != opened.store.epoch:
            refused("down-epoch")
        else:
            return self._apply(opened, down, moment, refused)
        return Arrived(done=True)

    def _apply(self, opened: OpenStore, down: Down, moment: Moment, refused: Count) -> Arrived:
        try:
            handle = self._handler(down)
            opened.commit(lambda tx: _take(Arrival(tx, opened.store, down, moment), handle))
        except NotYet:
            return Arrived(done=False)
        except Unfit as unfit:
            code = unfit.code
        except StoreRefused as error:
            code = error.stable_code
        else:
            _LOG.info("message applied", extra={"kind": down.kind})
            return Arrived(done=True, kind=down.kind)
        refused(f"down-unfit-{code}")
        opened.commit(lambda tx: _note(tx, down, moment, code))
        return Arrived(done=True)

    def _handler(self, down: Down) -> Handle:
        if down.kind not in self._handlers:
            raise Unfit("kind")
        use, handle = self._handlers[down.kind]
        if use != down.use:
            raise Unfit("use")
        return handle


def _take(arrival: Arrival, handle: Handle) -> None:
    taken = handle(arrival)
    tx, down = arrival.tx, arrival.down
    said = payloads.received(down.message, down.dseq, down.kind, APPLIED, down.payload, taken.request)
    entry = tx.append(
        Stream.VITALS, Kind.RECEIVED, payloads.stamp(arrival.moment, None) | said, patient=taken.patient
    )
    tx.keep_content(entry, down.payload, down.signer, down.made_ms)


def _note(tx: Transaction, down: Down, moment: Moment, code: str) -> None:
    said = payloads.received(down.message, down.dseq, down.kind, code, down.payload, None)
    tx.append(Stream.VITALS, Kind.RECEIVED, payloads.stamp(moment, None) | said)


# ── taking a body apart ──────────────────────────────────────────────────────────────────────────


def fields(down: Down, least: int) -> list[Value]:
    """The body's items, of which later versions may have more.

    Raises:
        Unfit: there are fewer.
    """
    if len(down.body) < least:
        raise Unfit("form")
    return list(down.body)


def id_of(value: Value) -> bytes:
    """An identity, 16 bytes.

    Raises:
        Unfit: it is none.
    """
    if not isinstance(value, bytes) or len(value) != 16:
        raise Unfit("form")
    return value


def text_of(value: Value, longest: int) -> str:
    """A text of at most so many characters.

    Raises:
        Unfit: it is none.
    """
    if not isinstance(value, str) or len(value) > longest:
        raise Unfit("form")
    return value


def number_of(value: Value) -> int:
    """A number from 0 that a column holds.

    Raises:
        Unfit: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise Unfit("form")
    return value
