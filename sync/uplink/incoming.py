"""What comes from the broker, into ``spool/in``: receipts that verify, and what comes down, sealed.

A receipt is checked with the centre's public keys before it is written, and the agent checks it again.
Of one level, epoch and generation only the newest is kept there: receipts are cumulative.
"""

import contextlib
import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from edge.ports.sealing import Receipt, ReceiptRefused
from edge.spool.files import SpoolFailed, write_atomically
from edge.spool.inbox import KEYSET_PREFIX
from edge.spool.names import TEMPORARY_PREFIX
from sync.uplink import sentences
from sync.uplink.coverage import Coverage
from sync.wire import cose, receipts, topics
from sync.wire import keyset as wire_keyset
from sync.wire.cose import MAX_MESSAGE_BYTES
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset

_LOG: Final = logging.getLogger("qafila.uplink")

MOST_FILES: Final = 1000
MOST_RECEIPT_BYTES: Final = 16 * 1024
_MOST_LINES: Final = 64
_NAME: Final = re.compile(r"(landed|opened)-([0-9a-f]{16})-([0-9]{1,20})-([0-9]{12,20})", re.ASCII)

Line: TypeAlias = tuple[str, str, int]
"""Level, epoch in hex, generation: within it the receipt with the highest number says it all."""


class Incoming:
    """Takes messages, keeps the newest receipt of each line, writes when told to.

    Args:
        keyset: as it is pinned when the uplink starts; a newer one that a root signed takes its place.
        roots: the pinned ones; without any no other keyset is believed.

    Attributes:
        refused: how many messages were dropped, by code.
        keyset: what is believed now.
    """

    def __init__(
        self, directory: Path, unit: str, keyset: Keyset, coverage: Coverage, roots: Sequence[bytes] = ()
    ) -> None:
        self._directory = directory
        self._unit = unit
        self.keyset = keyset
        self._roots = tuple(roots)
        self._keyset_to_write: tuple[str, bytes] | None = None
        self._of_other_keys: dict[str, bytes] = {}
        self._asked_for: set[bytes] = set()
        self._coverage = coverage
        self._seen: dict[str, bytes] = {}
        self._written: dict[Line, int] = {}
        self._to_write: dict[Line, tuple[int, bytes]] = {}
        self._failing = False
        self.refused: Counter[str] = Counter()

    def recall(self) -> None:
        """Take up what an earlier run left unread: receipts that verify still cover what they cover."""
        for name in sorted(self._names()):
            if name.startswith(TEMPORARY_PREFIX):  # ours, from a run that was killed while writing
                self._remove(name)
                continue
            if name.startswith(KEYSET_PREFIX):
                self._recall_keyset(name)
            parts = read_name(name)
            if parts is None:
                continue
            line, rseq = parts
            if line in self._written:
                self._remove(file_name(line, self._written[line]))
            self._written[line] = rseq
            try:
                raw = (self._directory / name).read_bytes()
                self._coverage.learn(receipts.verify(raw, self.keyset, self._unit))
            except (OSError, ReceiptRefused):
                continue  # taken by the agent meanwhile, or to be refused by it

    def take(self, topic: str, payload: bytes) -> Receipt | None:
        """Take one message; returns a receipt that says something new."""
        parsed = topics.parse(topic)
        if parsed is None or parsed.unit != self._unit:
            self._refuse("topic")
        elif parsed.plane is topics.Plane.RECEIPT and parsed.word is not None:
            return self._take_receipt(parsed.word, payload)
        elif parsed.plane is topics.Plane.DOWN:
            self._take_down(payload)
        elif parsed.plane is topics.Plane.KEYSET:
            self._take_keyset(payload)
        else:
            self._refuse("topic")
        return None

    def _take_receipt(self, level: str, raw: bytes) -> Receipt | None:
        if self._seen.get(level) == raw:
            return None  # a retained receipt comes again with every connection
        if len(raw) > MOST_RECEIPT_BYTES:
            self._refuse("too-large")
            return None
        try:
            receipt = receipts.verify(raw, self.keyset, self._unit)
        except ReceiptRefused as refused:
            if refused.stable_code == "kid":
                self._of_other_keys[level] = raw  # the keyset that names its key may be on its way
            self._refuse(refused.stable_code)
            return None
        if receipt.level != level or receipt.generation not in self.keyset.generations:
            self._refuse("level" if receipt.level != level else "generation")
            return None
        self._seen[level] = raw
        line = (level, receipt.epoch.hex(), receipt.generation)
        newest = max(self._written.get(line, 0), self._to_write.get(line, (0, b""))[0])
        if receipt.rseq > newest and (line in self._to_write or len(self._to_write) < _MOST_LINES):
            self._to_write[line] = (receipt.rseq, raw)
        return receipt if self._coverage.learn(receipt) else None

    def _take_down(self, raw: bytes) -> None:
        if not raw:
            return  # the centre takes back what it had to say: the unit has it
        name = down_name(raw)
        if len(raw) > MAX_MESSAGE_BYTES:
            self._refuse("too-large")
        elif not (self._directory / name).exists():
            self._write(name, raw)

    def _take_keyset(self, raw: bytes) -> None:
        """A newer keyset is believed from now on, and left for the agent, which pins it."""
        try:
            found = wire_keyset.read(raw, self._roots, self.keyset.realm)
        except EnvelopeRefused as refused:
            self._refuse(f"keyset-{refused.refusal}")
            return
        if found.version < self.keyset.version:
            self._refuse("keyset-older")
        elif found.version > self.keyset.version:
            self.keyset = found
            self._keyset_to_write = (keyset_name(found.version), raw)
            _LOG.info("keyset came", extra={"version": found.version})

    def _recall_keyset(self, name: str) -> None:
        with contextlib.suppress(OSError, EnvelopeRefused):
            found = wire_keyset.read((self._directory / name).read_bytes(), self._roots, self.keyset.realm)
            if found.version > self.keyset.version:
                self.keyset = found

    def judge(self, code: str, take: Callable[[bytes], object], raw: bytes) -> None:
        """Let somebody else take a message that a root signs; what they refuse is counted here."""
        try:
            take(raw)
        except EnvelopeRefused:
            self._refuse(code)

    def asks_for_keyset(self) -> bool:
        """Whether a receipt is signed with a key that the keyset does not name; said once for each such key.

        Strangers sign receipts, too, and receipts of a key that was taken out of use stay at the broker.
        """
        if not self._of_other_keys or len(self._asked_for) >= _MOST_LINES:
            return False
        strange = {cose.read(raw).kid for raw in self._of_other_keys.values()} - self._asked_for
        self._asked_for |= strange
        return bool(strange)

    def refused_before(self) -> list[tuple[str, bytes]]:
        """Receipts to be taken once more, level and bytes: they came before the keyset with their key."""
        if self._keyset_to_write is None or not self._of_other_keys:
            return []
        found, self._of_other_keys = list(self._of_other_keys.items()), {}
        return found

    def flush(self) -> None:
        """Write what has come since; what the disk does not take now is tried again the next time."""
        if self._keyset_to_write is not None:
            if not self._write(*self._keyset_to_write):
                return
            self._keyset_to_write = None
        for line, (rseq, raw) in list(self._to_write.items()):
            if not self._write(file_name(line, rseq), raw):
                return
            del self._to_write[line]
            older = self._written.get(line)
            self._written[line] = rseq
            if older is not None:
                self._remove(file_name(line, older))

    def _write(self, name: str, raw: bytes) -> bool:
        code = ""
        if len(self._names()) >= MOST_FILES:
            code = "spool-full"
        else:
            try:
                write_atomically(self._directory, name, raw)
            except SpoolFailed as failed:
                code = failed.stable_code
        if code and not self._failing:
            _LOG.warning("spool takes no file", extra=sentences.said(sentences.FILES, code))
        self._failing = bool(code)
        return not code

    def _names(self) -> list[str]:
        try:
            return os.listdir(self._directory)  # noqa: PTH208  plain names are wanted
        except OSError:
            return []

    def _remove(self, name: str) -> None:
        (self._directory / name).unlink(missing_ok=True)

    def _refuse(self, code: str) -> None:
        self.refused[code] += 1
        if self.refused[code] == 1:
            _LOG.warning("message refused", extra=sentences.said(sentences.REFUSED, code))


def file_name(line: Line, rseq: int) -> str:
    """Under which name a receipt lies in ``spool/in``."""
    level, epoch, generation = line
    return f"{level}-{epoch}-{generation}-{rseq:012d}"


def read_name(name: str) -> tuple[Line, int] | None:
    """What such a name says: line and number; None for any other name."""
    parts = _NAME.fullmatch(name)
    return None if parts is None else ((parts[1], parts[2], int(parts[3])), int(parts[4]))


def keyset_name(version: int) -> str:
    """Under which name the centre's public keys lie in ``spool/in``."""
    return f"{KEYSET_PREFIX}{version:012d}"


def down_name(raw: bytes) -> str:
    """Under which name what comes down lies in ``spool/in``: the same message again is the same file."""
    return f"down-{hashlib.sha256(raw).hexdigest()[:16]}"
