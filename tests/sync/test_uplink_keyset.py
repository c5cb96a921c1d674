"""A newer keyset as it comes by the link: believed for a root's signature, and left for the agent."""

import dataclasses
from pathlib import Path

import pytest

from edge.records.fields import Stream
from sync.uplink.coverage import Coverage
from sync.uplink.incoming import Incoming
from sync.wire import keys, keyset, receipts, topics
from sync.wire.keyset import Key, Keyset, Use
from tests.sync.uplink_rig import REALM, UNIT, Box, CentreKeys, Landed, receipt_of

KEYSET = topics.keyset(UNIT)


@pytest.fixture
def centre() -> CentreKeys:
    return CentreKeys()


@pytest.fixture
def spool_in(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def incoming(centre: CentreKeys, spool_in: Path) -> Incoming:
    return Incoming(spool_in, UNIT, centre.keyset, Coverage(), centre.roots)


def newer(centre: CentreKeys, version: int = 2, *more: Key, **changes: object) -> Keyset:
    return dataclasses.replace(centre.keyset, version=version, keys=(*more, *centre.keyset.keys), **changes)  # type: ignore[arg-type]  # handed through


def names(spool_in: Path) -> list[str]:
    return sorted(path.name for path in spool_in.iterdir())


def test_a_newer_one_is_believed_at_once_and_left_for_the_agent(
    centre: CentreKeys, incoming: Incoming, spool_in: Path
) -> None:
    raw = keyset.sign(newer(centre), centre.root)
    for _ in range(3):
        incoming.take(KEYSET, raw)
        incoming.flush()
    assert incoming.keyset.version == 2
    assert names(spool_in) == ["keyset-000000000002"]
    assert (spool_in / "keyset-000000000002").read_bytes() == raw
    again = Incoming(spool_in, UNIT, centre.keyset, Coverage(), centre.roots)
    again.recall()
    assert again.keyset.version == 2  # a restart before the agent took it forgets nothing


def test_a_receipt_that_came_before_its_key_counts_once_the_keyset_is_there(
    centre: CentreKeys, incoming: Incoming, spool_in: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    box = Box(centre, tmp_path / "out")
    rotated = keys.make_signing()
    landed = Landed()
    landed.seqs[Stream.VITALS].update({1, 2})
    raw = receipts.sign(receipt_of(landed, UNIT, box.epoch, 4), rotated, REALM)
    topic = topics.receipt(UNIT, "landed")
    assert incoming.take(topic, raw) is None
    assert incoming.refused_before() == []
    with_new_key = newer(centre, 2, Key(keys.signing_public(rotated), Use.LANDED))
    incoming.take(KEYSET, keyset.sign(with_new_key, centre.root))
    [(level, kept)] = incoming.refused_before()
    assert incoming.take(topics.receipt(UNIT, level), kept) is not None
    incoming.flush()
    assert len(names(spool_in)) == 2


@pytest.mark.parametrize("what", ["other-root", "own-key", "realm", "older", "bent", "cut", "receipt-key"])
def test_what_no_pinned_root_signed_for_this_realm_changes_nothing(
    centre: CentreKeys, incoming: Incoming, spool_in: Path, what: str
) -> None:
    good = keyset.sign(newer(centre, 7), centre.root)
    bad, code = {
        "other-root": (keyset.sign(newer(centre, 7), keys.make_signing()), "keyset-kid"),
        "own-key": (keyset.sign(newer(centre, 7), centre.signing["opened"]), "keyset-kid"),
        "receipt-key": (keyset.sign(newer(centre, 7), centre.signing["landed"]), "keyset-kid"),
        "realm": (keyset.sign(newer(centre, 7, realm="production"), centre.root), "keyset-realm"),
        "older": (keyset.sign(newer(centre, 2), centre.root), "keyset-older"),
        "bent": (good[:-1] + bytes([good[-1] ^ 1]), "keyset-signature"),
        "cut": (good[:-1], "keyset-form"),
    }[what]
    if what == "older":
        incoming.take(KEYSET, keyset.sign(newer(centre, 3), centre.root))
        incoming.flush()
    before, there = incoming.keyset, names(spool_in)
    for _ in range(3):
        incoming.take(KEYSET, bad)
        incoming.flush()
    assert incoming.keyset == before
    assert names(spool_in) == there
    assert incoming.refused == {code: 3}


def test_of_another_units_topic_nothing_is_taken(centre: CentreKeys, incoming: Incoming) -> None:
    incoming.take(topics.keyset("van-08"), keyset.sign(newer(centre), centre.root))
    assert incoming.keyset.version == 1
    assert incoming.refused == {"topic": 1}


def test_it_asks_for_the_keyset_once_for_each_key_that_it_lacks(incoming: Incoming) -> None:
    assert not incoming.asks_for_keyset()
    landed = Landed()
    landed.seqs[Stream.VITALS].add(1)
    for number in range(2):
        raw = receipts.sign(receipt_of(landed, UNIT, bytes(8), 1 + number), keys.make_signing(), REALM)
        incoming.take(topics.receipt(UNIT, "landed"), raw)
        assert incoming.asks_for_keyset()
        assert not incoming.asks_for_keyset()
