"""Seals what leaves the box."""

from collections.abc import Mapping, Sequence
from typing import Final

from edge.audit.chain import Entry
from edge.ports.sealing import BatchTooLarge, Sealed, SealedFile, Sealer, Tips
from edge.records.fields import Stream
from sync.wire import batches, cose, keys, sessions
from sync.wire.batches import Author
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Keyset, Use
from sync.wire.sessions import SessionKey

KEY_WORD: Final = "key"
PRIORITIES: Final = {
    KEY_WORD: 0,
    Stream.ALERT.word: 1,
    Stream.VITALS.word: 2,
    Stream.DOC.word: 3,
    Stream.WAVE.word: 4,
    Stream.AUDIT.word: 5,
}
"""What goes first; the numbers stand in file names."""


class BoxSealer(Sealer):
    """Seals entries to the centre under one session key.

    Args:
        sign_private: the unit's Ed25519 key, 32 bytes.
        keyset: names the keys to seal to.
        session_key: for tests; otherwise a fresh one is drawn.
        now_ms: the time by which the keys' validity is judged, or None when it is not known. An
            expired key never stops capture: when none is valid, all are sealed to.
    """

    def __init__(
        self,
        unit: str,
        realm: str,
        epoch: bytes,
        sign_private: bytes,
        keyset: Keyset,
        *,
        session_key: bytes | None = None,
        now_ms: int | None = None,
    ) -> None:
        self._author = Author(unit, realm, epoch, sign_private)
        self._sign_public = keys.signing_public(sign_private)
        recipients = keyset.of_use(Use.SEAL_TO, now_ms) or keyset.of_use(Use.SEAL_TO)
        self._recipients = [key.key for key in recipients]
        self._key = session_key or sessions.make_key()
        self._session: SessionKey | None = None
        self._key_file: SealedFile | None = None

    @property
    def session(self) -> bytes:
        """The session id; there is none before `key_message`."""
        return self._started().id

    def key_message(self, tips: Tips) -> SealedFile:
        """The message that begins the session, made once; asked again, it is the same message.

        Raises:
            NoRecipient: the keyset names no key to seal to.
        """
        if self._key_file is None:
            content, id_ = batches.make_key_message(self._author, tips, self._key, self._recipients)
            self._session = SessionKey(self._key, id_)
            self._key_file = SealedFile(PRIORITIES[KEY_WORD], KEY_WORD, 0, 0, content)
        return self._key_file

    def seal(
        self, entries: Sequence[Entry], tips: Tips, data: Mapping[int, bytes | None] | None = None
    ) -> SealedFile:
        if len(entries) > batches.MAX_ENTRIES:
            raise BatchTooLarge("Too many entries for one message.")
        content = batches.seal_batch(self._author, entries, tips, self._started(), data)
        if len(content) > cose.MAX_MESSAGE_BYTES:
            raise BatchTooLarge("The sealed entries are larger than a message may be.")
        word = entries[0].stream.word
        return SealedFile(PRIORITIES[word], word, entries[0].seq, len(entries), content)

    def recognise(self, content: bytes) -> Sealed | None:
        try:
            header = batches.read_header(content)
            purpose = Purpose.KEY if header.stream is None else Purpose.UP
            batches.verify(content, self._sign_public, self._author.realm, purpose)
        except EnvelopeRefused:
            return None
        if header.unit != self._author.unit:
            return None
        return Sealed(header.epoch, header.stream, header.first or 0, header.last or 0, header.head)

    def _started(self) -> SessionKey:
        if self._session is None:
            raise RuntimeError("the key message comes first")
        return self._session
