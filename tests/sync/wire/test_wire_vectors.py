"""The bytes that stand in tests/vectors/wire are what the code writes, and others read and write them too.

Second opinions: `cwt` for COSE, `pyhpke` with a KEM put together here for HPKE (it does not know the
hybrid), plain hashlib for the chain, `second_columns` for the columns.
"""

import base64
import hashlib
import hmac
import json
import struct
from types import SimpleNamespace
from typing import Any

import cbor2
import cwt
import pytest
from backports import zstd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cwt import COSE, COSEKey
from pyhpke import AEADId, CipherSuite, KDFId
from pyhpke.aead import AEAD
from pyhpke.kdf import KDF

from bench import vanday
from sync.wire import batches, columns, keys, primer, squeeze
from sync.wire.columns import Row
from sync.wire.cose import Purpose
from tests.sync.wire.make_vectors import VECTORS, make
from tests.sync.wire.second_columns import SecondReader

HYBRID = 0x647A
SUITE_ID = b"HPKE" + struct.pack(">HHH", HYBRID, 1, 3)


def load(name: str) -> dict[str, Any]:
    vector = json.loads((VECTORS / f"{name}.json").read_text())
    assert isinstance(vector, dict)
    return vector


def octets(vector: dict[str, Any], name: str) -> bytes:
    return bytes.fromhex(vector[name])


@pytest.mark.parametrize("name", sorted(make()))
def test_the_code_still_writes_these_bytes(name: str) -> None:
    vector = load(name)
    del vector["source"]
    assert json.loads(json.dumps(make()[name])) == vector


# ── the chain ────────────────────────────────────────────────────────────────────────────────────────


def test_plain_hashes_follow_the_chain() -> None:
    vector = load("chain")
    epoch, stream = octets(vector, "epoch"), bytes([vector["stream"]])
    start = b"epoch" + vector["realm"].encode() + vector["unit"].encode() + epoch + stream
    head = hashlib.sha256(start).digest()
    assert head == octets(vector, "first_head")
    for entry in vector["entries"]:
        seq = struct.pack(">Q", entry["seq"])
        salt = hmac.new(octets(entry, "secret"), epoch + stream + seq, "sha256").digest()
        leaf = hashlib.sha256(b"leaf" + salt + octets(entry, "payload")).digest()
        head = hashlib.sha256(b"head" + head + stream + seq + bytes([entry["kind"]]) + leaf).digest()
        assert (leaf, head) == (octets(entry, "leaf"), octets(entry, "head"))


# ── the columns ──────────────────────────────────────────────────────────────────────────────────────


def primed_second_reader() -> SecondReader:
    reader = SecondReader()
    rows = primer.rows()
    packed = columns.take_apart(rows, columns.prime([]))
    stated = [(kind, bytes.fromhex(payload)) for kind, payload in load("primer")["rows"]]
    assert reader.read(packed.plain, packed.bits, len(rows)) == stated
    reader.forget()
    return reader


@pytest.mark.parametrize(
    "case", load("columns")["cases"], ids=lambda case: f"{case['name']}, {case['primed']}"
)
def test_a_second_reader_reads_the_columns(case: dict[str, Any]) -> None:
    reader = primed_second_reader() if case["primed"] else SecondReader()
    rows = reader.read(octets(case, "plain"), octets(case, "bits"), len(case["rows"]))
    assert rows == [(kind, bytes.fromhex(payload)) for kind, payload in case["rows"]]


def test_a_second_reader_reads_a_van_s_day() -> None:
    rows = [Row(entry.kind, entry.payload or b"") for entry in vanday.entries(16)]
    content = squeeze.pack(rows).rstrip(b"\x00")
    frame = zstd.ZstdDecompressor()
    plain = frame.decompress(content)
    assert content.endswith(b"\x80")
    read = primed_second_reader().read(plain, frame.unused_data[:-1], len(rows))
    assert read == [(row.kind, row.payload) for row in rows]


# ── COSE ─────────────────────────────────────────────────────────────────────────────────────────────


def cose_key(private: bytes) -> Any:  # noqa: ANN401  cwt ships no types
    public = keys.signing_public(private)
    return COSEKey.from_jwk(
        {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": _b64(public), "d": _b64(private)}
    )


def signed_messages() -> list[dict[str, Any]]:
    batch = load("batch")
    return [
        {"name": "batch", "purpose": "up", "private": batch["unit_private"], "message": batch["message"]},
        *load("signed")["messages"],
    ]


@pytest.mark.parametrize("vector", signed_messages(), ids=lambda vector: vector["name"])
def test_cwt_reads_and_writes_what_is_signed(vector: dict[str, Any]) -> None:
    message = octets(vector, "message")
    key = cose_key(octets(vector, "private"))
    context = f"qafila/1/{vector['purpose']}/training".encode()
    assert message[0] == 1
    tagged = b"\xd2" + message[1:]
    protected, _, payload, _ = cbor2.loads(message[1:])
    key._kid = cbor2.loads(protected)[4]
    assert COSE.new().decode(tagged, key, external_aad=context) == payload
    with pytest.raises(cwt.VerifyError):
        COSE.new().decode(tagged, key, external_aad=context + b" ")

    header = cbor2.loads(protected)
    written = COSE.new(deterministic_header=True).encode_and_sign(payload, key, header, external_aad=context)
    assert written == tagged


def test_another_library_s_signature_is_the_same() -> None:
    batch = load("batch")
    protected, _, payload, signature = cbor2.loads(octets(batch, "message")[1:])
    to_sign = cbor2.dumps(["Signature1", protected, b"qafila/1/up/training", payload])
    assert Ed25519PrivateKey.from_private_bytes(octets(batch, "unit_private")).sign(to_sign) == signature


def test_cwt_reads_and_writes_what_is_sealed() -> None:
    batch = load("batch")
    key = COSEKey.from_symmetric_key(
        octets(batch, "session_key"), alg="ChaCha20/Poly1305", kid=octets(batch, "session_id")
    )
    protected, unprotected, sealed = cbor2.loads(octets(batch, "inner"))
    assert unprotected == {}
    nonce = cbor2.loads(protected)[5]
    assert nonce == octets(batch, "nonce")
    # cwt looks for the nonce in the unprotected header only; the sealed bytes and their context stay ours
    message = cbor2.dumps(cbor2.CBORTag(16, [protected, {5: nonce}, sealed]))
    signed_header = octets(batch, "protected")
    assert COSE.new().decode(message, key, external_aad=signed_header) == octets(batch, "padded")

    context = cbor2.dumps(["Encrypt0", protected, signed_header])
    written = cbor2.dumps([protected, {}, key.encrypt(octets(batch, "padded"), nonce, context)])
    assert written == octets(batch, "inner")


def test_our_reader_opens_the_batch() -> None:
    batch = load("batch")
    signed = batches.verify(octets(batch, "message"), octets(batch, "unit_public"), batch["realm"])
    opened = batches.open_batch(signed, octets(batch, "session_key"))
    assert [entry.payload.hex() for entry in opened] == [
        entry["payload"] for entry in load("chain")["entries"]
    ]


# ── HPKE ─────────────────────────────────────────────────────────────────────────────────────────────


class HybridKem:
    """ML-KEM-768 with X25519, combined as X-Wing does (draft-connolly-cfrg-xwing-kem, section 5.3)."""

    id = SimpleNamespace(value=HYBRID)

    @staticmethod
    def _combine(lattice: bytes, curve: bytes, enc: bytes, public: bytes) -> bytes:
        return hashlib.sha3_256(lattice + curve + enc[1088:] + public + rb"\.//^\ "[:-1]).digest()

    def decap(self, enc: bytes, private: bytes, pks: None = None) -> bytes:
        assert pks is None
        lattice = MLKEM768PrivateKey.from_seed_bytes(private[:64]).decapsulate(enc[:1088])
        mine = X25519PrivateKey.from_private_bytes(private[64:])
        curve = mine.exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
        return self._combine(lattice, curve, enc, mine.public_key().public_bytes_raw())

    def encap(self, public: bytes, sks: None = None, eks: None = None) -> tuple[bytes, bytes]:
        assert sks is None
        assert eks is None
        lattice, sealed = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
        ephemeral = X25519PrivateKey.generate()
        curve = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[1184:]))
        enc = sealed + ephemeral.public_key().public_bytes_raw()
        return self._combine(lattice, curve, enc, public[1184:]), enc


def hybrid_suite() -> CipherSuite:
    kem: Any = HybridKem()
    return CipherSuite(kem, KDF(KDFId.HKDF_SHA256, SUITE_ID), AEAD(AEADId.CHACHA20_POLY1305))


def test_pyhpke_opens_the_key_message() -> None:
    vector = load("key-message")
    protected, _, payload, _ = cbor2.loads(octets(vector, "message")[1:])
    assert hashlib.sha256(payload).digest()[:8] == octets(vector, "session_id")
    suite, recipients = cbor2.loads(payload)
    assert suite == [HYBRID, 1, 3]
    [[kid, sealed]] = recipients
    private: Any = octets(vector, "centre_private")
    assert kid == hashlib.sha256(keys.sealing_public(private)).digest()[:8]
    context = hybrid_suite().create_recipient_context(sealed[:1120], private, info=protected)
    assert context.open(sealed[1120:]) == octets(vector, "session_key")


def test_our_reader_opens_the_key_message() -> None:
    vector = load("key-message")
    message, public = octets(vector, "message"), octets(vector, "unit_public")
    signed = batches.verify(message, public, vector["realm"], Purpose.KEY)
    assert signed.session_id == octets(vector, "session_id")
    assert batches.open_key_message(signed, octets(vector, "centre_private")) == octets(vector, "session_key")


def test_we_open_what_pyhpke_sealed() -> None:
    private = octets(load("key-message"), "centre_private")
    public: Any = keys.sealing_public(private)
    enc, context = hybrid_suite().create_sender_context(public, info=b"header")
    assert keys.open_sealed(private, enc + context.seal(b"session key"), b"header") == b"session key"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
