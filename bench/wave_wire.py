"""What waves cost on the wire: the sealed messages of some minutes of ECG, by kind of link."""

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from drivers.simulation.ecg import Heart
from edge import cbor
from edge.agent.portions import Portions, Sizes
from edge.audit.chain import Entry
from edge.ports.sealing import Tips
from edge.records.fields import Field, Kind, Payload, Stream
from edge.signals import wavecodec
from edge.signals.recording import CHUNK_S, MOST_SAMPLES
from edge.spool import Outbox
from sync.uplink.profiles import PROFILES
from sync.wire import batches, keys
from sync.wire.batches import Author
from sync.wire.sessions import SessionKey

SECONDS: Final = 120
_TIPS: Final = Tips((1, 100, 1, 20, 100), bytes(16))


def rows() -> list[dict[str, Any]]:
    """Bytes on the wire a second of ECG, and by how much they are more than the samples."""
    with tempfile.TemporaryDirectory() as place:
        return _rows(Outbox(Path(place)))


def _rows(outbox: Outbox) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, leads, rate in (("1 lead 130 Hz", 1, 130), ("12 leads 500 Hz", 12, 500)):
        entries, data = _recording(leads, rate)
        for profile in ("2g", "satellite", "4g"):
            sealed = _sealed(outbox, entries, data, Sizes.for_rate(PROFILES[profile].rate))
            samples = sum(len(each) for each in data.values())
            found += [
                _row(f"{name} on {profile}, sealed", sealed / SECONDS, "B a second of ECG"),
                _row(f"{name} on {profile}, more than the samples", 100 * (sealed / samples - 1), "%"),
            ]
        alone = _sealed(outbox, entries, data, Sizes(message=1))
        found.append(_row(f"{name}, each chunk sealed at once", alone / SECONDS, "B a second of ECG"))
    return found


def _recording(leads: int, rate: int) -> tuple[list[Entry], dict[int, bytes]]:
    beat = Heart(rate).microvolts
    samples = [[beat[at % len(beat)] // (lead + 1) for at in range(rate * SECONDS)] for lead in range(leads)]
    n = min(CHUNK_S * rate, MOST_SAMPLES // leads)
    entries: list[Entry] = []
    data: dict[int, bytes] = {}
    for number, at in enumerate(range(0, rate * SECONDS, n), 1):
        encoded = wavecodec.encode([lead[at : at + n] for lead in samples])
        said: Payload = {
            Field.WALL_MS: 1_800_000_000_000 + 1000 * at // rate,
            Field.BOOT: bytes(8),
            Field.MONOTONIC_MS: 60_000 + 1000 * at // rate,
            Field.PATIENT: bytes(16),
            Field.WAVEFORM: bytes(16),
            Field.CHUNK: number,
            Field.SAMPLES: min(n, rate * SECONDS - at),
            Field.HASH: hashlib.sha256(encoded).digest(),
            Field.SIZE: len(encoded),
            Field.FIRST_MS: 60_000 + 1000 * at // rate,
        }
        entries.append(Entry(Stream.WAVE, number, Kind.WAVE_CHUNK, cbor.encode(said), bytes(32), bytes(32)))
        data[number] = encoded
    return entries, data


def _sealed(outbox: Outbox, entries: Sequence[Entry], data: dict[int, bytes], sizes: Sizes) -> int:
    """Bytes of all messages."""
    author = Author("van-07", "training", bytes(8), keys.make_signing())
    session = SessionKey(bytes(32), bytes(8))
    portions = Portions(outbox, sizes).cut(entries)
    return sum(
        len(batches.seal_batch(author, each, _TIPS, session, {one.seq: data[one.seq] for one in each}))
        for each in portions
    )


def _row(what: str, value: float, unit: str) -> dict[str, Any]:
    return {"name": what, "value": round(value, 1), "unit": unit, "goal": ""}
