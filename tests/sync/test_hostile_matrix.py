"""Every kind of message, purpose, signer, realm and unit against every reader of such messages."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import QafilaError
from edge.ports.down import DownRefused, DownWaits
from edge.ports.orders import OrderRefused
from edge.ports.sealing import ReceiptRefused
from edge.records.fields import Stream
from sync.boxend.down import BoxDownReader
from sync.boxend.orders import BoxOrderReader
from sync.boxend.receipts import BoxReceiptReader
from sync.boxend.sealer import BoxSealer
from sync.central.landing import Upward, _Dropped
from sync.wire import cose, keys, sessions, topics
from sync.wire.cose import Purpose
from sync.wire.errors import EnvelopeRefused, NoRecipient
from sync.wire.keyset import Key, Keyset, Use
from tests.sync.central_world import REALM
from tests.sync.hostile_world import OTHER_REALM, SIGNERS, Hostile, Reader, signed_anew

REFUSALS = (EnvelopeRefused, ReceiptRefused, OrderRefused, DownRefused, DownWaits, _Dropped)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    return Hostile(tmp_path_factory.mktemp("hostile"))


def takes(reader: Reader, raw: bytes) -> bool:
    try:
        return reader.read(raw) is not None
    except REFUSALS:
        return False


def test_what_is_honest_is_taken_by_its_own_reader_and_by_no_other(hostile: Hostile) -> None:
    messages = hostile.honest()
    for reader in hostile.readers().values():
        assert [kind for kind, raw in messages.items() if takes(reader, raw)] == [reader.kind]


@pytest.mark.parametrize("unit", ["van-07", "van-08"])
@pytest.mark.parametrize("realm", [REALM, OTHER_REALM])
def test_each_reader_takes_one_purpose_of_its_own_signers_in_its_realm_for_its_unit(
    hostile: Hostile, unit: str, realm: str
) -> None:
    messages, readers = hostile.honest(unit, realm), hostile.readers()
    ours = (unit, realm) == ("van-07", REALM)
    wrong: list[tuple[str, str, str, str]] = []
    for kind, purpose, signer in itertools.product(messages, Purpose, SIGNERS):
        raw = signed_anew(messages[kind], hostile.privates[signer], purpose, realm)
        for reader in readers.values() if ours else (readers[kind],):
            right = ours and reader.kind == kind and (purpose, signer) in reader.signed
            # A keyset is everybody's: it names no unit.
            right |= kind == reader.kind == "keyset" and realm == REALM and (purpose, signer) in reader.signed
            if takes(reader, raw) is not right:
                wrong.append((reader.kind, kind, purpose, signer))
    assert wrong == []


@pytest.mark.parametrize("realm", [REALM, OTHER_REALM])
def test_no_realm_of_a_signature_makes_the_other_realms_content_ours(hostile: Hostile, realm: str) -> None:
    """What was made for one realm, signed by the right key for the other."""
    messages = hostile.honest("van-07", realm)
    crossed = OTHER_REALM if realm == REALM else REALM
    for kind, reader in hostile.readers().items():
        for purpose, signer in reader.signed:
            raw = signed_anew(messages[kind], hostile.privates[signer], purpose, crossed)
            if crossed == REALM and kind in {"up", "key", "receipt", "orders", "down"}:
                # Their content names no realm: only the signature does, so a unit would have to lie itself.
                continue
            assert not takes(reader, raw), (kind, purpose, signer)


def test_every_other_unit_strips_and_signs_anew_and_nothing_of_it_is_opened(hostile: Hostile) -> None:
    """Under the first unit's topic it is dropped; under its own it lands, and opens as nobody's."""
    centre, victim = hostile.centre, hostile.unit
    stolen = [victim.key_message(), victim.batch(Stream.VITALS, 1, 10)]
    for thief in (hostile.units["van-08"], hostile.units["van-09"]):
        for message in stolen:
            purpose = Purpose.KEY if message.topic.endswith("key") else Purpose.UP
            raw = signed_anew(message.payload, thief.sign_private, purpose, REALM)
            before = dict(centre.counters())
            centre.land(Upward(message.topic, raw))
            assert centre.counters()["van-07", "dropped-kid"] == before.get(("van-07", "dropped-kid"), 0) + 1
            centre.land(Upward(message.topic.replace("van-07", thief.name), raw))
            assert centre.counters()[thief.name, "dropped-unit"] >= 1
            signed = cose.read(message.payload)
            header = signed.header
            assert isinstance(header, list)
            own = cose.protected_header(
                keys.kid(keys.signing_public(thief.sign_private)), [thief.name, *header[1:]]
            )
            claimed = cose.sign(own, signed.payload, thief.sign_private, purpose, REALM)
            centre.land(Upward(message.topic.replace("van-07", thief.name), claimed))
        centre.explode()
    assert centre.value("SELECT count(*) FROM entries") == 0
    assert centre.value("SELECT count(*) FROM landing WHERE state = 'opened'") == 0
    assert centre.value("SELECT count(*) FROM landing WHERE unit = 'van-07'") == 0


# ── every use of a key in every state ────────────────────────────────────────────────────────────

USES = tuple(use for use in Use if use is not Use.RECOVERY)
"""A key to recover with signs nothing and is asked for no time: the first that is named gets the slot."""
NOW_MS = 1_800_000_000_000
STATES = {
    "valid": (0, None),
    "not-yet": (NOW_MS + 1, None),
    "expired": (0, NOW_MS - 1),
    "ends-now": (0, NOW_MS),
    "retired": None,
    "compromised": None,
}
"""Retired and compromised keys are named no more; between the two the difference is the centre's."""


def with_state(whole: Keyset, use: Use, state: str) -> Keyset:
    span = STATES[state]
    made: list[Key] = []
    for key in whole.keys:
        if key.use != use:
            made.append(key)
        elif span is not None:
            made.append(dataclasses.replace(key, not_before_ms=span[0], not_after_ms=span[1]))
    return dataclasses.replace(whole, keys=tuple(made))


def cells() -> Iterator[tuple[Use, str, bool]]:
    yield from itertools.product(USES, STATES, (True, False))


@pytest.mark.parametrize(("use", "state", "clock_set"), list(cells()))
def test_every_use_in_every_state_with_and_without_a_clock(
    hostile: Hostile, use: Use, state: str, clock_set: bool
) -> None:
    """A key is believed while it is named and, by a sure clock, within its time; sealing never stops."""
    stated = with_state(hostile.keyset, use, state)
    now_ms = NOW_MS if clock_set else None
    named = STATES[state] is not None
    in_time = state in {"valid", "ends-now"} or not clock_set
    p, recv = hostile.privates, hostile.unit.recv_private
    messages = hostile.honest()
    if use in {Use.LANDED, Use.OPENED}:
        reader = BoxReceiptReader("van-07", REALM, stated, lambda: now_ms)
        purpose = Purpose.RECEIPT_LANDED if use is Use.LANDED else Purpose.RECEIPT_OPENED
        raw = signed_anew(messages["receipt"], p[use.value], purpose, REALM)
        assert takes(Reader("receipt", reader.read, frozenset()), raw) is (named and in_time)
        other = Use.OPENED if use is Use.LANDED else Use.LANDED
        purpose = Purpose.RECEIPT_LANDED if other is Use.LANDED else Purpose.RECEIPT_OPENED
        raw = signed_anew(messages["receipt"], p[other.value], purpose, REALM)
        assert takes(Reader("receipt", reader.read, frozenset()), raw), "another use's key is not touched"
    elif use in {Use.ADVICE, Use.CONFIG, Use.COMMAND}:
        down_reader = BoxDownReader("van-07", stated)
        raw = hostile.down_of(use)
        took = takes(Reader("down", lambda r: down_reader.read(r, recv, now_ms), frozenset()), raw)
        assert took is (named and in_time)
    elif use is Use.RECORDS:  # an order of a key that is not valid any more was given while it was
        order_reader = BoxOrderReader("van-07", stated)
        took = takes(Reader("orders", lambda r: order_reader.read(r, recv), frozenset()), messages["orders"])
        assert took is named
    else:
        assert use is Use.SEAL_TO
        sealer = BoxSealer("van-07", REALM, bytes(8), p["unit"], stated, now_ms=now_ms)
        if named:
            recipients = sessions.recipients(
                cose.read(sealer.key_message(hostile.unit.tips()).content).payload
            )
            assert recipients == [keys.kid(keys.sealing_public(hostile.seal_to))]
        else:
            with pytest.raises(NoRecipient):
                sealer.key_message(hostile.unit.tips())


def test_a_flood_of_everything_is_counted_and_lands_nothing(hostile: Hostile, tmp_path: Path) -> None:
    """Replayed, reordered, foreign, of every kind under every upward topic."""
    made = Hostile(tmp_path)
    centre = made.centre
    strangers = [raw for unit in ("van-07", "van-08") for raw in hostile.honest(unit).values()]
    words = sorted(topics.UP_WORDS)
    flood = [Upward(topics.up("van-07", word), raw) for raw in strangers for word in words]
    landed = centre.lander.take(flood * 2)
    assert (landed.new, landed.receipts) == (0, [])
    assert sum(landed.dropped.values()) == 2 * len(flood)
    counted = sum(n for (_, code), n in centre.counters().items() if code.startswith("dropped-"))
    assert counted == 2 * len(flood)
    honest = [made.unit.key_message(), *made.unit.batches(Stream.VITALS, 4, 10)]
    again = centre.lander.take([*honest[::-1], *honest, *honest])
    assert (again.new, again.repeated) == (3, 6)
    centre.explode()
    assert centre.last("landed").streams[Stream.VITALS].through == 10


def test_refusals_name_a_sentence(hostile: Hostile) -> None:
    for kind, reader in hostile.readers().items():
        raw = hostile.honest()[kind]
        with pytest.raises((QafilaError, _Dropped)):
            reader.read(raw[:-1])
