"""Key slots: one per person, each the only way in which that person's PIN leads to the store's key.

A slot holds a key pair of its own. Its private half is wrapped under Argon2id(PIN); the store's key K is
sealed by HPKE to its public half. So K and the device secret can change without anybody's PIN. The slot
file as a whole is sealed under the device secret: a stolen card alone opens nothing.

How they are written is laid down in `edge.security.slot_file`.
"""

import dataclasses
import hmac
import os
import threading
import unicodedata
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from edge import cbor, recovery
from edge.recovery import RecoverySlot
from edge.security import slot_file
from edge.security.errors import (
    LastSupervisor,
    NoSuchUser,
    SlotsExist,
    SlotsOutdated,
    UnknownUser,
    UserExists,
    WrongPin,
)
from edge.security.pins import check_pin
from edge.security.slot_file import Content, Slot, User, copies_of

KEY_BYTES: Final = 32
ARGON2: Final = (3, 4, 64 * 1024)
"""Passes, lanes, KiB: 0.2 s and 64 MiB a guess."""

_SUPERVISOR: Final = "supervisor"
_NONCE_BYTES: Final = 12
_ONE_AT_A_TIME: Final = threading.Lock()
"""OpenSSL shares its threads: a second derivation at the same moment fails for want of lanes."""
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class Slots:
    """The slots of one unit, as read from their file; made by `create` and `load`."""

    def __init__(
        self,
        path: Path,
        device_secret: bytes,
        unit: str,
        generation: int,
        slots: dict[str, Slot],
        recovery_slot: RecoverySlot | None = None,
    ) -> None:
        self._path = path
        self.recovery = recovery_slot
        self._device_secret = device_secret
        self._slots = slots
        self.unit = unit
        self.generation = generation

    @staticmethod
    def load(path: Path, *device_secrets: bytes) -> "Slots":
        """Read the better copy, with whichever of these secrets it is sealed under.

        Raises:
            SlotsMissing, SlotsDamaged, DeviceSecretWrong.
        """
        content, opened_by = slot_file.read(path, device_secrets)
        return Slots(path, opened_by, content.unit, content.generation, content.slots, content.recovery)

    def reload(self) -> "Slots":
        """The slots as their files say now."""
        return Slots.load(self._path, self._device_secret)

    def users(self) -> list[User]:
        return [slot.user for slot in self._slots.values()]

    def unlock(self, user: str, pin: str) -> bytes:
        """The store's key, for the right PIN. Takes 0.2 s and 64 MiB, for a wrong user too.

        Raises:
            WrongPin, UnknownUser: say the same to a person.
        """
        slot = self._slots.get(user)
        if slot is None or slot.user.disabled:
            _stretch(pin, bytes(16), ARGON2)  # an unknown name takes as long as a wrong PIN
            raise UnknownUser
        nonce, wrapped = slot.private[:_NONCE_BYTES], slot.private[_NONCE_BYTES:]
        try:
            stretched = _stretch(pin, slot.salt, slot.kdf)
            private = ChaCha20Poly1305(stretched).decrypt(nonce, wrapped, slot.public)
            return _SUITE.decrypt(
                slot.sealed,
                X25519PrivateKey.from_private_bytes(private),
                _info(self.unit, user, slot.generation),
            )
        except InvalidTag:
            raise WrongPin from None

    def add(self, user: str, name: str, role: str, pin: str, key: bytes) -> None:
        """Give a person a slot, at once; the generation rises, tell the store (`set_slots_generation`).

        Raises:
            UserExists, PinTooWeak, SecretNotKept: the file is as it was.
        """
        new = self.with_user(user, name, role, pin, key)
        new.save()
        self._slots, self.generation = new._slots, new.generation  # noqa: SLF001  its own class

    def with_user(self, user: str, name: str, role: str, pin: str, key: bytes) -> "Slots":
        """These slots and one for a person more, not saved yet. Who was disabled may come back so.

        Raises:
            UserExists, PinTooWeak.
        """
        if user in self._slots and not self._slots[user].user.disabled:
            raise UserExists("This user exists already.", next_step="Choose another name.")
        return self._changed(User(user, name, role), pin, key)

    def with_pin(self, user: str, pin: str, key: bytes) -> "Slots":
        """These slots with a new PIN, and a new key pair under it, for a person; not saved yet.

        Raises:
            NoSuchUser, PinTooWeak.
        """
        return self._changed(self._active(user).user, pin, key)

    def with_role(self, user: str, role: str, key: bytes) -> "Slots":
        """These slots with another role for a person; not saved yet.

        Raises:
            NoSuchUser, LastSupervisor.
        """
        slot = self._active(user)
        if role != _SUPERVISOR:
            self._keep_a_supervisor(user)
        changed = dataclasses.replace(slot, user=dataclasses.replace(slot.user, role=role))
        return self._resealed({**self._slots, user: changed}, key)

    def without(self, user: str, key: bytes) -> "Slots":
        """These slots with nothing left that this person's PIN would open; not saved yet.

        Raises:
            NoSuchUser, LastSupervisor.
        """
        slot = self._active(user)
        self._keep_a_supervisor(user)
        gone = dataclasses.replace(slot.user, disabled=True)
        emptied = Slot(gone, slot.generation, slot.kdf, salt=b"", public=b"", private=b"", sealed=b"")
        return self._resealed({**self._slots, user: emptied}, key)

    def with_recovery(self, to: bytes, key: bytes) -> "Slots":
        """These slots with one for the holder of the centre's recovery key; not saved yet."""
        new = self._resealed(self._slots, key)
        new.recovery = recovery.seal(to, self.unit, key)
        return new

    def rekeyed(self, key: bytes) -> "Slots":
        """These slots for another key of the store; nobody's PIN changes. Not saved yet."""
        new = self._resealed(self._slots, key)
        if new.recovery is not None:
            new.recovery = recovery.seal(new.recovery.to, self.unit, key)
        return new

    def under(self, device_secret: bytes) -> "Slots":
        """These slots, to be sealed under another device secret; not saved yet."""
        return Slots(self._path, device_secret, self.unit, self.generation + 1, self._slots, self.recovery)

    def is_under(self, device_secret: bytes) -> bool:
        """Whether this is the device secret that they are sealed under."""
        return hmac.compare_digest(self._device_secret, device_secret)

    def save(self) -> None:
        """Write both copies.

        Raises:
            SecretNotKept: one copy is as it was at least; which one counts is read again.
        """
        content = Content(self.unit, self.generation, self._slots, self.recovery)
        slot_file.write(self._path, self._device_secret, content)

    def check_generation(self, at_least: int) -> None:
        """Refuse slots older than the store knows of: an old copy would let back in who was removed.

        Raises:
            SlotsOutdated.
        """
        if self.generation < at_least:
            raise SlotsOutdated(
                "The key slots are older than the store: an old copy was put back.",
                next_step="Put the newest slot files back; ask who exchanged them.",
            )

    def _active(self, user: str) -> Slot:
        slot = self._slots.get(user)
        if slot is None or slot.user.disabled:
            raise NoSuchUser
        return slot

    def _keep_a_supervisor(self, user: str) -> None:
        """Refuse to lose the last person who can let others in."""
        others = (each for each in self.users() if each.user != user and not each.disabled)
        if self._slots[user].user.role == _SUPERVISOR and all(each.role != _SUPERVISOR for each in others):
            raise LastSupervisor

    def _changed(self, user: User, pin: str, key: bytes) -> "Slots":
        slot = _make(self.unit, user, pin, key, self.generation + 1)
        return self._resealed({**self._slots, user.user: slot}, key)

    def _resealed(self, slots: dict[str, Slot], key: bytes) -> "Slots":
        generation = self.generation + 1
        resealed = {id_: _reseal(slot, self.unit, key, generation) for id_, slot in slots.items()}
        return Slots(self._path, self._device_secret, self.unit, generation, resealed, self.recovery)


def create(
    path: Path, *, unit: str, user: str, name: str, role: str, pin: str, key: bytes, device_secret: bytes
) -> Slots:
    """Make the slot files of a new unit with their first user.

    Raises:
        SlotsExist, PinTooWeak, SecretNotKept.
    """
    if any(copy.exists() for copy in copies_of(path)):
        raise SlotsExist(
            "There are key slots on this unit already; they are never written over.",
            next_step="If the unit is to be made anew, set its directory aside first.",
        )
    assert len(key) == KEY_BYTES  # noqa: S101  what the programmer hands in
    slots = {user: _make(unit, User(user, name, role), pin, key, 1)}
    slot_file.write(path, device_secret, Content(unit, 1, slots, None))
    return Slots(path, device_secret, unit, 1, slots)


def _make(unit: str, user: User, pin: str, key: bytes, generation: int) -> Slot:
    check_pin(pin, user.user, user.name)
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    salt, nonce = os.urandom(16), os.urandom(_NONCE_BYTES)
    wrapped = ChaCha20Poly1305(_stretch(pin, salt, ARGON2)).encrypt(
        nonce, private.private_bytes_raw(), public
    )
    sealed = _SUITE.encrypt(key, private.public_key(), _info(unit, user.user, generation))
    return Slot(user, generation, ARGON2, salt, public, nonce + wrapped, sealed)


def _reseal(slot: Slot, unit: str, key: bytes, generation: int) -> Slot:
    if slot.user.disabled:
        return dataclasses.replace(slot, generation=generation)
    sealed = _SUITE.encrypt(
        key, X25519PublicKey.from_public_bytes(slot.public), _info(unit, slot.user.user, generation)
    )
    return dataclasses.replace(slot, generation=generation, sealed=sealed)


def _info(unit: str, user: str, generation: int) -> bytes:
    return cbor.encode(["qafila slot", unit, user, generation])


def _stretch(pin: str, salt: bytes, kdf: tuple[int, int, int]) -> bytes:
    passes, lanes, kib = kdf
    argon2 = Argon2id(salt=salt, length=32, iterations=passes, lanes=lanes, memory_cost=kib)
    with _ONE_AT_A_TIME:
        return argon2.derive(
            unicodedata.normalize("NFC", pin).encode()  # one é, whichever keyboard typed it
        )
