"""The ports through which entries leave sealed and signed receipts come back."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from edge.audit.chain import Entry
from edge.errors import QafilaError
from edge.records.fields import Stream


class ReceiptRefused(QafilaError):
    """What came is no receipt that may be believed; no watermark moves because of it."""

    code: ClassVar[str] = "receipt-refused"


@dataclasses.dataclass(frozen=True, slots=True)
class Tips:
    """Where all streams of an epoch stood when a batch was sealed.

    Attributes:
        seqs: the last sequence number of each stream, by stream number.
        audit_head: the visible head of the audit stream.
    """

    seqs: tuple[int, int, int, int, int]
    audit_head: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class StreamReceipt:
    """What the centre says of one stream.

    Attributes:
        through: everything up to this sequence number is there.
        head: the visible head (16 bytes) at ``through``.
        top: the highest sequence number seen.
        missing: gaps between ``through`` and ``top``, (first, last), at most eight.
    """

    through: int
    head: bytes
    top: int
    missing: tuple[tuple[int, int], ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Nack:
    """A range that could not be opened and is to be sealed again; reason is key, decode, head or schema."""

    stream: Stream
    first: int
    n: int
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose signature, key use, realm, unit and keyset have been checked.

    Attributes:
        level: ``landed`` or ``opened``.
        generation: the centre's generation.
        rseq: rises within (level, epoch, generation).
        sessions_landed: session ids whose key message the centre holds.
        sessions_needed: session ids of batches whose key message it lacks.
        window: how many bytes the centre is ready to take unreceipted, 0 for no advice.
        retry_after_s: how long to wait before sending more, 0 for no wait.
        centre_ms: the centre's wall time.
    """

    level: str
    unit: str
    epoch: bytes
    generation: int
    rseq: int
    streams: Mapping[Stream, StreamReceipt]
    sessions_landed: tuple[bytes, ...]
    sessions_needed: tuple[bytes, ...]
    nacks: tuple[Nack, ...]
    window: int
    retry_after_s: int
    centre_ms: int


@dataclasses.dataclass(frozen=True, slots=True)
class SealedFile:
    """One message of the spool: ``word`` is a stream's word or ``key``; ``priority`` sorts it."""

    priority: int
    word: str
    first: int
    n: int
    content: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    """What the open header of a file says that this unit has signed.

    Attributes:
        stream: None in a key message, as is ``head``; ``first`` and ``last`` are 0 there.
        head: the visible head after ``last``.
    """

    epoch: bytes
    stream: Stream | None
    first: int
    last: int
    head: bytes | None


class Sealer(Protocol):
    """Seals entries to the centre under one session key, known only to this process."""

    @property
    def session(self) -> bytes:
        """The session id, 8 bytes."""
        ...

    def key_message(self, tips: Tips) -> SealedFile:
        """The message that lets the centre open this session's batches; to be spooled first."""
        ...

    def seal(
        self, entries: Sequence[Entry], tips: Tips, data: Mapping[int, bytes | None] | None = None
    ) -> SealedFile:
        """Seal a dense range of one stream, in order; at most 4,096 entries and 256 kB.

        Args:
            entries: what to seal.
            tips: where all streams stand.
            data: by sequence number the bytes beside entries, of all that name some; None where the unit
                has them no more.

        Raises:
            BatchTooLarge: it does not fit; seal fewer.
        """
        ...

    def recognise(self, content: bytes) -> Sealed | None:
        """What a file holds that this unit has signed, in whatever epoch; None for any other file."""
        ...


class BatchTooLarge(QafilaError):
    """The sealed range would be larger than a message may be."""

    code: ClassVar[str] = "batch-too-large"


class ReceiptReader(Protocol):
    """Checks what claims to be a receipt, with public keys only."""

    def read(self, raw: bytes) -> Receipt:
        """Check and decode.

        Raises:
            ReceiptRefused: wrong signature, key use, realm, unit, or not in the accepted form.
        """
        ...
