"""Mutated envelopes into every reader at both ends: refused, counted, nothing written, nothing grown.

Ten thousand in the check; ``QAFILA_ENVELOPES`` and ``QAFILA_FUZZ_SEED`` say how many and which.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import cbor
from sync.central.landing import Upward
from sync.uplink import sentences
from sync.uplink.coverage import Coverage
from sync.uplink.incoming import Incoming
from sync.wire import topics
from sync.wire.cose import MAX_MESSAGE_BYTES, Purpose
from tests.sync.central_world import REALM
from tests.sync.hostile_world import Hostile, signed_anew
from tests.sync.test_hostile_matrix import takes

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]

N = int(os.environ.get("QAFILA_ENVELOPES", "10000"))
SEED = int(os.environ.get("QAFILA_FUZZ_SEED", "1"))
GROWTH = 10 * 1024 * 1024
GROUP = 64


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flip(dice: random.Random, raw: bytes, _: bytes) -> bytes:
    bent = bytearray(raw)
    for _bit in range(dice.choice((1, 1, 1, 3, 20))):
        bent[dice.randrange(len(bent))] ^= 1 << dice.randrange(8)
    return bytes(bent)


def cut(dice: random.Random, raw: bytes, _: bytes) -> bytes:
    return raw[: dice.randrange(len(raw))]


def grow(dice: random.Random, raw: bytes, other: bytes) -> bytes:
    return raw + dice.choice((b"\x00", dice.randbytes(9), raw, other))


def splice(dice: random.Random, raw: bytes, other: bytes) -> bytes:
    place = dice.randrange(len(raw))
    return raw[:place] + other[min(place, len(other)) :]


def shuffle(dice: random.Random, raw: bytes, _: bytes) -> bytes:
    first, second = sorted((dice.randrange(len(raw)), dice.randrange(len(raw))))
    return raw[second:] + raw[first:second] + raw[:first]


def insert(dice: random.Random, raw: bytes, _: bytes) -> bytes:
    place = dice.randrange(len(raw))
    return raw[:place] + dice.randbytes(dice.randrange(1, 40)) + raw[place:]


def exchange(dice: random.Random, raw: bytes, other: bytes) -> bytes:
    """A part of another message in the place of ours, as valid CBOR: header, payload or signature."""
    ours, theirs = cbor.decode(raw[1:]), cbor.decode(other[1:])
    assert isinstance(ours, list)
    assert isinstance(theirs, list)
    place = dice.choice((0, 2, 3))
    ours[place] = theirs[place]
    return raw[:1] + cbor.encode(ours)


def deepen(dice: random.Random, raw: bytes, _: bytes) -> bytes:
    """Lists in lists, huge counts, indefinite lengths where a message should be."""
    bomb = dice.choice((b"\x81" * 5000, b"\x9b" + b"\xff" * 8, b"\xbf\x9f\x5f", b"\x5b\x7f" + b"\xff" * 7))
    return raw[:1] + bomb + raw[1:]


def oversize(dice: random.Random, raw: bytes, _: bytes) -> bytes:
    return raw + bytes(MAX_MESSAGE_BYTES - len(raw) + dice.randrange(1, 5))


MUTATIONS: tuple[Callable[[random.Random, bytes, bytes], bytes], ...] = (
    *(flip, flip, flip, cut, grow, splice, shuffle, insert, exchange, deepen),
)


def mutated(dice: random.Random, honest: list[bytes], raw: bytes) -> bytes:
    mutation = oversize if dice.random() < 0.002 else dice.choice(MUTATIONS)
    return mutation(dice, raw, dice.choice(honest))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    return Hostile(tmp_path_factory.mktemp("hostile"))


def test_no_reader_takes_a_mutated_envelope(hostile: Hostile) -> None:
    dice = random.Random(SEED)  # noqa: S311  a seed that a failure names
    messages, readers = hostile.honest(), hostile.readers()
    honest = list(messages.values())
    kinds = list(messages)
    grown_from = 0
    for number in range(N):
        if number == N // 10:
            grown_from = rss()
        kind = dice.choice(kinds)
        bent = mutated(dice, honest, messages[kind])
        if bent in honest:
            continue
        for reader in (readers[kind], readers[dice.choice(kinds)]):
            assert not takes(reader, bent), (SEED, number, kind, reader.kind)
    assert rss() - grown_from < GROWTH


def test_the_collector_counts_mutated_envelopes_and_lands_none(tmp_path: Path) -> None:
    dice = random.Random(SEED + 1)  # noqa: S311  the same
    made = Hostile(tmp_path)
    honest = [made.honest()[kind] for kind in ("up", "key")]
    everything = list(made.honest().values())
    words = sorted(topics.UP_WORDS)
    counted = 0
    grown_from = 0
    groups = N // 2 // GROUP
    for number in range(groups):
        if number == groups // 2:  # by then the database's cache and the allocator's pools are filled
            grown_from = rss()
        group = [mutated(dice, everything, dice.choice(honest)) for _ in range(GROUP)]
        group = [raw for raw in group if raw not in everything]
        landed = made.centre.lander.take([Upward(topics.up("van-07", dice.choice(words)), r) for r in group])
        assert (landed.new, landed.repeated, landed.receipts) == (0, 0, [])
        counted += len(group)
    assert made.centre.value("SELECT count(*) FROM landing") == 0
    assert sum(n for (_, code), n in made.centre.counters().items() if code.startswith("dropped-")) == counted
    assert made.centre.value("SELECT count(*) FROM counters") < 40, "a flood fills no table"
    assert rss() - grown_from < GROWTH


def test_the_uplink_drops_mutated_receipts_and_keysets_and_writes_none(
    hostile: Hostile, tmp_path: Path
) -> None:
    dice = random.Random(SEED + 2)  # noqa: S311  the same
    messages = hostile.honest()
    everything = list(messages.values())
    newer = {
        topics.receipt("van-07", "landed"): messages["receipt"],
        topics.receipt("van-07", "opened"): signed_anew(
            messages["receipt"], hostile.privates["opened"], Purpose.RECEIPT_OPENED, REALM
        ),
        topics.keyset("van-07"): messages["keyset"],
    }
    incoming = Incoming(tmp_path, "van-07", hostile.keyset, Coverage(), hostile.roots)
    refused = 0
    grown_from = 0
    for number in range(N // 2):
        if number == N // 10:
            grown_from = rss()
        topic = dice.choice(list(newer))
        bent = mutated(dice, everything, newer[topic])
        if bent in everything or bent == newer[topic]:
            continue
        assert incoming.take(topic, bent) is None, (SEED, number)
        refused += 1
        if number % 100 == 0:
            incoming.flush()
    incoming.flush()
    assert list(tmp_path.iterdir()) == []
    assert incoming.refused.total() == refused
    assert incoming.keyset == hostile.keyset
    assert rss() - grown_from < GROWTH
    assert set(incoming.refused) <= set(sentences.REFUSED)
