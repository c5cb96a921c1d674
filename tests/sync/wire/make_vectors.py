"""Writes tests/vectors/wire/*.json: ``python -m tests.sync.wire.make_vectors``.

Everything but the key message comes out the same in every run; that one is drawn once and kept, because
HPKE is randomised. `test_wire_vectors` holds that what stands there is what the code writes.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from edge import cbor
from edge.audit import chain
from edge.records.fields import Field, Stream
from sync.wire import batches, columns, cose, enrolment, keys, primer, receipts, squeeze
from sync.wire.columns import Row
from sync.wire.cose import Purpose
from sync.wire.memory import Memory
from tests.sync.wire.wire_world import (
    AUTHOR,
    CENTRE_SEAL,
    COLD_ROOT,
    EPOCH,
    KEYSET_RAW,
    LANDED,
    OPENED,
    PAYLOADS,
    REALM,
    ROOT,
    ROOTS,
    S_0,
    S_P,
    SESSION_ID,
    SESSION_KEY,
    TIPS,
    UNIT,
    UNIT_PUBLIC,
    UNIT_SIGN,
    make_batch,
    make_entries,
    make_receipt,
    sealing,
)

VECTORS: Final = Path(__file__).parents[2] / "vectors" / "wire"
_SOURCE: Final = "written by tests/sync/wire/make_vectors.py; nobody in it exists"


def make() -> dict[str, dict[str, Any]]:
    """Every file that comes out the same each time, by name."""
    return {
        "chain": _chain(),
        "primer": {"rows": [[row.kind, row.payload.hex()] for row in primer.rows()]},
        "columns": _columns(),
        "batch": _batch(),
        "signed": _signed(),
    }


def make_key_message() -> dict[str, Any]:
    """A key message; another one each time."""
    raw, session = batches.make_key_message(AUTHOR, TIPS, SESSION_KEY, [keys.sealing_public(CENTRE_SEAL)])
    return {
        "source": _SOURCE,
        "message": raw.hex(),
        "realm": REALM,
        "unit_public": UNIT_PUBLIC.hex(),
        "centre_private": CENTRE_SEAL.hex(),
        "session_id": session.hex(),
        "session_key": SESSION_KEY.hex(),
    }


def _chain() -> dict[str, Any]:
    return {
        "realm": REALM,
        "unit": UNIT,
        "epoch": EPOCH.hex(),
        "stream": int(Stream.VITALS),
        "first_head": chain.first_head(REALM, UNIT, EPOCH, Stream.VITALS).hex(),
        "entries": [
            {
                "seq": entry.seq,
                "kind": int(entry.kind),
                "secret": (S_P if Field.PATIENT in fields else S_0).hex(),
                "payload": (entry.payload or b"").hex(),
                "leaf": entry.leaf.hex(),
                "head": entry.head.hex(),
            }
            for entry, (_, fields) in zip(make_entries(), PAYLOADS, strict=True)
        ],
    }


def _columns() -> dict[str, Any]:
    odd = [
        Row(4, cbor.encode({})),
        Row(4, cbor.encode({-1: b"negative", 5: "opaque"})),
        Row(255, cbor.encode({1: True, 34: "1971-03", 51: [1], 2**40: None, 7: bytes(16)})),
        Row(4, cbor.encode({50: "spo2", 51: [97, 0], 53: "a"})),
        Row(4, cbor.encode({50: "spo2", 51: [-3, 2], 53: "b"})),
        Row(4, cbor.encode({50: "hr", 51: [71, 0], 53: "a"})),
    ]
    visit = [Row(kind, cbor.encode(payload)) for kind, payload in PAYLOADS]
    cases: list[dict[str, Any]] = []
    for name, rows in (
        ("nothing", []),
        ("one visit", visit),
        ("odd ones", odd),
        ("the primer itself", primer.rows()),
    ):
        for memory, primed in ((Memory(), False), (columns.prime(primer.rows()), True)):
            packed = columns.take_apart(rows, memory)
            cases.append(
                {
                    "name": name,
                    "primed": primed,
                    "rows": [[row.kind, row.payload.hex()] for row in rows],
                    "plain": packed.plain.hex(),
                    "bits": packed.bits.hex(),
                }
            )
    return {"cases": cases, "padded": squeeze.pack(visit).hex()}


def _batch() -> dict[str, Any]:
    raw = make_batch()
    signed = cose.read(raw)
    return {
        "message": raw.hex(),
        "realm": REALM,
        "unit": UNIT,
        "unit_private": UNIT_SIGN.hex(),
        "unit_public": UNIT_PUBLIC.hex(),
        "session_id": SESSION_ID.hex(),
        "session_key": SESSION_KEY.hex(),
        "nonce": bytes(12).hex(),
        "protected": signed.protected.hex(),
        "inner": signed.payload.hex(),
        "padded": squeeze.pack([Row(entry.kind, entry.payload or b"") for entry in make_entries()]).hex(),
    }


def _signed() -> dict[str, Any]:
    request = enrolment.make_request(
        UNIT, REALM, UNIT_SIGN, keys.sealing_public(sealing("unit")), 1_795_000_000_000
    )
    brokers = [enrolment.Broker("127.0.0.1", 1883, tls=False)]
    bundle = enrolment.make_bundle(request, ROOTS, KEYSET_RAW, brokers, ROOT)
    messages = (
        (
            "receipt, landed",
            Purpose.RECEIPT_LANDED,
            LANDED,
            receipts.sign(make_receipt("landed"), LANDED, REALM),
        ),
        (
            "receipt, opened",
            Purpose.RECEIPT_OPENED,
            OPENED,
            receipts.sign(make_receipt("opened"), OPENED, REALM),
        ),
        ("keyset", Purpose.KEYSET, ROOT, KEYSET_RAW),
        ("request", Purpose.REQUEST, UNIT_SIGN, request),
        ("bundle", Purpose.BUNDLE, ROOT, bundle),
    )
    return {
        "realm": REALM,
        "roots": [keys.signing_public(root).hex() for root in (ROOT, COLD_ROOT)],
        "messages": [
            {"name": name, "purpose": str(purpose), "private": private.hex(), "message": raw.hex()}
            for name, purpose, private, raw in messages
        ],
    }


def main() -> None:
    """Write the files; the key message only when it is not there, or with ``--new-key-message``."""
    VECTORS.mkdir(parents=True, exist_ok=True)
    files = {name: {"source": _SOURCE, **vector} for name, vector in make().items()}
    if "--new-key-message" in sys.argv or not (VECTORS / "key-message.json").exists():
        files["key-message"] = make_key_message()
    for name, vector in files.items():
        (VECTORS / f"{name}.json").write_text(json.dumps(vector, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
