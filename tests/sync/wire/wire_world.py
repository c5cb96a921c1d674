"""Fixed keys, one unit, one centre and a short journal, the same in every run."""

import dataclasses
import hashlib
from typing import Final

from edge import cbor
from edge.audit import chain
from edge.audit.chain import Entry
from edge.ports.sealing import Nack, Receipt, StreamReceipt, Tips
from edge.records.fields import Field, Kind, Payload, Stream
from sync.wire import batches, keys, keyset
from sync.wire.batches import Author
from sync.wire.keyset import Key, Keyset, Use
from sync.wire.sessions import SessionKey

UNIT: Final = "van-07"
REALM: Final = "training"
OTHER_REALM: Final = "production"
EPOCH: Final = bytes.fromhex("e0e1e2e3e4e5e6e7")
SESSION_KEY: Final = hashlib.sha256(b"session key").digest()
SESSION_ID: Final = hashlib.sha256(b"session id").digest()[:8]
S_0: Final = hashlib.sha256(b"S_0").digest()
S_P: Final = hashlib.sha256(b"S_p").digest()
PATIENT: Final = bytes.fromhex("019b76da2a70 7a11 9c22 334455667788".replace(" ", ""))
ENCOUNTER: Final = bytes.fromhex("019b76da4b80 7b22 8d33 99aabbccddee".replace(" ", ""))
TIPS: Final = Tips((1, 5, 1, 1, 2), hashlib.sha256(b"audit head").digest()[:16])


def signing(name: str) -> bytes:
    """A signing key that is the same in every run."""
    return hashlib.sha256(b"sign " + name.encode()).digest()


def sealing(name: str) -> bytes:
    """The same for a hybrid key."""
    return (
        hashlib.sha512(b"lattice " + name.encode()).digest()
        + hashlib.sha256(b"curve " + name.encode()).digest()
    )


UNIT_SIGN: Final = signing("unit")
UNIT_PUBLIC: Final = keys.signing_public(UNIT_SIGN)
CENTRE_SEAL: Final = sealing("centre")
ROOT, COLD_ROOT = signing("root"), signing("cold root")
ROOTS: Final = (keys.signing_public(ROOT), keys.signing_public(COLD_ROOT))
LANDED, OPENED = signing("landed"), signing("opened")
AUTHOR: Final = Author(UNIT, REALM, EPOCH, UNIT_SIGN)
KEYSET: Final = Keyset(
    version=3,
    realm=REALM,
    generations=(1, 2),
    keys=(
        Key(keys.signing_public(LANDED), Use.LANDED),
        Key(keys.signing_public(OPENED), Use.OPENED, 1_790_000_000_000, 1_890_000_000_000),
        Key(keys.sealing_public(CENTRE_SEAL), Use.SEAL_TO),
    ),
)
KEYSET_RAW: Final = keyset.sign(KEYSET, ROOT)

_WALL_MS: Final = 1_767_225_660_000
_STAMP: Final[Payload] = {
    Field.WALL_MS: _WALL_MS,
    Field.BOOT: bytes.fromhex("b0b1b2b3b4b5b6b7"),
    Field.MONOTONIC_MS: 61_234,
    Field.CLOCK_QUALITY: 2,
    Field.OPERATOR: "s.amrani",
}


def _at(seconds: int, request: str | None, payload: Payload) -> Payload:
    stamp = dict(_STAMP)
    stamp[Field.WALL_MS] = _WALL_MS + 1000 * seconds
    stamp[Field.MONOTONIC_MS] = 61_234 + 1000 * seconds
    if request is not None:
        stamp[Field.REQUEST] = hashlib.sha256(request.encode()).digest()[:8]
    return stamp | payload


_VISIT: Final[Payload] = {Field.PATIENT: PATIENT, Field.ENCOUNTER: ENCOUNTER}
PAYLOADS: Final[tuple[tuple[Kind, Payload], ...]] = (
    (Kind.GENESIS, {**_STAMP, Field.SALT: S_0, Field.UNIT: UNIT, Field.REALM: REALM}),
    (
        Kind.PATIENT,
        _at(
            20,
            "register",
            {
                Field.PATIENT: PATIENT,
                Field.SALT: S_P,
                Field.REVISION: 1,
                Field.FAMILY: "الإدريسي",
                Field.GIVEN: "Aïcha",
                Field.SEX: "female",
                Field.BIRTH: "1971-03-14",
                Field.IDENTIFIERS: [["cnie", "QE164867"]],
            },
        ),
    ),
    (Kind.ENCOUNTER_OPENED, _at(28, "open", _VISIT)),
    (
        Kind.OBSERVATION,
        _at(
            40,
            None,
            {
                **_VISIT,
                Field.CODE: "spo2",
                Field.VALUE: [97, 0],
                Field.SOURCE: 0,
                Field.DEVICE: "oximeter-1",
                Field.READING: 1,
            },
        ),
    ),
    (
        Kind.OBSERVATION,
        _at(
            55,
            "type",
            {**_VISIT, Field.CODE: "temp", Field.VALUE: [369, -1], Field.SOURCE: 1, Field.READING: 2},
        ),
    ),
)


def make_entries() -> list[Entry]:
    """The vitals stream: genesis, a patient, a visit with two values."""
    head = chain.first_head(REALM, UNIT, EPOCH, Stream.VITALS)
    entries: list[Entry] = []
    for seq, (kind, fields) in enumerate(PAYLOADS, 1):
        payload = cbor.encode(fields)
        secret = S_P if Field.PATIENT in fields else S_0
        leaf = chain.leaf(secret, EPOCH, Stream.VITALS, seq, payload)
        head = chain.next_head(head, Stream.VITALS, seq, kind, leaf)
        entries.append(Entry(Stream.VITALS, seq, kind, payload, leaf, head))
    return entries


def make_batch(author: Author = AUTHOR, session_id: bytes = SESSION_ID) -> bytes:
    return batches.seal_batch(author, make_entries(), TIPS, SessionKey(SESSION_KEY, session_id))


def make_receipt(level: str = "landed") -> Receipt:
    return Receipt(
        level=level,
        unit=UNIT,
        epoch=EPOCH,
        generation=2,
        rseq=41,
        streams={
            Stream.ALERT: StreamReceipt(1, hashlib.sha256(b"alert").digest()[:16], 1),
            Stream.VITALS: StreamReceipt(5, make_entries()[-1].head[:16], 20, ((6, 9), (12, 12))),
        },
        sessions_landed=(SESSION_ID,),
        sessions_needed=(bytes(8),),
        nacks=(Nack(Stream.VITALS, 10, 2, "key"),),
        window=65_536,
        retry_after_s=0,
        centre_ms=1_795_334_400_000,
    )


def with_another(author: Author = AUTHOR, **changes: str | bytes) -> Author:
    return dataclasses.replace(author, **changes)  # type: ignore[arg-type]  # the tests know which
